import { strict as assert } from "node:assert";
import { createIds, userIdOf, waIdOfWamid } from "./ids.ts";

Deno.test("a wamid carries the customer's phone and never comes twice", () => {
  const ids = createIds(Math.random);
  const made = Array.from({ length: 1_000 }, () => ids.wamid("15550200001", "from_business"));
  assert.equal(new Set(made).size, 1_000);
  assert.match(String(made[0]), /^wamid\.[A-Za-z0-9+/=]{40,}$/);
  assert.equal(waIdOfWamid(String(made[0])), "15550200001");
});

Deno.test("waIdOfWamid() of an id that somebody else made is null", () => {
  for (const id of ["wamid.x", "ABGGFlA5Fpa", "wamid.%%%", ""]) assert.equal(waIdOfWamid(id), null);
});

Deno.test("a business-scoped user id is one person's at one portfolio", () => {
  assert.match(userIdOf("1", "15550200001"), /^US\.\d{20}$/);
  assert.equal(userIdOf("1", "15550200001"), userIdOf("1", "15550200001"));
  assert.notEqual(userIdOf("1", "15550200001"), userIdOf("2", "15550200001"));
  assert.notEqual(userIdOf("1", "15550200001"), userIdOf("1", "15550200002"));
});
