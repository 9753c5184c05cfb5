import assert from "node:assert/strict";
import { test } from "node:test";

import { readStream, type StreamEvent } from "../src/sse.js";

async function read(...chunks: Uint8Array[]): Promise<StreamEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      chunks.forEach((chunk) => controller.enqueue(chunk));
      controller.close();
    },
  });
  const events: StreamEvent[] = [];
  for await (const event of readStream(body)) {
    events.push(event);
  }
  return events;
}

const text = ': hello\r\nretry: 500\r\n\r\nid: 7\r\nevent: transcode.started\r\ndata: {"a":\r\ndata: "ö"}\r\n\r\n:\n\nevent:end\ndata:{}\n\nid: 9\ndata: cut o';
const want: StreamEvent[] = [
  { id: "7", event: "transcode.started", data: '{"a":\n"ö"}' },
  { id: "", event: "end", data: "{}" },
];

test("events are read, and what is no event is passed over", async () => {
  assert.deepEqual(await read(new TextEncoder().encode(text)), want);
});

test("where the chunks end makes no difference", async () => {
  const bytes = new TextEncoder().encode(text);
  for (let cut = 1; cut < bytes.length; cut++) {
    assert.deepEqual(await read(bytes.slice(0, cut), bytes.slice(cut)), want, `cut at ${cut}`);
  }
  assert.deepEqual(await read(...Array.from(bytes, (byte) => Uint8Array.of(byte))), want);
});
