/** What the simulator keeps of this phone, and what the page may ask of it. */
export function createPhone(waId, onChange) {
  let state = { customer: { waId, name: "", display: `+${waId}` }, businesses: [], chats: [] };
  const typing = new Map();
  const root = `/_phone/${waId}`;

  async function load() {
    state = await ask(root);
    onChange();
  }

  function take({ kind, phone_number_id: business, message }) {
    if (kind === "typing") return startTyping(business);
    stopTyping(business);
    let chat = state.chats.find((one) => one.phone_number_id === business);
    if (!chat) state.chats.push(chat = { phone_number_id: business, messages: [] });
    const index = chat.messages.findIndex(({ id }) => id === message.id);
    if (index < 0) chat.messages.push(message);
    else chat.messages[index] = message;
    // A number that the simulator has met only now has a name to be asked for.
    if (state.businesses.some((one) => one.phone_number_id === business)) onChange(business);
    else load();
  }

  /** Meta shows "typing" until the answer comes, for 25 seconds at most. */
  function startTyping(business) {
    clearTimeout(typing.get(business));
    typing.set(business, setTimeout(() => stopTyping(business), 25_000));
    onChange(business);
  }

  function stopTyping(business) {
    clearTimeout(typing.get(business));
    if (typing.delete(business)) onChange(business);
  }

  function connect() {
    const events = new EventSource(`${root}/events`);
    // Also after a connection was lost: what happened meanwhile is in the state.
    events.onopen = load;
    events.onmessage = ({ data }) => take(JSON.parse(data));
    return () => events.close();
  }

  return {
    connect,
    customer: () => state.customer,
    businesses: () => state.businesses,
    messages: (business) =>
      state.chats.find((one) => one.phone_number_id === business)?.messages ?? [],
    chats: () => state.chats,
    isTyping: (business) => typing.has(business),
    send: (business, message) => ask(`${root}/${business}/messages`, "POST", message),
    async sendPicture(business, file, message) {
      const { id } = await upload(`${root}/${business}/media`, file);
      return ask(`${root}/${business}/messages`, "POST", {
        ...message,
        type: "image",
        image: { id },
      });
    },
    opened: (business) => ask(`${root}/${business}/opened`, "POST"),
    async change(patch) {
      await ask(root, "PATCH", patch);
      await load();
    },
    retry: () => ask("/_phone/retry", "POST"),
  };
}

async function ask(path, method = "GET", body = undefined) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  return answerOf(response);
}

async function upload(path, file) {
  const headers = { "content-type": file.type };
  return answerOf(await fetch(path, { method: "POST", headers, body: file }));
}

async function answerOf(response) {
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `The simulator answered ${response.status}.`);
  return answer;
}
