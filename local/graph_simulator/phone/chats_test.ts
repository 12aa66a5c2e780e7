import { strict as assert } from "node:assert";
import { type ChatMessage, createChats } from "./chats.ts";

const aMessage = (id: string): ChatMessage => ({
  id,
  direction: "from_business",
  at: 0,
  type: "text",
  content: { body: id },
  context_id: null,
  tick: "accepted",
  error: null,
  reactions: {},
  timeline: [],
});

Deno.test("a chat keeps its last hundred messages", () => {
  const chats = createChats();
  for (let index = 0; index < 150; index++) chats.add("c", "b", aMessage(String(index)));
  const [chat] = chats.of("c");
  assert.equal(chat?.messages.length, 100);
  assert.equal(chat?.messages[0]?.id, "50");
});

Deno.test("a million recipients do not all stay", () => {
  const chats = createChats();
  for (let index = 0; index < 5_000; index++) chats.add(String(index), "b", aMessage("m"));
  assert.equal(chats.of("0").length, 0);
  assert.equal(chats.of("4999").length, 1);
});

Deno.test("a change to a message that was forgotten does nothing", () => {
  const chats = createChats();
  chats.change("c", "b", "m", () => assert.fail("changed"));
});

Deno.test("a listener hears of its own phone only, until it stops listening", () => {
  const chats = createChats();
  const heard: string[] = [];
  const stop = chats.listen("c", (event) => heard.push(event.kind));
  chats.add("c", "b", aMessage("1"));
  chats.add("other", "b", aMessage("2"));
  chats.typing("c", "b");
  stop();
  chats.add("c", "b", aMessage("3"));
  assert.deepEqual(heard, ["message", "typing"]);
});
