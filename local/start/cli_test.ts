import { strict as assert } from "node:assert";
import { parseFlags } from "./cli.ts";

Deno.test("parseFlags() without arguments gives the contract's defaults", () => {
  assert.deepEqual(parseFlags([], "/home/ada"), {
    kind: "start",
    flags: {
      port: 54321,
      dir: "/home/ada/.local",
      fresh: false,
      demo: true,
      graphUrl: undefined,
    },
  });
});

Deno.test("parseFlags() reads every flag, joined by a space or an equals sign", () => {
  const parsed = parseFlags(
    ["--port=6000", "--dir", "/srv/x", "--fresh", "--no-demo", "--graph-url", "http://g.test/"],
    "/",
  );
  assert.deepEqual(parsed, {
    kind: "start",
    flags: { port: 6000, dir: "/srv/x", fresh: true, demo: false, graphUrl: "http://g.test" },
  });
});

Deno.test("parseFlags() answers --help with the usage", () => {
  assert.deepEqual(parseFlags(["--help"], "/"), { kind: "usage" });
});

const refusals: [title: string, args: string[], reason: RegExp][] = [
  ["an unknown flag", ["--prot", "6000"], /--prot.*--help/],
  ["a word that is no flag", ["now"], /now.*--help/],
  ["a flag without its value", ["--port"], /--port.*--help/],
  ["a value for a flag that has none", ["--fresh=yes"], /--fresh.*--help/],
  ["a port that is no number", ["--port", "http"], /--port http/],
  ["port 0", ["--port", "0"], /--port 0/],
  ["a port with no room for three more", ["--port", "65533"], /65533/],
  ["an address that is none", ["--graph-url", "graph.facebook.com"], /--graph-url.*like http/],
  ["an address with a query", ["--graph-url", "http://g.test/?a=1&b=2"], /--graph-url.*like http/],
  ["an empty folder", ["--dir="], /--dir is empty/],
];

for (const [title, args, reason] of refusals) {
  Deno.test(`parseFlags() refuses ${title} in one sentence`, () => {
    const parsed = parseFlags(args, "/");
    assert.equal(parsed.kind, "refused");
    assert.match(parsed.reason, reason);
    assert.match(parsed.reason, /^[^\n]+\.$/);
  });
}
