import type { Platform } from "../support/platform.ts";

/** What the simulator still has to tell us. */
export interface Idleness {
  idle: boolean;
  planned_statuses: number;
  waiting: number;
  in_flight: number;
  waiting_for_retry: number;
}

/** Calls a control address of the simulator: local/graph_simulator/README.md. */
export async function control<T>(
  { env }: Platform,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(`${env.SIMULATOR_URL}/_control${path}`, init);
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as T;
  throw new Error(`Cannot ${method} ${path}: ${response.status} ${text}`);
}

/** Resolves at the next call to the Graph API, or after `timeoutMs` without one. */
export async function untilNextCall(platform: Platform, timeoutMs: number): Promise<void> {
  const { received } = await control<{ received: number }>(platform, "GET", "/counts");
  const query = `since=${received}&wait_for=1&limit=1&timeout_ms=${timeoutMs}`;
  await control(platform, "GET", `/received?${query}`);
}
