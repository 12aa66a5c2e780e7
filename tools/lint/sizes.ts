import { isTest } from "./layers.ts";
import { repositoryPath } from "./repository_path.ts";

const maxFileLines = 400;
const maxEntryLines = 60;
const maxFunctionLines = 70;

type AnyFunction =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

/** `switchyard/sizes`: files and functions stay short enough to be read whole; tests may be longer. */
export const checkSizes: Deno.lint.Rule = {
  create(context) {
    const path = repositoryPath(context.filename);
    if (isTest(path)) return {};

    function checkFunction(node: AnyFunction): void {
      const lines = countLines(context.sourceCode.text.slice(node.range[0], node.range[1]));
      if (lines <= maxFunctionLines) return;
      context.report({ node, message: `function of ${lines} lines: at most ${maxFunctionLines}` });
    }

    return {
      Program(node) {
        const limit = isEntry(path) ? maxEntryLines : maxFileLines;
        const lines = countLines(context.sourceCode.text.trimEnd());
        if (lines <= limit) return;
        context.report({ node, message: `file of ${lines} lines: at most ${limit}` });
      },
      FunctionDeclaration: checkFunction,
      FunctionExpression: checkFunction,
      ArrowFunctionExpression: checkFunction,
    };
  },
};

function isEntry(path: string): boolean {
  return /^supabase\/functions\/[^/]+\/index\.ts$/.test(path);
}

function countLines(text: string): number {
  return text.split("\n").length;
}
