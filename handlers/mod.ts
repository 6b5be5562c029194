/**
 * The policy: handlers that keep a link alive.
 *
 * @module
 */

export * from "./adaptive/edge.ts";
export * from "./adaptive/fixed_interval.ts";
export * from "./adaptive/interval_strategy.ts";
export * from "./adaptive/stepwise.ts";
export * from "./adaptive_interval_handler.ts";
export * from "./authentication_handler.ts";
export * from "./browser_events_handler.ts";
export * from "./connection_limit_handler.ts";
export * from "./credentials_handler.ts";
export * from "./errors.ts";
export * from "./heartbeat/engine_io_format.ts";
export * from "./heartbeat/heartbeat.ts";
export * from "./heartbeat/heartbeat_format.ts";
export * from "./heartbeat/message_pack_format.ts";
export * from "./heartbeat/mqtt_format.ts";
export * from "./heartbeat/nats_format.ts";
export * from "./heartbeat/protocol_format.ts";
export * from "./heartbeat/raw_format.ts";
export * from "./heartbeat/web_socket_control_format.ts";
export * from "./heartbeat/xmpp_format.ts";
export * from "./heartbeat_decoder.ts";
export * from "./heartbeat_encoder.ts";
export * from "./heartbeat_responder.ts";
export * from "./idle_state_handler.ts";
export * from "./interval_advice_handler.ts";
export * from "./keep_alive.ts";
export * from "./keep_alive_event.ts";
export * from "./keep_alive_under.ts";
export * from "./length_field_frame_decoder.ts";
export * from "./length_field_frame_encoder.ts";
export * from "./limit_error.ts";
export * from "./message_pack_codec.ts";
export * from "./message_pack_extension.ts";
export * from "./network_identity.ts";
export * from "./probe_handler.ts";
export * from "./protocol_heartbeat_handler.ts";
export * from "./rate_limit_handler.ts";
export * from "./react_native_events_handler.ts";
export * from "./reconnect_handler.ts";
export * from "./session/session_event.ts";
export { SessionRegistry, type SessionRegistryOptions } from "./session/session_registry.ts";
export * from "./session_handler.ts";
export * from "./session_responder.ts";
export * from "./silence_handler.ts";
export * from "./stores/deno_kv_interval_store.ts";
export * from "./stores/indexed_db_interval_store.ts";
export * from "./stores/indexed_db_session_store.ts";
export * from "./stores/interval_store.ts";
export * from "./stores/local_storage_interval_store.ts";
export * from "./stores/local_storage_session_store.ts";
export * from "./stores/memory_interval_store.ts";
export * from "./stores/memory_session_store.ts";
export * from "./stores/session_store.ts";
export * from "./stores/storage_full_error.ts";
export * from "./varint_frame_decoder.ts";
export * from "./varint_frame_encoder.ts";
export * from "./wechat_events_handler.ts";
