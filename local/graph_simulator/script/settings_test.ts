import { strict as assert } from "node:assert";
import { createSettings } from "./settings.ts";

Deno.test("a patch changes what it names and leaves the rest", () => {
  const settings = createSettings();
  settings.patch({ webhooks: { retry: { first_ms: 5 } }, strict: true });
  assert.equal(settings.current.webhooks.retry.first_ms, 5);
  assert.equal(settings.current.webhooks.retry.factor, 2);
  assert.equal(settings.current.strict, true);
  settings.reset();
  assert.equal(settings.current.strict, false);
});

Deno.test("null switches off what null switches off", () => {
  const settings = createSettings();
  settings.patch({ statuses: { read_after_delivery_ms: null } });
  assert.equal(settings.current.statuses.read_after_delivery_ms, null);
});

for (
  const patch of [{ webhook: {} }, { webhooks: { max_updates: 1_001 } }, { strict: "yes" }, []]
) {
  Deno.test(`the patch ${JSON.stringify(patch)} is refused and changes nothing`, () => {
    const settings = createSettings();
    const before = settings.current;
    assert.throws(() => settings.patch(patch), { name: "ZodError" });
    assert.equal(settings.current, before);
  });
}
