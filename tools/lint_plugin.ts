/** The house rules that a machine can check; CONTRIBUTING.md says why each exists. */
import { banBarrels } from "./lint/barrels.ts";
import { banRealWorld } from "./lint/real_world.ts";
import { checkImports } from "./lint/imports.ts";
import { checkNames } from "./lint/names.ts";
import { checkSizes } from "./lint/sizes.ts";

const plugin: Deno.lint.Plugin = {
  name: "switchyard",
  rules: {
    layers: checkImports,
    "real-world": banRealWorld,
    names: checkNames,
    "no-barrel": banBarrels,
    sizes: checkSizes,
  },
};

export default plugin;
