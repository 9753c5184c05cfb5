/** One event of a stream, as the wire has it. */
export interface StreamEvent {
  /** Resumes behind this event; empty for one that is no row. */
  id: string;
  event: string;
  data: string;
}

/**
 * Reads a stream of Server-Sent Events to its end. Comments, which keep a connection
 * alive, are passed over.
 */
export async function* readStream(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let next: StreamEvent = { id: "", event: "message", data: "" };
  let lines: string[] = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      const parts = rest.split(/\r\n|\n|\r(?!$)/);
      rest = parts.pop() ?? "";
      for (const line of parts) {
        if (line !== "") {
          take(line, next, lines);
          continue;
        }
        if (lines.length > 0) {
          yield { ...next, data: lines.join("\n") };
        }
        next = { id: "", event: "message", data: "" };
        lines = [];
      }
      if (done) {
        return; // what has no empty line behind it is no event
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // the connection may be gone already
  }
}

function take(line: string, event: StreamEvent, lines: string[]): void {
  const colon = line.indexOf(":");
  const field = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  switch (field) {
    case "id":
      event.id = value;
      break;
    case "event":
      event.event = value;
      break;
    case "data":
      lines.push(value);
      break;
  }
}
