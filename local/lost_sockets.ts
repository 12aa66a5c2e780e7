/**
 * Keeps this process alive when the Postgres driver writes to a socket that has just been closed:
 * postgres 3.4.9 does so from a timer, where no caller can catch it. The query itself fails by the
 * closing of its connection. To be deleted once the driver looks before it writes
 * (src/connection.js, nextWrite).
 */
export function forgiveLostSockets(): void {
  globalThis.addEventListener("error", (event) => {
    if (isLostSocket(event.error)) event.preventDefault();
  });
}

// The socket may be gone, or still there and ended by the server.
const LOST = ["reading 'write'", "ended by the other party"];

function isLostSocket(error: unknown): boolean {
  return error instanceof Error && LOST.some((words) => error.message.includes(words)) &&
    /\/postgres\/[^/]+\/.*connection\.js/.test(error.stack ?? "");
}
