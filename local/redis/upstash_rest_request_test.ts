import { strict as assert } from "node:assert";

import { readRestRequest } from "./upstash_rest_request.ts";

const token = "t";

async function read(path: string, init: RequestInit = {}): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}` };
  return await readRestRequest(
    new Request(`http://redis.test${path}`, { headers, ...init }),
    token,
  );
}

const post = (body: string): RequestInit => ({ method: "POST", body });

const READINGS: [title: string, path: string, init: RequestInit, expected: unknown][] = [
  ["a body", "/", post('["SET","k",1]'), { kind: "command", args: ["SET", "k", "1"] }],
  ["an object as its JSON", "/", post('["SET","k",{"a":1}]'), {
    kind: "command",
    args: ["SET", "k", '{"a":1}'],
  }],
  ["a path", "/get/a%2Fb", {}, { kind: "command", args: ["get", "a/b"] }],
  ["a path, its body and query", "/set/k?EX=10&NX", post("the value"), {
    kind: "command",
    args: ["set", "k", "the value", "EX", "10", "NX"],
  }],
  ["a pipeline", "/pipeline", post('[["GET","a"],["GET","b"]]'), {
    kind: "pipeline",
    commands: [["GET", "a"], ["GET", "b"]],
  }],
  ["a transaction", "/multi-exec", post('[["GET","a"]]'), {
    kind: "transaction",
    commands: [["GET", "a"]],
  }],
];

for (const [title, path, init, expected] of READINGS) {
  Deno.test(`${title} is read`, async () => assert.deepEqual(await read(path, init), expected));
}

const REFUSALS: [title: string, path: string, init: RequestInit, status: number][] = [
  ["no token", "/get/k", { headers: {} }, 401],
  ["another token", "/get/k", { headers: { authorization: "Bearer x" } }, 401],
  ["another token in the query", "/get/k?_token=x", { headers: {} }, 401],
  ["another method", "/get/k", { method: "DELETE" }, 405],
  ["a pipeline without POST", "/pipeline", {}, 405],
  ["no JSON", "/", post("SET k 1"), 400],
  ["an empty command", "/", post("[]"), 400],
  ["an empty pipeline", "/pipeline", post("[]"), 400],
  ["a pipeline of something else", "/pipeline", post('[["GET","a"],"GET"]'), 400],
];

for (const [title, path, init, status] of REFUSALS) {
  Deno.test(`${title} is refused with ${status}`, async () => {
    const { kind, status: seen } = await read(path, init) as { kind: string; status: number };
    assert.deepEqual({ kind, seen }, { kind: "refused", seen: status });
  });
}

Deno.test("the token may be in the query", async () => {
  const read = await readRestRequest(new Request("http://redis.test/get/k?_token=t"), token);
  assert.deepEqual(read, { kind: "command", args: ["get", "k"] });
});
