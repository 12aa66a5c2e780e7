import { BREAKER_STATES, OPENING_CAUSES } from "./breaker.ts";
import type { Breaker } from "./breaker.ts";

/** The first word. A line of another version is no breaker of ours, and read as a new one. */
export const FORMAT_VERSION = 1;
/** The words behind it; after them slot, requests and failures of each slot of the window. */
export const FORMAT_WORDS = [
  "state",
  "generation",
  "since_ms",
  "duration_ms",
  "cause",
  "failed_probes",
  "failures_in_a_row",
  "witness",
  "opened_count",
  "opened_at_ms",
  "requests",
  "failures",
] as const;

const WORDS_PER_SLOT = 3;

/** Those that are no numbers. */
export const TEXT_WORDS: readonly string[] = ["state", "cause", "witness"];

/** A breaker as one short line, the form in which Redis keeps it. */
export function encodeBreaker(breaker: Breaker): string {
  return [
    FORMAT_VERSION,
    breaker.state,
    breaker.generation,
    breaker.sinceMs,
    breaker.durationMs,
    breaker.cause,
    breaker.failedProbes,
    breaker.failuresInARow,
    breaker.witness,
    breaker.openedCount,
    breaker.openedAtMs,
    breaker.requests,
    breaker.failures,
    ...breaker.window.flatMap(({ slot, requests, failures }) => [slot, requests, failures]),
  ].join(" ");
}

/** The breaker of such a line; null where it is none of this version. */
export function decodeBreaker(line: string): Breaker | null {
  const [version, ...words] = line.split(" ");
  const word = (name: typeof FORMAT_WORDS[number]) => words[FORMAT_WORDS.indexOf(name)] ?? "";
  const number = (name: typeof FORMAT_WORDS[number]) => Number(word(name));
  const state = BREAKER_STATES.find((it) => it === word("state"));
  const cause = OPENING_CAUSES.find((it) => it === word("cause"));
  const isOurs = Number(version) === FORMAT_VERSION && words.length >= FORMAT_WORDS.length;
  if (!isOurs || state === undefined || cause === undefined) return null;
  return {
    state,
    cause,
    generation: number("generation"),
    sinceMs: number("since_ms"),
    durationMs: number("duration_ms"),
    failedProbes: number("failed_probes"),
    failuresInARow: number("failures_in_a_row"),
    witness: word("witness"),
    openedCount: number("opened_count"),
    openedAtMs: number("opened_at_ms"),
    requests: number("requests"),
    failures: number("failures"),
    window: decodeWindow(words.slice(FORMAT_WORDS.length).map(Number)),
  };
}

function decodeWindow(numbers: number[]): Breaker["window"] {
  const slots = [];
  for (let i = 0; i + WORDS_PER_SLOT <= numbers.length; i += WORDS_PER_SLOT) {
    slots.push({ slot: numbers[i]!, requests: numbers[i + 1]!, failures: numbers[i + 2]! });
  }
  return slots;
}
