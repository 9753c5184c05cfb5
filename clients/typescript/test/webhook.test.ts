import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";

import { verifyWebhook, WebhookError, type WebhookProblem } from "../src/index.js";

const body = '{"status":"success","event_id":"e1","error":"größer"}';
const now = 1_795_356_725;
const secret = "a secret of the tenant";
const key = randomBytes(24);
const standardSecret = `whsec_${key.toString("base64")}`;

function own(with_: string, stamp = now): string {
  return `t=${stamp},v1=${createHmac("sha256", with_).update(`${stamp}.${body}`).digest("hex")}`;
}

function standard(with_: Buffer, id = "e1", stamp = now): Record<string, string> {
  const sum = createHmac("sha256", with_).update(`${id}.${stamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(stamp), "webhook-signature": `v1,${sum}` };
}

function refused(problem: WebhookProblem): (error: unknown) => boolean {
  return (error) => error instanceof WebhookError && error.problem === problem;
}

test("a delivery that was signed is believed", async () => {
  const headers = { "Weir-Signature": own(secret) };
  const message = await verifyWebhook<{ error: string }>({ headers, body }, secret, { now });
  assert.equal(message.error, "größer");
  await verifyWebhook({ headers: new Headers(headers), body: new TextEncoder().encode(body) }, [secret], { now });
  await verifyWebhook({ headers: standard(key), body }, standardSecret, { now });
  await verifyWebhook({ headers: { ...standard(key), ...headers }, body }, standardSecret, { now });
});

test("two secrets are good while one replaces the other", async () => {
  await verifyWebhook({ headers: { "weir-signature": own(secret) }, body }, ["new", secret], { now });
  const twice = standard(key);
  twice["webhook-signature"] = `v1,${randomBytes(32).toString("base64")} ${twice["webhook-signature"]} v1a,other`;
  await verifyWebhook({ headers: twice, body }, ["new", standardSecret], { now });
});

test("what is not to be believed is refused, with the reason", async () => {
  const cases: [string, Record<string, string>, string, string[], WebhookProblem][] = [
    ["no signature", {}, body, [secret], "unsigned"],
    ["another secret", { "weir-signature": own("other") }, body, [secret], "wrong"],
    ["another body", { "weir-signature": own(secret) }, `${body} `, [secret], "wrong"],
    ["an empty secret", { "weir-signature": own("") }, body, [""], "wrong"],
    ["an old one", { "weir-signature": own(secret, now - 301) }, body, [secret], "expired"],
    ["one of tomorrow", { "weir-signature": own(secret, now + 301) }, body, [secret], "expired"],
    ["no time", { "weir-signature": own(secret).replace(/^t=\d+,/, "") }, body, [secret], "malformed"],
    ["no sum", { "weir-signature": `t=${now}` }, body, [secret], "malformed"],
    ["another id", { ...standard(key), "webhook-id": "e2" }, body, [standardSecret], "wrong"],
    ["no id", { "webhook-signature": standard(key)["webhook-signature"] ?? "" }, body, [standardSecret], "malformed"],
    ["no base64", { ...standard(key), "webhook-signature": "v1,%%%" }, body, [standardSecret], "malformed"],
  ];
  for (const [name, headers, sent, secrets, problem] of cases) {
    await assert.rejects(verifyWebhook({ headers, body: sent }, secrets, { now }), refused(problem), name);
  }
});
