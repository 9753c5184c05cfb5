import type { components, operations } from "./openapi.js";
import { WeirError } from "./problem.js";
import { readStream } from "./sse.js";

/** A transcode as the API shows it. */
export type Transcode = components["schemas"]["Transcode"];
/** What is asked for. */
export type Submission = components["schemas"]["Submission"];
/** Which transcodes a list holds. */
export type ListFilter = NonNullable<operations["list-transcodes"]["parameters"]["query"]>;
/** A page of a list, newest first. */
export type TranscodePage = components["schemas"]["TranscodePage"];

/** The states that a transcode stays in. */
export const endStates = ["succeeded", "failed", "cancelled"] as const;

/** Something that happened to a transcode. */
export interface TranscodeEvent {
  /** Resumes behind this event; empty for progress, which is never told twice. */
  id: string;
  /** As `transcode.started`; `progress` and `end` are the stream's own. */
  type: string;
  data: unknown;
}

export interface ClientOptions {
  /** Where Weir's API is, as https://weir.example. */
  url: string;
  /** The tenant's token. */
  token: string;
  /** Milliseconds until a request without an answer is given up: 30,000 where it is not given. */
  timeout?: number;
  /** Another fetch, for tests and proxies. */
  fetch?: typeof fetch;
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface EventOptions extends CallOptions {
  /** The id of the last event seen: the stream goes on behind it. */
  lastEventId?: string;
}

export interface WaitOptions extends CallOptions {
  /** Called with every event on the way. */
  onEvent?: (event: TranscodeEvent) => void;
}

const requestTimeout = 30_000;
/** Between two tries to come back to a stream that broke: grows from the first to the last. */
const firstPause = 500;
const lastPause = 15_000;

/** A client of Weir's API. It keeps nothing, and may be used by any number at once. */
export class WeirClient {
  readonly #url: string;
  readonly #token: string;
  readonly #timeout: number;
  readonly #fetch: typeof fetch;

  constructor(options: ClientOptions) {
    this.#url = options.url.replace(/\/+$/, "");
    this.#token = options.token;
    this.#timeout = options.timeout ?? requestTimeout;
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  }

  /**
   * Asks for a transcode. With an `external_id` it is safe to repeat: the same request is
   * answered by the first one's transcode. Throws [[WeirError]].
   */
  async create(submission: Submission, options: CallOptions = {}): Promise<Transcode> {
    return this.#call("POST", "/v1/transcodes", options, submission);
  }

  /** A transcode by its id. */
  async get(id: string, options: CallOptions = {}): Promise<Transcode> {
    return this.#call("GET", `/v1/transcodes/${encodeURIComponent(id)}`, options);
  }

  /** One page; its `next` is the `page` of the one behind it. */
  async list(filter: ListFilter = {}, options: CallOptions = {}): Promise<TranscodePage> {
    return this.#call("GET", `/v1/transcodes${query(filter)}`, options);
  }

  /** All that fit, page by page as they are read. */
  async *all(filter: ListFilter = {}, options: CallOptions = {}): AsyncGenerator<Transcode> {
    let page = filter;
    for (;;) {
      const { items, next } = await this.list(page, options);
      yield* items;
      if (!next) {
        return;
      }
      page = { ...filter, page: next };
    }
  }

  /** Cancels a transcode; one that was cancelled before is left as it is. */
  async cancel(id: string, options: CallOptions = {}): Promise<Transcode> {
    return this.#call("POST", `/v1/transcodes/${encodeURIComponent(id)}/cancel`, options);
  }

  /** Starts a failed transcode anew, as a run of its own with a callback of its own. */
  async retry(id: string, options: CallOptions = {}): Promise<Transcode> {
    return this.#call("POST", `/v1/transcodes/${encodeURIComponent(id)}/retry`, options);
  }

  /**
   * What happens to a transcode, to its end. A connection that breaks is made anew
   * behind the last event: each event with an id comes once.
   */
  events(id: string, options: EventOptions = {}): AsyncGenerator<TranscodeEvent> {
    return this.#follow(`/v1/transcodes/${encodeURIComponent(id)}/events`, options);
  }

  /** What happens to all of the tenant's transcodes, until the reader stops. */
  allEvents(options: EventOptions = {}): AsyncGenerator<TranscodeEvent> {
    return this.#follow("/v1/events", options);
  }

  /** Waits for a transcode's end, and returns it as it ended: `failed` is no error of the call. */
  async wait(id: string, options: WaitOptions = {}): Promise<Transcode> {
    for await (const event of this.events(id, options)) {
      options.onEvent?.(event);
    }
    return this.get(id, options);
  }

  async *#follow(path: string, options: EventOptions): AsyncGenerator<TranscodeEvent> {
    let last = options.lastEventId ?? "";
    let pause = firstPause;
    for (;;) {
      try {
        const answer = await this.#stream(path, last, options.signal);
        for await (const { id, event, data } of readStream(answer)) {
          pause = firstPause;
          if (id !== "") {
            last = id;
          }
          yield { id, type: event, data: parsed(data) };
          if (event === "end") {
            return;
          }
        }
      } catch (error) {
        options.signal?.throwIfAborted();
        if (error instanceof WeirError && !error.retriable) {
          throw error;
        }
        if (!(error instanceof WeirError) && !(error instanceof TypeError)) {
          throw error; // fetch tells of a broken connection by a TypeError
        }
      }
      await sleep(pause, options.signal);
      pause = Math.min(2 * pause, lastPause);
    }
  }

  async #stream(path: string, last: string, signal: AbortSignal | undefined): Promise<ReadableStream<Uint8Array>> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.#token}`, Accept: "text/event-stream" };
    if (last !== "") {
      headers["Last-Event-ID"] = last;
    }
    const answer = await this.#fetch(this.#url + path, { headers, signal: signal ?? null });
    if (!answer.ok) {
      throw await WeirError.of(answer);
    }
    if (answer.body === null) {
      throw new WeirError(answer.status, "the stream of events has no body", [], undefined);
    }
    return answer.body;
  }

  async #call<Answer>(method: string, path: string, options: CallOptions, body?: unknown): Promise<Answer> {
    const limit = AbortSignal.timeout(this.#timeout);
    const headers: Record<string, string> = { Authorization: `Bearer ${this.#token}`, Accept: "application/json" };
    const init: RequestInit = { method, headers, signal: options.signal ? either(options.signal, limit) : limit };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    const answer = await this.#fetch(this.#url + path, init);
    if (!answer.ok) {
      throw await WeirError.of(answer);
    }
    return (await answer.json()) as Answer;
  }
}

function query(filter: object): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(filter as Record<string, unknown>)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) {
        parameters.append(name, String(one));
      }
    }
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

/** AbortSignal.any, which Node has from 20.3 on. */
function either(one: AbortSignal, other: AbortSignal): AbortSignal {
  const both = new AbortController();
  for (const signal of [one, other]) {
    if (signal.aborted) {
      both.abort(signal.reason);
    }
    signal.addEventListener("abort", () => both.abort(signal.reason), { once: true, signal: both.signal });
  }
  return both.signal;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return data;
  }
}

async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
