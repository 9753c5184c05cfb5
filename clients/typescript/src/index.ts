export * from "./client.js";
export { type FieldProblem, WeirError } from "./problem.js";
export {
  type Delivery,
  type HeaderSource,
  verifyWebhook,
  type VerifyOptions,
  WebhookError,
  type WebhookProblem,
} from "./webhook.js";
export type { components, operations, paths } from "./openapi.js";
