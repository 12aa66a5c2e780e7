/** The Data API of one database in a process of its own, without the gateway before it. */
import { startDataApi } from "../../local/data_api/data_api.ts";

const [options] = Deno.args;
const api = await startDataApi(JSON.parse(options!));

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  // deno-lint-ignore no-console -- whoever started this program reads where it listens
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
}, (request) => api.fetch(request));
