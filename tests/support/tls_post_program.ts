/**
 * Calls an endpoint as wa-callbacks does, in a process of its own, since a process decides at its start
 * whom it trusts. Its argument is {url, address}: every name leads to this address. Prints the result.
 */
import { runtime } from "../../supabase/functions/_shared/runtime.ts";
import { createPost } from "../../supabase/functions/wa-callbacks/post.ts";

const { url, address } = JSON.parse(Deno.args[0]!);
const resolve = () => Promise.resolve([address]);
const post = createPost({ ...runtime, resolve, reach: "any" });
// deno-lint-ignore no-console -- whoever started this program reads what came of the call
console.log(JSON.stringify(await post(url, { "webhook-id": "evt_1" }, '{"a":1}')));
