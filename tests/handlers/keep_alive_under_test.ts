import { assertEquals, assertInstanceOf } from "@std/assert";
import { type ChannelHandler, EmbeddedChannel } from "../../pipeline/mod.ts";
import {
  AdaptiveIntervalHandler,
  engineIoFormat,
  fixedInterval,
  HeartbeatDecoder,
  HeartbeatEncoder,
  IdleStateHandler,
  keepAliveUnder,
  mqttFormat,
  ProtocolHeartbeatHandler,
  rawFormat,
  SilenceHandler,
} from "../../handlers/mod.ts";
import { Collector } from "./_rig.ts";

const CONNECT = Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 1, 97);
const CONNACK = Uint8Array.of(0x20, 2, 0, 0);
const PINGREQ = Uint8Array.of(0xc0, 0);
const PINGRESP = Uint8Array.of(0xd0, 0);

function link(...handlers: ChannelHandler[]) {
  const collector = new Collector();
  const channel = new EmbeddedChannel({ handlers: [...handlers, collector] });
  return { channel, collector };
}

Deno.test("keepAliveUnder() has the handlers that the format needs", () => {
  for (
    const [format, wanted] of [
      [undefined, [IdleStateHandler, SilenceHandler]],
      [engineIoFormat(), [IdleStateHandler, ProtocolHeartbeatHandler, SilenceHandler]],
      [mqttFormat(), [IdleStateHandler, HeartbeatEncoder, ProtocolHeartbeatHandler, AdaptiveIntervalHandler]],
      [
        rawFormat({ ping: "?", pong: "!" }),
        [IdleStateHandler, HeartbeatDecoder, HeartbeatEncoder, AdaptiveIntervalHandler],
      ],
    ] as const
  ) {
    const handlers = keepAliveUnder(format);
    assertEquals(handlers.length, wanted.length);
    handlers.forEach((handler, i) => assertInstanceOf(handler, wanted[i]!));
  }
});

Deno.test("keepAliveUnder() leaves the handshake to the client, however long that takes", () => {
  const { channel, collector } = link(...keepAliveUnder(mqttFormat()));
  channel.advanceBy(600_000);
  channel.writeOutbound(CONNECT);
  channel.advanceBy(600_000);
  assertEquals([channel.state, channel.drainOutbound()], ["active", [CONNECT]]);
  channel.writeInbound(CONNACK);
  assertEquals(channel.drainOutbound(), [PINGREQ]);
  channel.advanceBy(50);
  channel.writeInbound(PINGRESP);
  assertEquals(collector.take("linkValid"), [{ type: "linkValid", roundTripMs: 50 }]);
});

Deno.test("keepAliveUnder() tells the application of its link once", () => {
  let links = 0;
  const { channel } = link(...keepAliveUnder(mqttFormat()), {
    channelActive: (context) => (links++, context.fireChannelActive()),
  });
  channel.writeOutbound(CONNECT);
  channel.writeInbound(CONNACK);
  assertEquals(links, 1);
});

Deno.test("keepAliveUnder() beats when the link was idle, and drops it within seconds when nobody answers", () => {
  const { channel, collector } = link(...keepAliveUnder(mqttFormat(), { strategy: fixedInterval(240_000) }));
  channel.writeOutbound(CONNECT);
  channel.writeInbound(CONNACK, PINGRESP);
  channel.drainOutbound();
  channel.advanceBy(239_999);
  assertEquals(channel.drainOutbound(), []);
  channel.advanceBy(1);
  assertEquals(channel.drainOutbound(), [PINGREQ]);
  channel.advanceBy(9_000);
  assertEquals(collector.take("linkDown"), [{ type: "linkDown", reason: "unanswered" }]);
  assertEquals(channel.drainOutbound().length, 4);
});

Deno.test("keepAliveUnder() works for each link of a channel", () => {
  const { channel, collector } = link(...keepAliveUnder(mqttFormat()));
  channel.autoClose = false;
  for (let i = 0; i < 3; i++) {
    channel.writeOutbound(CONNECT);
    channel.writeInbound(CONNACK, PINGRESP);
    assertEquals(collector.take("linkValid").length, 1);
    channel.loseLink();
    channel.advanceBy(600_000);
    channel.reopen();
  }
});

Deno.test("keepAliveUnder() knows where the application is before hands are shaken", () => {
  const { channel } = link(...keepAliveUnder(mqttFormat()));
  channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
  channel.writeOutbound(CONNECT);
  channel.writeInbound(CONNACK, PINGRESP);
  assertEquals(channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.phase, "foreground");
});
