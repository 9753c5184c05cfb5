/** Why a delivery is not to be believed. */
export type WebhookProblem = "malformed" | "expired" | "unsigned" | "wrong";

/** A delivery that must not be believed: answer it with 401, and do nothing. */
export class WebhookError extends Error {
  readonly problem: WebhookProblem;

  constructor(problem: WebhookProblem, message: string) {
    super(message);
    this.name = "WebhookError";
    this.problem = problem;
  }
}

/** Headers as Fetch, Node, Express or a plain object give them. */
export type HeaderSource = Headers | Record<string, string | readonly string[] | undefined>;

export interface Delivery {
  headers: HeaderSource;
  /** The body's very bytes, or its text: JSON that was parsed and written again does not fit. */
  body: Uint8Array | string;
}

export interface VerifyOptions {
  /** Seconds that a signature's time may be from now: 300 where it is not given. */
  tolerance?: number;
  /** Unix seconds, for tests. */
  now?: number;
}

const tolerance = 300;
const prefix = "whsec_";

/**
 * Verifies a delivery and returns its message. It looks at `webhook-signature` (Standard
 * Webhooks) where there is one, and else at `Weir-Signature`. Give two secrets while one
 * replaces the other. Throws [[WebhookError]].
 *
 * Deliveries come at least once: drop a terminal message whose `event_id` you have seen.
 */
export async function verifyWebhook<Message = unknown>(
  delivery: Delivery,
  secrets: string | readonly string[],
  options: VerifyOptions = {},
): Promise<Message> {
  const body = typeof delivery.body === "string" ? new TextEncoder().encode(delivery.body) : delivery.body;
  const read = (name: string): string | undefined => header(delivery.headers, name);
  const all = typeof secrets === "string" ? [secrets] : secrets;
  const standard = read("webhook-signature");
  const own = read("weir-signature");
  const now = options.now ?? Date.now() / 1000;
  const limit = options.tolerance ?? tolerance;
  let good = false;
  if (standard !== undefined) {
    const id = read("webhook-id");
    const stamp = read("webhook-timestamp");
    if (id === undefined || stamp === undefined) {
      throw new WebhookError("malformed", "webhook-signature comes without webhook-id or webhook-timestamp");
    }
    inTime(stamp, now, limit);
    good = await anyFits(all.map(standardKey), signed(`${id}.${stamp}.`, body), standardSums(standard));
  } else if (own !== undefined) {
    const { stamp, sums } = ownSums(own);
    inTime(stamp, now, limit);
    good = await anyFits(all.map((secret) => new TextEncoder().encode(secret)), signed(`${stamp}.`, body), sums);
  } else {
    throw new WebhookError("unsigned", "the delivery has neither webhook-signature nor Weir-Signature");
  }
  if (!good) {
    throw new WebhookError("wrong", "the signature does not fit the body with any of the secrets");
  }
  return JSON.parse(new TextDecoder().decode(body)) as Message;
}

function header(source: HeaderSource, name: string): string | undefined {
  if (source instanceof Headers) {
    return source.get(name) ?? undefined;
  }
  for (const [key, value] of Object.entries(source)) {
    if (key.toLowerCase() === name && value !== undefined) {
      return typeof value === "string" ? value : value[0];
    }
  }
  return undefined;
}

function inTime(stamp: string, now: number, limit: number): void {
  if (!/^\d{1,12}$/.test(stamp)) {
    throw new WebhookError("malformed", "the signature's time is no Unix seconds");
  }
  if (Math.abs(now - Number(stamp)) > limit) {
    throw new WebhookError("expired", `the signature's time is more than ${limit} s from now`);
  }
}

function signed(head: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const start = new TextEncoder().encode(head);
  const whole = new Uint8Array(start.length + body.length);
  whole.set(start);
  whole.set(body, start.length);
  return whole;
}

/** The key of a secret in Standard Webhooks: what stands behind whsec_ is base64. */
function standardKey(secret: string): Uint8Array<ArrayBuffer> {
  return secret.startsWith(prefix) ? base64(secret.slice(prefix.length)) : new TextEncoder().encode(secret);
}

function standardSums(value: string): Uint8Array<ArrayBuffer>[] {
  return value
    .split(" ")
    .filter((part) => part.startsWith("v1,"))
    .map((part) => base64(part.slice("v1,".length)));
}

function ownSums(value: string): { stamp: string; sums: Uint8Array<ArrayBuffer>[] } {
  let stamp = "";
  const sums: Uint8Array<ArrayBuffer>[] = [];
  for (const part of value.split(",")) {
    const [key, field = ""] = part.trim().split("=", 2);
    if (key === "t") {
      stamp = field;
    } else if (key === "v1" && /^[0-9a-f]{64}$/i.test(field)) {
      sums.push(Uint8Array.from(field.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16)));
    }
  }
  if (stamp === "" || sums.length === 0) {
    throw new WebhookError("malformed", "Weir-Signature is not t=<unix seconds>,v1=<64 hex digits>");
  }
  return { stamp, sums };
}

function base64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new WebhookError("malformed", "a secret or a signature is no base64");
  }
}

/** WebCrypto: Node 18 has it in a module alone. */
async function webCrypto(): Promise<SubtleCrypto> {
  const known = (globalThis as { crypto?: Crypto }).crypto;
  return (known ?? ((await import("node:crypto" as string)) as { webcrypto: Crypto }).webcrypto).subtle;
}

async function anyFits(
  keys: readonly Uint8Array<ArrayBuffer>[],
  text: Uint8Array<ArrayBuffer>,
  sums: readonly Uint8Array<ArrayBuffer>[],
): Promise<boolean> {
  const subtle = await webCrypto();
  let good = false;
  for (const bytes of keys) {
    if (bytes.length === 0) {
      continue; // an empty secret fits nothing
    }
    const key = await subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    for (const sum of sums) {
      good = (await subtle.verify("HMAC", key, sum, text)) || good; // compares in constant time
    }
  }
  return good;
}
