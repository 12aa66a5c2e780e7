/** Words that name nothing: if the noun is unknown, the design is. */
const bannedWords: ReadonlySet<string> = new Set([
  "manager",
  "managers",
  "service",
  "services",
  "helper",
  "helpers",
  "util",
  "utils",
  "common",
  "misc",
  "base",
  "impl",
  "data",
  "info",
  "handle",
]);

/** Names of the field that happen to contain a banned word, in snake case. */
const properNouns: readonly string[] = [
  "data_api", // Supabase's
  "service_role", // the Postgres role
  "service_message", // what Meta calls free within 24 hours
  "service_messages",
  "service_conversation",
  "form_data", // the web's FormData
  "callback_data", // Meta's biz_opaque_callback_data
  "base_url",
  "base_path",
];

/** Returns the first banned word of an identifier or file name, or null. */
function findBannedWord(name: string): string | null {
  const snakeCase = name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
  const marked = `_${snakeCase.replaceAll(/[^a-z0-9]+/g, "_")}_`;
  const rest = properNouns.reduce((left, noun) => left.replaceAll(`_${noun}_`, "_"), marked);
  return rest.split("_").find((word) => bannedWords.has(word)) ?? null;
}

/** `switchyard/names`: what is declared, and the file itself, is called what it is. */
export const checkNames: Deno.lint.Rule = {
  create(context) {
    function check(node: Deno.lint.Node, name: string): void {
      const word = findBannedWord(name);
      if (word === null) return;
      context.report({ node, message: `"${name}": "${word}" names nothing; say what it is` });
    }

    function checkDeclared(node: { id: Deno.lint.Node | null }): void {
      if (node.id?.type === "Identifier") check(node.id, node.id.name);
    }

    return {
      Program: (node) => check(node, fileName(context.filename)),
      FunctionDeclaration: checkDeclared,
      ClassDeclaration: checkDeclared,
      TSInterfaceDeclaration: checkDeclared,
      TSTypeAliasDeclaration: checkDeclared,
      TSEnumDeclaration: checkDeclared,
      VariableDeclarator: checkDeclared,
    };
  },
};

function fileName(path: string): string {
  return path.slice(path.replaceAll("\\", "/").lastIndexOf("/") + 1);
}
