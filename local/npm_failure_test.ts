import { strict as assert } from "node:assert";
import { explainNpmFailure, isNpmFailure } from "./npm_failure.ts";

const offline = `npm error code ENOTFOUND
npm error syscall getaddrinfo
npm error network request to https://registry.example/x failed, reason: getaddrinfo ENOTFOUND registry.example
npm error network This is a problem related to network connectivity.
npm error A complete log of this run can be found in: npm-debug.log`;

const reasons: [title: string, said: string, reason: string][] = [
  [
    "names the request that failed",
    offline,
    "request to https://registry.example/x failed, reason: getaddrinfo ENOTFOUND registry.example",
  ],
  ["names npm's code where no request failed", "npm error code E404\nnpm error 404 Not", "E404"],
  ["knows the npm of Node 20", "npm ERR! code ENOSPC\nnpm ERR! no space", "ENOSPC"],
  ["takes what else was said", "tar: broken\nmore", "tar: broken"],
  ["has something to say of silence", "", "npm says nothing"],
];
for (const [title, said, reason] of reasons) {
  Deno.test(`a failed download ${title}, and says what to do`, () => {
    assert.equal(
      explainNpmFailure("Postgres 17", said),
      `Cannot download Postgres 17 from npm: ${reason}. ` +
        "Look whether `npm ping` answers, then start again: what is here already is kept.",
    );
  });
}

Deno.test("a program that failed by itself is no failure of npm", () => {
  assert(isNpmFailure(offline));
  assert(!isNpmFailure('Applying migration 1\nERROR: relation "npm error" does not exist'));
});
