/** What a test does to one call: forward it, answer it itself, or keep it waiting. */
export type TreatCall = (forward: () => Promise<Response>) => Promise<Response> | Response;

/** Stands between the functions and the Graph API, so that a test decides what comes through. */
export interface GraphProxy extends AsyncDisposable {
  /** How many calls have arrived, forwarded or not. */
  arrived(): number;
  treat(how: TreatCall): void;
  forwardTo(graphUrl: string): void;
}

/** Listens on `port`; forwards everything until told otherwise. */
export function startGraphProxy(port: number): GraphProxy {
  let graphUrl = "";
  let arrived = 0;
  let how: TreatCall = (forward) => forward();
  const closing = new AbortController();
  const server = Deno.serve(
    { port, hostname: "127.0.0.1", signal: closing.signal, onListen: () => {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      const { method, headers } = request;
      const body = await request.arrayBuffer();
      arrived += 1;
      return await how(() => fetch(`${graphUrl}${pathname}${search}`, { method, headers, body }));
    },
  );
  return {
    arrived: () => arrived,
    treat: (next) => void (how = next),
    forwardTo: (url) => void (graphUrl = url),
    // Calls that are kept waiting would hold up a graceful end.
    async [Symbol.asyncDispose]() {
      closing.abort();
      await server.finished;
    },
  };
}

/** Forwards nothing and never answers. */
export const keepWaiting: TreatCall = () => new Promise(() => {});

/** Lets the Graph API take the call, and never brings its answer back. */
export const loseAnswer: TreatCall = async (forward) => {
  await (await forward()).body?.cancel();
  return await new Promise(() => {});
};
