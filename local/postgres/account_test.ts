import { strict as assert } from "node:assert";

import { canReach, postgresAccount } from "./account.ts";

const env = (variables: Record<string, string>) => (name: string) => variables[name];

Deno.test("an ordinary user runs Postgres as itself", () => {
  assert.equal(postgresAccount(1000, env({ SUDO_UID: "1", SUDO_GID: "1" })), undefined);
});

Deno.test("root runs Postgres as the user behind sudo, else as nobody", () => {
  const sudo = postgresAccount(0, env({ SUDO_UID: "1000", SUDO_GID: "100" }));
  assert.deepEqual(sudo, { uid: 1000, gid: 100 });
  for (const variables of [{}, { SUDO_UID: "0", SUDO_GID: "0" }]) {
    const account = postgresAccount(0, env(variables));
    assert.ok(account && account.uid > 0 && account.gid > 0);
  }
});

Deno.test("a folder is reachable when it and its ancestors may be entered", async () => {
  const outer = await Deno.makeTempDir();
  const inner = `${outer}/inner`;
  await Deno.mkdir(inner);
  const stranger = { uid: 54321, gid: 54321 };
  const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
  assert.equal(canReach(inner, stranger), false);
  assert.equal(canReach(inner, owner), true);
  await Deno.chmod(outer, 0o711);
  await Deno.chmod(inner, 0o755);
  assert.equal(canReach(inner, stranger), true);
  await Deno.remove(outer, { recursive: true });
});
