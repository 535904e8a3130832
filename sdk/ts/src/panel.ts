/** @bailey/sdk/panel: what Bailey's own panels use. An app's window is refused these. */
export * from "./gen/panel.js";
export { BaileyError, asError, type ErrorCode } from "./error.js";
export { pageCore } from "./transport.js";
export type { CallOptions, Core } from "./call.js";
export * as audit from "./gen/bailey/audit/v1/audit_pb.js";
export * as coreTypes from "./gen/bailey/core/v1/core_pb.js";
export { DecidedBy, State, type ListResponse as GrantRow } from "./gen/bailey/grant/v1/grant_pb.js";
export { Kind as KindNumber } from "./gen/bailey/policy/v1/policy_pb.js";
export * as surface from "./gen/bailey/surface/v1/surface_pb.js";
