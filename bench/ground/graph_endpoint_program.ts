/**
 * Answers like Meta's send endpoint, as cheaply as a server in JavaScript can. GET tells how many calls
 * came; with --record, when each message came as well, by the id that it carries. The senders that
 * --fail=<phone_number_id> name get Meta's "Something went wrong" for every call.
 */
import { pid } from "node:process";

const answer = (wamid: string) =>
  `{"messaging_product":"whatsapp","contacts":[{"input":"+15550200001","wa_id":"15550200001"}],` +
  `"messages":[{"id":"${wamid}"}]}`;
const headers = { "content-type": "application/json" };
const records = Deno.args.includes("--record");
const failing = Deno.args.filter((arg) => arg.startsWith("--fail="))
  .map((arg) => `/${arg.slice("--fail=".length)}/`);
const refusal = {
  error: { message: "(#131000) Something went wrong", code: 131000, fbtrace_id: "AbCdEf" },
};
const arrivals: [id: string, at: number][] = [];
let calls = 0;

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  // deno-lint-ignore no-console -- whoever started this program reads where it listens
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
}, async (request) => {
  if (request.method === "GET") return Response.json({ calls, arrivals });
  if (request.method === "DELETE") {
    arrivals.length = 0;
    calls = 0;
    return new Response(null, { status: 204 });
  }
  const at = Date.now();
  const sent = await request.text();
  if (records) arrivals.push([idOf(sent), at]);
  if (failing.some((part) => request.url.includes(part))) {
    return Response.json(refusal, { status: 500 });
  }
  return new Response(answer(`wamid.${pid}.${++calls}`), { headers });
});

function idOf(sent: string): string {
  return /"biz_opaque_callback_data":"([^"]+)"/.exec(sent)?.[1] ?? "";
}
