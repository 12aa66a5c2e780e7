import { resolve } from "node:path";
import { parseArgs } from "node:util";

export interface StartFlags {
  /** The API; the database, the console and the simulator take the three ports after it. */
  port: number;
  /** Absolute. */
  dir: string;
  fresh: boolean;
  demo: boolean;
  /** Undefined: the simulator. */
  graphUrl: string | undefined;
}

export type ParsedFlags =
  | { kind: "start"; flags: StartFlags }
  | { kind: "usage" }
  | { kind: "refused"; reason: string };

export const USAGE = `Usage: deno task start [flags]

  --port N         the API on N, database N+1, console N+2, simulator N+3 (default 54321)
  --dir D          where data and the env file are kept (default .local)
  --fresh          begin with empty data
  --no-demo        do not seed the demo tenant
  --graph-url URL  use this Graph API instead of the simulator
`;

const SEE_USAGE = "run `deno task start --help` to see the flags.";

/** Reads the flags of `deno task start`; a relative folder is resolved against `cwd`. */
export function parseFlags(args: string[], cwd: string): ParsedFlags {
  const parsed = parse(args);
  if ("reason" in parsed) return { kind: "refused", reason: parsed.reason };
  const { values } = parsed;
  if (values.help) return { kind: "usage" };
  const port = parsePort(values.port);
  if (port === null) {
    const reason =
      `--port ${values.port} is no port: pass a number from 1 to 65532, since three more follow it.`;
    return { kind: "refused", reason };
  }
  const graphUrl = values["graph-url"];
  if (graphUrl !== undefined && !isHttpUrl(graphUrl)) {
    const reason = `--graph-url ${graphUrl} is no address: pass one like http://127.0.0.1:8080.`;
    return { kind: "refused", reason };
  }
  if (values.dir === "") {
    return { kind: "refused", reason: "--dir is empty: pass the folder to keep data in." };
  }
  const flags = {
    port,
    dir: resolve(cwd, values.dir),
    fresh: values.fresh,
    demo: !values["no-demo"],
    graphUrl: graphUrl?.replace(/\/+$/, ""),
  };
  return { kind: "start", flags };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      strict: true,
      allowPositionals: false,
      options: {
        port: { type: "string", default: "54321" },
        dir: { type: "string", default: ".local" },
        fresh: { type: "boolean", default: false },
        "no-demo": { type: "boolean", default: false },
        "graph-url": { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // parseArgs ends some messages with advice for whoever wrote the program.
    const [fault = ""] = error.message.split(/\. |\n/);
    return { reason: `${fault.replace(/\.$/, "")}: ${SEE_USAGE}` };
  }
}

function parsePort(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_532 ? port : null;
}

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && search === "" && hash === "";
}
