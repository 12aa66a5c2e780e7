import type { CallRpc } from "./database.ts";

/** What a test's database was asked. */
export interface RecordedCall {
  name: string;
  args: Record<string, unknown>;
}

/**
 * A database for tests. Each function answers what stands under its name, or what a function that
 * stands there makes of the arguments; an Error that stands there is thrown.
 */
export function answerCalls(
  answers: Record<string, unknown>,
): { call: CallRpc; calls: RecordedCall[] } {
  const calls: RecordedCall[] = [];
  async function call(name: string, args: Record<string, unknown>): Promise<unknown> {
    calls.push({ name, args: structuredClone(args) });
    await Promise.resolve();
    const answer = answers[name];
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer(args) : answer;
  }
  return { call: call as CallRpc, calls };
}
