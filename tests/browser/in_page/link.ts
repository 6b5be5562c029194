/**
 * A page with one link. Its address says where to and how:
 * `?server=ws://...&timers=worker|page&interval=ms`.
 *
 * @module
 */

import {
  AdaptiveIntervalHandler,
  Bootstrap,
  BrowserEventsHandler,
  fixedInterval,
  keepAlive,
  SystemEventLoop,
} from "../../../mod.ts";
import { webSocket } from "../../../pipeline/transports/web_socket.ts";
import { workerTimerHost } from "../../../pipeline/worker_timers.ts";

const query = new URLSearchParams(location.search);
const intervalMs = Number(query.get("interval") ?? 60_000);
const warnings: string[] = [];
const host = query.get("timers") === "worker"
  ? workerTimerHost({
    onFallback: ({ name, reason, message }) => warnings.push(`${name} ${reason}: ${message}`),
  })
  : undefined;
const loop = new SystemEventLoop({ host });
const events: { readonly atMs: number; readonly [field: string]: unknown }[] = [];
const note = (event: object) => void events.push({ atMs: Math.round(performance.now()), ...event });

for (const type of ["freeze", "resume", "visibilitychange"]) {
  document.addEventListener(type, () => note({ type: `page ${type}` }));
}
addEventListener("pagehide", ({ persisted }) => note({ type: "page pagehide", persisted }));
addEventListener("pageshow", ({ persisted }) => note({ type: "page pageshow", persisted }));

const handler: { adaptive?: AdaptiveIntervalHandler } = {};
Object.assign(globalThis, {
  link: {
    events,
    warnings,
    snapshot: () => handler.adaptive?.snapshot(),
    isWorkerRunning: () => host?.isWorkerRunning,
    has: (type: string, state?: string) =>
      events.some((event) => event.type === type && (state === undefined || event.state === state)),
  },
});

await new Bootstrap({
  transport: webSocket(),
  loop,
  pipeline: (p) => {
    p.addLast(
      ...keepAlive({ strategy: fixedInterval(intervalMs), foregroundIntervalMs: intervalMs, warmUpBeats: 1 }),
      new BrowserEventsHandler(),
      { userEventTriggered: (_context, event) => note(event as object) },
    );
    handler.adaptive = p.get(AdaptiveIntervalHandler);
  },
}).connect(query.get("server")!);
