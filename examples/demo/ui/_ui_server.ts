/**
 * A chat server, a NAT in front of it, and the page whose client is behind that.
 *
 * @module
 */

import {
  answerKeepAlive,
  type EventLoop,
  ServerBootstrap,
  SessionRegistry,
  systemEventLoop,
} from "../../../mod.ts";
import { webSocket } from "../../../pipeline/transports/web_socket.ts";
import { ChatServer } from "../../../cli/chat_server.ts";
import { type NatBox, startNatBox } from "../../../tests/lab/nat_box.ts";
import { randomFrom } from "../_demo.ts";
import { scaleOf, serverOptions } from "../_scaled.ts";
import { pageFiles } from "./_bundle.ts";
import type { Begin, NatSettings } from "./_messages.ts";
import { servePage } from "./_page_server.ts";

/** What the page's demo is made with. */
export interface UiOptions extends NatSettings {
  readonly strategy: string;
  /** Of the moments of the pushes. */
  readonly seed: number;
}

/** A running demo. */
export interface RunningUi extends AsyncDisposable {
  /** Where the page is. */
  readonly url: string;
}

/** Starts all three, on loopback. */
export async function startUi(options: UiOptions): Promise<RunningUi> {
  const loop = systemEventLoop();
  const files = await pageFiles();
  const chat = new ChatServer();
  const scale = scaleOf(options.natTimeoutMs);
  const sessions = new SessionRegistry();
  await using stack = new AsyncDisposableStack();
  const server = stack.use(
    await new ServerBootstrap({
      transport: webSocket(),
      pipeline: (p) => p.addLast(...answerKeepAlive({ ...serverOptions(scale), sessions }), chat.handler()),
      onUnhandled: () => {},
    }).listen("ws://127.0.0.1:0"),
  );
  let settings: NatSettings = { natTimeoutMs: options.natTimeoutMs, mode: options.mode };
  const nat: NatBox = stack.use(
    await startNatBox({
      listen: "tcp://127.0.0.1:0",
      target: server.address.replace(/^ws:/, "tcp:"),
      ...settings,
    }),
  );
  const begin = (): Begin => ({
    type: "begin",
    linkUrl: nat.address.replace(/^tcp:/, "ws:"),
    strategy: options.strategy,
    scale,
    settings,
  });
  const page = stack.use(servePage({
    files,
    begin,
    onCut: () => nat.cut(),
    onSettings: (wanted) => {
      nat.change(wanted);
      settings = wanted;
      page.tell({ type: "settings", settings });
    },
  }));
  const push = () => {
    const sentMs = loop.wallNow();
    const n = chat.push();
    if (n !== undefined) page.tell({ type: "push", n, sentMs });
  };
  stack.defer(pushNowAndThen(loop, randomFrom(options.seed), () => settings.natTimeoutMs, push));
  const all = stack.move();
  return { url: page.url, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/**
 * Pushes at random moments, one to three at a time, mostly after a silence that
 * is a little longer than the NAT allows: evenly spread ones would give the
 * client few whole silences to learn from.
 *
 * @returns A function that ends it.
 */
function pushNowAndThen(
  loop: EventLoop,
  random: () => number,
  natTimeoutMs: () => number,
  push: () => void,
): () => void {
  const wait = () => {
    const share = random() < 0.15 ? 0.2 + 0.5 * random() : 1.1 + 0.35 * random();
    return loop.schedule(share * natTimeoutMs(), () => {
      for (let left = 1 + Math.floor(3 * random()); left > 0; left--) push();
      timer = wait();
    });
  };
  let timer = wait();
  return () => timer.cancel();
}
