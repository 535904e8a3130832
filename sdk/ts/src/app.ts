/** @bailey/sdk/app: all that the page of an app may use. */
export * from "./gen/app.js";
export { errorCodes } from "./gen/codes.js";
export { BaileyError, asError, type ErrorCode } from "./error.js";
export type { Grant, Kind, Permission } from "./grant.js";
export { changed, requestGrants, type Permissions, type Picked, type RequestOptions, type Want } from "./permissions.js";
export { pageCore } from "./transport.js";
export type { CallOptions, Core } from "./call.js";
export * as index from "./gen/bailey/index/v1/index_pb.js";
export * as engine from "./gen/bailey/engine/v1/engine_pb.js";
export * as model from "./gen/bailey/model/v1/model_pb.js";
export { Role, type Model } from "./gen/bailey/model/v1/types_pb.js";
export * as store from "./gen/bailey/store/v1/store_pb.js";
export * as surface from "./gen/bailey/surface/v1/surface_pb.js";
export { Outcome } from "./gen/bailey/core/v1/core_pb.js";
export { State } from "./gen/bailey/grant/v1/grant_pb.js";
