import { assertEquals } from "@std/assert";
import { createContext, runInContext } from "node:vm";
import { WebSocketServer } from "ws";
import { type Channel, ServerBootstrap } from "../../pipeline/mod.ts";
import { webSocket } from "../../pipeline/transports/web_socket.ts";
import { answerKeepAlive, SessionRegistry } from "../../handlers/mod.ts";
import { fakeWx } from "../pipeline/transports/_fake_wx.ts";

const root = new URL("../../", import.meta.url);
/** What docs/react_native_and_wechat.md asks for where the platform lacks it. */
const GLOBALS = ["TextEncoder", "TextDecoder", "AbortController", "performance", "queueMicrotask"] as const;

/** The WeChat example of the docs, as one script. */
async function exampleFor(address: string): Promise<string> {
  const docs = await Deno.readTextFile(new URL("docs/react_native_and_wechat.md", root));
  const [, example] = /## WeChat[\s\S]*?```ts ignore\n([\s\S]*?)```/.exec(docs)!;
  const folder = await Deno.makeTempDir();
  try {
    const entry = `${folder}/app.ts`;
    const source = example!
      .replace("wss://chat.example/socket", address)
      .replace("const channel =", "const channel = globalThis.channel =");
    await Deno.writeTextFile(entry, source);
    const config = new URL("deno.json", root).pathname;
    const format = ["--platform", "browser", "--format", "iife"];
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--config", config, ...format, entry],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(success, true, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("The WeChat example of the docs runs in a realm with nothing but what it asks for", async () => {
  const joined = Promise.withResolvers<unknown>();
  const pushed = Promise.withResolvers<unknown>();
  const sessions = new SessionRegistry();
  const server = await new ServerBootstrap({
    transport: webSocket({ server: WebSocketServer }),
    pipeline: (p) =>
      p.addLast(...answerKeepAlive({ sessions }), {
        channelRead: (context, message) => {
          joined.resolve(message);
          context.writeAndFlush({ text: "héllo" });
        },
      }),
  }).listen("ws://127.0.0.1:0");
  const hosts: Record<string, unknown> = {
    console,
    setTimeout,
    clearTimeout,
    getApp: () => ({ onMessage: (message: unknown) => pushed.resolve(JSON.stringify(message)) }),
    wx: {
      ...fakeWx(),
      onAppShow() {},
      onAppHide() {},
      onNetworkStatusChange() {},
      getNetworkType: ({ success }: { success: (result: unknown) => void }) =>
        success({ networkType: "wifi" }),
    },
  };
  for (const name of GLOBALS) hosts[name] = globalThis[name];
  const realm = createContext(hosts);
  runInContext(await exampleFor(server.address), realm);
  assertEquals(await joined.promise, { join: "lobby" });
  assertEquals(await pushed.promise, '{"text":"héllo"}');
  await (realm.channel as Channel).close();
  await server.close();
});
