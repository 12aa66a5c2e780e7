import { isTest } from "./layers.ts";
import { repositoryPath } from "./repository_path.ts";

/** Calls that read the clock, roll dice, wait or dial; `runtime.ts` alone may make them. */
const realWorldCalls: ReadonlySet<string> = new Set([
  "AbortSignal.timeout",
  "Date",
  "Date.now",
  "Math.random",
  "crypto.randomUUID",
  "fetch",
  "performance.now",
  "setInterval",
  "setTimeout",
]);

const platformNames: ReadonlySet<string> = new Set(["Deno", "EdgeRuntime"]);

/** `switchyard/real-world`: in functions the clock, chance, network and platform are arguments. */
export const banRealWorld: Deno.lint.Rule = {
  create(context) {
    const path = repositoryPath(context.filename);
    const isFunctionCode = path.startsWith("supabase/functions/") && !isTest(path);
    if (!isFunctionCode || path === "supabase/functions/_shared/runtime.ts") return {};

    const calls: { node: Deno.lint.CallExpression; callee: string }[] = [];
    const boundNames = new Set<string>();
    const bindParameters = (node: { params: Deno.lint.Parameter[] }) =>
      node.params.forEach((parameter) => bindNames(parameter, boundNames));

    return {
      FunctionDeclaration: bindParameters,
      FunctionExpression: bindParameters,
      ArrowFunctionExpression: bindParameters,
      VariableDeclarator: (node) => bindNames(node.id, boundNames),
      CallExpression(node) {
        const callee = context.sourceCode.getText(node.callee).replace(/^globalThis\./, "");
        if (realWorldCalls.has(callee)) calls.push({ node, callee });
      },
      NewExpression(node) {
        const isNow = context.sourceCode.getText(node.callee) === "Date" &&
          node.arguments.length === 0;
        if (isNow) context.report({ node, message: "new Date() reads the clock: take now()" });
      },
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || !platformNames.has(node.object.name)) return;
        if (/^supabase\/functions\/[^/_][^/]*\/index\.ts$/.test(path)) return;
        const message =
          `${node.object.name}.* belongs in runtime.ts and index.ts: take what you need`;
        context.report({ node, message });
      },
      // At the end, when it is known which of these names the file itself binds to an argument.
      "Program:exit"() {
        for (const { node, callee } of calls) {
          if (boundNames.has(callee)) continue;
          const message = `${callee}() is the real world: take it as an argument`;
          context.report({ node, message });
        }
      },
    };
  },
};

function bindNames(pattern: Deno.lint.Node | Deno.lint.Parameter, names: Set<string>): void {
  if (pattern.type === "Identifier") names.add(pattern.name);
  if (pattern.type === "AssignmentPattern") bindNames(pattern.left, names);
  if (pattern.type !== "ObjectPattern") return;
  for (const property of pattern.properties) {
    if (property.type === "Property") bindNames(property.value, names);
  }
}
