/** `switchyard/no-barrel`: a module exports what it defines; readers import the file itself. */
export const banBarrels: Deno.lint.Rule = {
  create(context) {
    return {
      ExportAllDeclaration(node) {
        context.report({ node, message: "no barrels: import the file that defines it" });
      },
      ExportNamedDeclaration(node) {
        if (node.source === null) return;
        context.report({ node, message: "no re-exports: import the file that defines it" });
      },
    };
  },
};
