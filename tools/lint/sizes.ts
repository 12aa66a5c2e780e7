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

    // A closure counts without the functions inside it: those are counted by themselves.
    const nestedLines: number[] = [];
    const enter = () => void nestedLines.push(0);

    function leave(node: AnyFunction): void {
      const allLines = countLines(context.sourceCode.text.slice(node.range[0], node.range[1]));
      const ownLines = allLines - (nestedLines.pop() ?? 0);
      const outer = nestedLines.length - 1;
      if (outer >= 0) nestedLines[outer] = (nestedLines[outer] ?? 0) + allLines - 1;
      if (ownLines <= maxFunctionLines) return;
      const message = `function of ${ownLines} lines: at most ${maxFunctionLines}`;
      context.report({ node, message });
    }

    return {
      Program(node) {
        const limit = isEntry(path) ? maxEntryLines : maxFileLines;
        const lines = countLines(context.sourceCode.text.trimEnd());
        if (lines <= limit) return;
        context.report({ node, message: `file of ${lines} lines: at most ${limit}` });
      },
      FunctionDeclaration: enter,
      FunctionExpression: enter,
      ArrowFunctionExpression: enter,
      "FunctionDeclaration:exit": leave,
      "FunctionExpression:exit": leave,
      "ArrowFunctionExpression:exit": leave,
    };
  },
};

function isEntry(path: string): boolean {
  return /^supabase\/functions\/[^/]+\/index\.ts$/.test(path);
}

function countLines(text: string): number {
  return text.split("\n").length;
}
