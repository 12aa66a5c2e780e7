import { createHash } from "node:crypto";

/**
 * Translates script commands for a Redis that does not know Upstash's flags: the shebang line is
 * cut off, and EVALSHA with the hash of the whole script, which is the one that clients compute,
 * becomes EVAL of what is left. Other commands are returned unchanged.
 */
export function createScriptTranslator(): (args: string[]) => string[] | { reply: unknown } {
  const scripts = new Map<string, string>();
  const remember = (script: string): string => {
    const hash = createHash("sha1").update(script).digest("hex");
    scripts.set(hash, script.replace(/^#!.*\n?/, ""));
    return hash;
  };
  return (args) => {
    const [command = "", first = "", ...rest] = args;
    switch (command.toUpperCase()) {
      case "EVAL":
      case "EVAL_RO":
        return [command, scripts.get(remember(first)) ?? first, ...rest];
      case "EVALSHA":
      case "EVALSHA_RO": {
        const script = scripts.get(first.toLowerCase());
        return script === undefined ? args : [command.replace(/sha/i, ""), script, ...rest];
      }
      case "SCRIPT":
        return answerScript(first.toUpperCase(), rest, scripts, remember) ?? args;
      default:
        return args;
    }
  };
}

function answerScript(
  subcommand: string,
  rest: string[],
  scripts: Map<string, string>,
  remember: (script: string) => string,
): { reply: unknown } | undefined {
  switch (subcommand) {
    case "LOAD":
      return { reply: remember(rest[0] ?? "") };
    case "EXISTS":
      return { reply: rest.map((hash) => scripts.has(hash.toLowerCase()) ? 1 : 0) };
    case "FLUSH":
      scripts.clear();
      return { reply: "OK" };
    default:
      return undefined;
  }
}
