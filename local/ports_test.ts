import { strict as assert } from "node:assert";
import { portsFrom, refuseTakenPorts } from "./ports.ts";

function listen(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

Deno.test("portsFrom() takes the three ports after the API's", () => {
  assert.deepEqual(portsFrom(6000), { API: 6000, database: 6001, console: 6002, simulator: 6003 });
});

Deno.test("refuseTakenPorts() names the port, its use and the way out", () => {
  const listener = listen();
  const { port } = listener.addr;
  assert.throws(
    () => refuseTakenPorts({ database: port }),
    new RegExp(`^Error: Port ${port} \\(database\\) is taken: choose four others with --port, or`),
  );
  listener.close();
});

Deno.test("refuseTakenPorts() accepts free ports and leaves them free", () => {
  const listener = listen();
  const { port } = listener.addr;
  listener.close();
  refuseTakenPorts({ API: port });
  refuseTakenPorts({ API: port });
});
