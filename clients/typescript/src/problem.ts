import type { components } from "./openapi.js";

/** What is wrong with one field of a request. */
export type FieldProblem = components["schemas"]["ErrorDetail"];

/**
 * An answer that is no success: Weir's problem document (RFC 9457), or what stood in
 * its place where something between answered. Branch on `status`, never on words.
 */
export class WeirError extends Error {
  /** The HTTP status. */
  readonly status: number;
  /** The fields that were refused, each with its place in the request. */
  readonly fields: readonly FieldProblem[];
  /** How many seconds to wait before another try, where the answer says so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, detail: string, fields: readonly FieldProblem[], retryAfter: number | undefined) {
    const told = fields.map((field) => `${field.location ?? "request"}: ${field.message ?? ""}`);
    super([`Weir answered ${status}: ${detail}`, ...told].join("; "));
    this.name = "WeirError";
    this.status = status;
    this.fields = fields;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later: the queue is full, or Weir is in trouble. */
  get retriable(): boolean {
    return this.status === 429 || this.status >= 500;
  }

  /** Reads an answer that is no success. */
  static async of(answer: Response): Promise<WeirError> {
    const text = await answer.text().catch(() => "");
    let detail = text.slice(0, 200) || answer.statusText;
    let fields: FieldProblem[] = [];
    try {
      const problem = JSON.parse(text) as components["schemas"]["ErrorModel"];
      detail = problem.detail ?? problem.title ?? detail;
      fields = problem.errors ?? [];
    } catch {
      // Not Weir's: its beginning has to do.
    }
    const seconds = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
    return new WeirError(answer.status, detail, fields, Number.isNaN(seconds) ? undefined : seconds);
  }
}
