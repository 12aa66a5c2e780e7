import { posix } from "node:path";
import { refuseImport, refusePackage } from "./layers.ts";
import { repositoryPath } from "./repository_path.ts";

const modulePattern = /\.(ts|tsx|mts|js|mjs|jsx|json|css|html|sql)$/;

/** `switchyard/layers`: imports follow the layers, name their file whole, and carry no version. */
export const checkImports: Deno.lint.Rule = {
  create(context) {
    const importer = repositoryPath(context.filename);

    function check(node: Deno.lint.Node, specifier: unknown, typeOnly: boolean): void {
      if (typeof specifier !== "string") return;
      const message = refuse(importer, specifier, typeOnly);
      if (message !== null) context.report({ node, message });
    }

    return {
      ImportDeclaration(node) {
        check(node, node.source.value, isTypeOnly(node));
        const message = refuseNamedZod(importer, node);
        if (message !== null) context.report({ node, message });
      },
      ExportAllDeclaration: (node) => check(node, node.source.value, node.exportKind === "type"),
      ExportNamedDeclaration: (node) => check(node, node.source?.value, node.exportKind === "type"),
      ImportExpression: (node) =>
        check(node, node.source.type === "Literal" ? node.source.value : undefined, false),
    };
  },
};

function refuse(importer: string, specifier: string, typeOnly: boolean): string | null {
  if (!/^\.{1,2}\//.test(specifier)) return refusePackage(importer, specifier);
  if (!modulePattern.test(specifier)) {
    return `name the file whole, with its extension: ${specifier}`;
  }
  return refuseImport(importer, posix.join(posix.dirname(importer), specifier), typeOnly);
}

function isTypeOnly(node: Deno.lint.ImportDeclaration): boolean {
  if (node.importKind === "type") return true;
  return node.specifiers.length > 0 &&
    node.specifiers.every((specifier) =>
      specifier.type === "ImportSpecifier" && specifier.importKind === "type"
    );
}

// The export named z holds every locale: 600 kB in each bundle (zod 4.6.7) that nobody reads.
function refuseNamedZod(importer: string, node: Deno.lint.ImportDeclaration): string | null {
  if (!importer.startsWith("supabase/") || node.source.value !== "zod") return null;
  const isNamed = node.specifiers.some((specifier) =>
    specifier.type === "ImportSpecifier" && specifier.local.name === "z"
  );
  return isNamed
    ? 'write import * as z from "zod": the named z keeps all of it in the bundle'
    : null;
}
