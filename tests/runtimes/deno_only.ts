/** The tests that do not run everywhere, and why. */

/** What runs the tests here. */
export type Runtime = "node" | "bun";

/** Tests that are skipped. */
export interface DenoOnly {
  /** The name of the test; or how the names of several begin, before a `*`; or what fits several. */
  readonly test: string | RegExp;
  readonly reason: string;
  /** Where; default: both. */
  readonly runtime?: Runtime;
  /** The global that they need; where it is there, they run. */
  readonly needs?: string;
}

const OTHER_PROCESS = "starts a second Deno process";
const ERROR_EVENT = "watches the error event, which only Deno and browsers have";
// In Bun these listen with Bun.serve.
const DENO_SERVE = { reason: "listens with Deno.serve", runtime: "node" } as const;
const WEB_STORAGE = { reason: "there is no sessionStorage", needs: "sessionStorage" };
const WEB_SOCKET = { reason: "there is no WebSocket class", needs: "WebSocket" };
const PAGES = "keeps the time of a browser's page";
const PAUSED = "Bun's ws cannot stop to read, so the server answers all the same";

/** Files whose tests cannot even be listed elsewhere, and why. */
export const DENO_ONLY_FILES: Readonly<Record<string, string>> = {
  "tests/handlers/stores/redis_interval_store_test.ts": "start redis-server with Deno.Command",
  "tests/handlers/stores/redis_session_store_test.ts": "start redis-server with Deno.Command",
};

export const DENO_ONLY: readonly DenoOnly[] = [
  { test: "Channel keeps what onUnhandled throws away from its pipeline and its link", reason: ERROR_EVENT },
  { test: "ChannelPromise reports what a listener throws, and calls the others", reason: ERROR_EVENT },
  { test: "SystemEventLoop lets the process go once nothing is pending", reason: OTHER_PROCESS },
  {
    test: "FileSessionStore keeps what it passed for when its process is killed at any moment",
    reason: OTHER_PROCESS,
  },
  { test: "LocalStorageIntervalStore(sessionStorage)*", ...WEB_STORAGE },
  { test: "LocalStorageSessionStore(sessionStorage)*", ...WEB_STORAGE },
  { test: "WebSocket of Deno *", reason: "is about Deno's own WebSocket" },
  {
    test: "webSocket() sends protocols and headers with the class of Deno",
    reason: "needs Deno's WebSocket class",
    runtime: "node",
  },
  { test: "webSocket() in Deno *", ...DENO_SERVE },
  { test: "webSocket() with the server of Deno *", ...DENO_SERVE },
  { test: "webSocket() with the server of ws answers *", ...WEB_SOCKET },
  { test: "webSocket() listens on wss:// in Deno, and only there", ...DENO_SERVE },
  {
    test: "KeepAliveWebSocket over ws fires events of the right classes",
    reason: "there is no CloseEvent",
    needs: "CloseEvent",
  },
  {
    test: "KeepAliveWebSocket asks with control frames where the class can send them",
    reason: PAUSED,
    runtime: "bun",
  },
  { test: /^KeepAliveWebSocket (has the whole keep-alive|outlives its links)/, ...DENO_SERVE },
  { test: /^KeepAliveWebSocket (?!over ws|asks with control)/, ...WEB_SOCKET },
  { test: "workerTimerHost*", reason: PAGES },
  { test: "The WeChat example of the docs runs *", reason: OTHER_PROCESS },
  { test: "weChat() and weChatEvents() take the wx of WeChat's own typings, *", reason: OTHER_PROCESS },
  {
    test: "reactNativeEvents() takes React Native's AppState and the community's NetInfo",
    reason: OTHER_PROCESS,
  },
];

/** The entry of the list that a test falls under in that runtime. */
export function denoOnly(name: string, runtime: Runtime): DenoOnly | undefined {
  return DENO_ONLY.find(({ test, runtime: where = runtime }) => {
    if (where !== runtime) return false;
    if (test instanceof RegExp) return test.test(name);
    return test.endsWith("*") ? name.startsWith(test.slice(0, -1)) : name === test;
  });
}

/** Whether it is skipped in this process. */
export function isMissing({ needs }: DenoOnly): boolean {
  return needs === undefined || !(needs in globalThis);
}
