/**
 * The mechanism: channels, pipelines, event loops, and how events move.
 *
 * @module
 */

export * from "./bootstrap.ts";
export * from "./channel.ts";
export * from "./channel_handler.ts";
export * from "./channel_handler_context.ts";
export * from "./channel_pipeline.ts";
export * from "./channel_promise.ts";
export * from "./control_frame.ts";
export * from "./embedded_channel.ts";
export * from "./errors.ts";
export * from "./event_loop.ts";
export * from "./link_event.ts";
export * from "./peer_error.ts";
export * from "./server_bootstrap.ts";
export * from "./system_event_loop.ts";
export * from "./transport.ts";
export * from "./virtual_event_loop.ts";
