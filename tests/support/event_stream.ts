/** One server-sent event as a client has it. */
export interface StreamedEvent {
  event: string;
  id: string | null;
  data: Record<string, unknown>;
}

/** Reads server-sent events one by one; `leave` ends the connection as a client does. */
export function readEvents(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let lastId: string | null = null;

  async function next(): Promise<StreamedEvent | null> {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end >= 0) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        const fields = new Map(
          block.split("\n").map((line) => line.split(": ", 2) as [string, string]),
        );
        lastId = fields.get("id") ?? lastId;
        const told = block.split("\n").find((line) => line.startsWith("data: "));
        if (told === undefined) continue;
        const event = fields.get("event") ?? "message";
        return { event, id: fields.get("id") ?? null, data: JSON.parse(told.slice(6)) };
      }
      const { value, done } = await reader.read();
      if (done) return null;
      text += value;
    }
  }

  return {
    next,
    lastId: () => lastId,
    async take(count: number): Promise<StreamedEvent[]> {
      const events: StreamedEvent[] = [];
      while (events.length < count) {
        const event = await next();
        if (event === null) break;
        events.push(event);
      }
      return events;
    },
    leave: () => reader.cancel(),
  };
}
