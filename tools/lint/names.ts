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

/** Names of the field that happen to contain a banned word. */
const properNouns: readonly RegExp[] = [
  /data_?api/i, // Supabase's Data API
  /service_?role/i, // the Postgres role
  /service_?(message|conversation)/i, // Meta's word for what is free within 24 hours
  /form_?data/i, // the web's FormData
  /callback_?data/i, // Meta's biz_opaque_callback_data
  /base_?(64|url|path)/i, // encodings and addresses
];

/** Returns the first banned word of an identifier or file name, or null. */
export function findBannedWord(name: string): string | null {
  const cleaned = properNouns.reduce((rest, noun) => rest.replace(noun, "_"), name);
  const words = cleaned.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase().split(/[^a-z0-9]+/);
  return words.find((word) => bannedWords.has(word)) ?? null;
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
