/** What to tell a person when npm could not fetch something: the reason, and what to do. */
export function explainNpmFailure(what: string, said: string): string {
  return `Cannot download ${what} from npm: ${reasonIn(said)}. ` +
    "Look whether `npm ping` answers, then start again: what is here already is kept.";
}

/** Whether a program that npx was to fetch and run never ran. */
export function isNpmFailure(said: string): boolean {
  return /^npm (error|ERR!)/m.test(said);
}

// Of the page that npm writes, the line that names the request or, without one, its code.
function reasonIn(said: string): string {
  const request = /request to .* failed, reason: .*/.exec(said)?.[0];
  const code = /^npm (?:error|ERR!) code (\S+)/m.exec(said)?.[1];
  return request ?? code ?? (said.trim().split("\n", 1)[0] || "npm says nothing");
}
