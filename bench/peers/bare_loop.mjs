// No queue at all: what is lost when this process dies is lost.
import { contend, given } from "./contest.mjs";
import { callGraph, messageOf } from "./graph_call.mjs";

async function sendAll(count) {
  let next = 0;
  const work = async () => {
    while (next < count) await callGraph(given.graph_url, messageOf(next++));
  };
  await Promise.all(Array.from({ length: given.settings.concurrency }, work));
}

await contend({
  prepare: () => sendAll(given.warm_up),
  run: () => sendAll(given.messages),
});
