import { assertEquals } from "@std/assert";

const root = new URL("../../", import.meta.url);

/** Checks TypeScript in a program of its own: these platforms' typings replace globals that the tests need. */
async function check(source: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const config = { compilerOptions: { lib: ["esnext", "dom", "deno.ns"] } };
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(config));
    await Deno.writeTextFile(`${folder}/shapes.ts`, source.replaceAll("longlink:", root.href));
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--no-lock", "shapes.ts"],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    return success ? "" : new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("weChat() and weChatEvents() take the wx of WeChat's own typings, and uni-app's uni", async () => {
  const errors = await check(`
    /// <reference types="npm:miniprogram-api-typings@5.2.3" />
    /// <reference types="npm:@dcloudio/types@3.4.32" />
    import { weChatEvents, type WeChatApp } from "longlink:handlers/wechat_events_handler.ts";
    import { weChat, type WeChatSockets, type WeChatSocketTask } from "longlink:pipeline/transports/wechat.ts";

    declare const wechat: WechatMiniprogram.Wx;
    const task: WeChatSocketTask = wechat.connectSocket({ url: "wss://chat.example" });
    const sockets: WeChatSockets = wechat;
    const app: WeChatApp = wechat;
    console.log(task, weChat({ wx: sockets }), weChatEvents(app));
    console.log(weChat({ wx: uni }), weChatEvents(uni));
  `);
  assertEquals(errors, "");
});

Deno.test("reactNativeEvents() takes React Native's AppState and the community's NetInfo", async () => {
  const errors = await check(`
    import NetInfo from "npm:@react-native-community/netinfo@11.5.2";
    import { reactNativeEvents } from "longlink:handlers/react_native_events_handler.ts";
    import type { AppStateStatic } from "npm:@types/react-native@0.72.8";

    declare const AppState: AppStateStatic;
    console.log(reactNativeEvents({ AppState, NetInfo }));
  `);
  assertEquals(errors, "");
});
