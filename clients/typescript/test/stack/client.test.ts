import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { test } from "node:test";
import { promisify } from "node:util";

import { type Submission, type TranscodeEvent, WeirClient, WeirError } from "../../src/index.js";

/** The stack that the tests run against; without one there is nothing to test. */
function setting(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run the tests by \`make test\``);
  return value;
}

const url = setting("WEIR_URL");
const weir = new WeirClient({ url, token: setting("WEIR_TOKEN") });
const run = promisify(execFile);

function submission(externalID: string, source = setting("SOURCE_URL")): Submission {
  return {
    external_id: externalID,
    source: { url: source },
    output: { url: setting("OUTPUT_URL") },
    callback_url: setting("CALLBACK_URL"),
    profiles: [{ name: "360p", width: 640, height: 360, bitrate: 800_000 }],
  };
}

async function refused(call: Promise<unknown>): Promise<WeirError> {
  const error: unknown = await call.then(
    () => assert.fail("it was not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof WeirError, String(error));
  return error;
}

test("a transcode is asked for, followed and read", async () => {
  const asked = await weir.create(submission("client-1"));
  assert.equal((await weir.create(submission("client-1"))).id, asked.id);
  const events: TranscodeEvent[] = [];
  const ended = await weir.wait(asked.id, { onEvent: (event) => events.push(event) });
  assert.equal(ended.state, "succeeded", JSON.stringify(ended.error));
  assert.ok(ended.renditions.every((rendition) => rendition.state === "ok"));
  const types = events.map((event) => event.type);
  assert.equal(types.at(-1), "end");
  assert.ok(types.includes("transcode.succeeded"), String(types));
  const ids = events.filter((event) => event.id !== "").map((event) => event.id);
  assert.equal(new Set(ids).size, ids.length, "an event came twice");

  const first = ids[0];
  assert.ok(first);
  const rest: string[] = [];
  for await (const event of weir.events(asked.id, { lastEventId: first })) {
    if (event.id !== "") {
      rest.push(event.id);
    }
  }
  assert.deepEqual(rest, ids.slice(1));

  const listed = [];
  for await (const transcode of weir.all({ external_id: "client-1", limit: 1 })) {
    listed.push(transcode.id);
  }
  assert.deepEqual(listed, [asked.id]);
});

test("what can't be is refused with the field's name", async () => {
  const wrong = await refused(weir.create({ ...submission("client-2"), source: { url: "s3://bucket/folder/" } }));
  assert.equal(wrong.status, 422);
  assert.equal(wrong.fields[0]?.location, "body.source.url");
  assert.equal(wrong.retriable, false);
  assert.equal((await refused(weir.get("00000000-0000-0000-0000-000000000000"))).status, 404);
  assert.equal((await refused(new WeirClient({ url, token: "none" }).list())).status, 401);
});

test("a failed transcode is retried, and cancelled", async () => {
  const missing = `${setting("SOURCE_URL")}-missing`;
  const asked = await weir.create(submission("client-3", missing));
  const ended = await weir.wait(asked.id);
  assert.equal(ended.state, "failed");
  assert.ok(ended.error?.code);
  const again = await weir.retry(asked.id);
  assert.notEqual(again.state, "failed");
  const cancelled = await weir.cancel(asked.id);
  assert.ok(["cancelled", "failed"].includes(cancelled.state), cancelled.state);
});

test("who waits can stop", async () => {
  const stop = new AbortController();
  const events = weir.allEvents({ signal: stop.signal })[Symbol.asyncIterator]();
  const next = events.next();
  stop.abort(new Error("enough"));
  await assert.rejects(next);
});

test("CommonJS has the same", () => {
  const required = createRequire(import.meta.url)("weir-client") as Record<string, unknown>;
  assert.equal(typeof required["WeirClient"], "function");
  assert.equal(typeof required["verifyWebhook"], "function");
});

test("the examples of the README run", async () => {
  const env = { ...process.env, TASK_ID: "client-readme", WEBHOOK_SECRET: "a secret" };
  for (const example of ["transcode", "problem", "follow"]) {
    const { stdout } = await run("node", [`build/examples/${example}.js`], { env });
    assert.notEqual(stdout, "", example);
  }
  process.env["WEBHOOK_SECRET"] = "a secret";
  const file = new URL("../../examples/receive.js", import.meta.url);
  const { receive } = (await import(file.href)) as { receive(request: Request): Promise<Response> };
  const body = '{"status":"success","event_id":"e1"}';
  const stamp = Math.floor(Date.now() / 1000);
  const sum = createHmac("sha256", "a secret").update(`${stamp}.${body}`).digest("hex");
  const deliver = async (signature: string): Promise<number> =>
    (await receive(new Request("http://studio.test/", { method: "POST", body, headers: { "Weir-Signature": signature } }))).status;
  assert.equal(await deliver(`t=${stamp},v1=${sum}`), 204);
  assert.equal(await deliver(`t=${stamp},v1=${"0".repeat(64)}`), 401);
});
