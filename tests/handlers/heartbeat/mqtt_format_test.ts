import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { type LinkDownReason, PeerError } from "../../../pipeline/mod.ts";
import { DecodeError, FollowError, Heartbeat, mqttFormat } from "../../../handlers/mod.ts";
import { join } from "../../fuzz/_wire.ts";
import { assertTransparent, type Part, ProtocolLink } from "./_protocol_link.ts";

const CONNECT = [0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 1, 97];
const CONNECT_5 = [0x10, 14, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 0, 0, 0, 1, 97];
const CONNACK = [0x20, 2, 0, 0];
const PINGREQ = [0xc0, 0];
const PINGRESP = [0xd0, 0];

/** A packet with its length in front. */
function packet(first: number, body: readonly number[] | Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = body.length; rest > 0 || length.length === 0; rest >>>= 7) {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  }
  return join([[first], length, body]);
}

function shakeHands(link: ProtocolLink): void {
  link.send(CONNECT);
  link.receive(CONNACK);
}

/** A link whose hands were shaken, and nothing left over of that. */
function readyLink(): ProtocolLink {
  const link = new ProtocolLink(mqttFormat());
  shakeHands(link);
  link.channel.drainOutbound();
  link.channel.drainInbound();
  link.events();
  return link;
}

const sent = (link: ProtocolLink) => join(link.channel.drainOutbound() as Uint8Array[]);
const received = (link: ProtocolLink) => link.channel.drainInbound();

Deno.test("mqttFormat() has pings and pongs of two bytes", () => {
  const format = mqttFormat();
  assertEquals([format.name, format.carriesFields, format.kinds], ["mqtt", false, ["ping", "pong"]]);
  assertEquals(format.encode(new Heartbeat("ping")), Uint8Array.from(PINGREQ));
  assertEquals(format.encode(new Heartbeat("pong")), Uint8Array.from(PINGRESP));
  assertEquals(format.decode(Uint8Array.from(PINGRESP)), new Heartbeat("pong"));
  assertEquals(format.decode(Uint8Array.of(0xd0, 1)), undefined);
});

Deno.test("mqttFormat() is ready once the broker has accepted the client", () => {
  const link = new ProtocolLink(mqttFormat());
  link.ping();
  link.send(CONNECT.slice(0, 5), CONNECT.slice(5));
  assertEquals(sent(link), Uint8Array.from(CONNECT));
  link.receive([0x20], [2, 0]);
  assertEquals([link.events(), sent(link).length], [[], 0]);
  link.receive([0]);
  assertEquals(link.events(), ["protocolReady"]);
  assertEquals(sent(link), Uint8Array.from(PINGREQ)); // it had waited
  assertEquals(join(received(link) as Uint8Array[]), Uint8Array.from(CONNACK));
});

Deno.test("mqttFormat() pings only between two packets of the client", () => {
  const link = readyLink();
  const publish = packet(0x30, [0, 1, 0x74, ...PINGREQ, ...PINGREQ]);
  link.send(publish.subarray(0, 1));
  link.ping();
  link.ping(); // one is enough
  link.send(publish.subarray(1, 4));
  assertEquals(sent(link), publish.subarray(0, 4));
  link.send(publish.subarray(4));
  assertEquals(sent(link), join([publish.subarray(4), PINGREQ]));
  link.send([0xe0, 0]); // DISCONNECT: nothing may follow
  link.ping();
  assertEquals(sent(link), Uint8Array.of(0xe0, 0));
});

Deno.test("mqttFormat() tells the answers to its pings from those to the client's", () => {
  const link = readyLink();
  link.send(PINGREQ);
  link.ping();
  link.send(PINGREQ);
  link.receive(PINGRESP);
  assertEquals(received(link), [Uint8Array.from(PINGRESP)]);
  link.receive(PINGRESP);
  assertEquals(received(link), [new Heartbeat("pong")]);
  link.receive(PINGRESP, PINGRESP); // one too many
  assertEquals(received(link), [Uint8Array.from(PINGRESP), Uint8Array.from(PINGRESP)]);
});

Deno.test("mqttFormat() finds an answer wherever chunks begin and end", () => {
  const publish = packet(0x30, [0, 1, 0x74, ...PINGRESP, ...PINGRESP]);
  const stream = join([publish, PINGRESP, publish]);
  for (let at = 0; at <= stream.length; at++) {
    const link = readyLink();
    link.ping();
    link.receive(stream.subarray(0, at), stream.subarray(at));
    const all = received(link);
    assertEquals(join(all.filter((each) => each instanceof Uint8Array)), join([publish, publish]), `${at}`);
    assertEquals(all.filter((each) => each instanceof Heartbeat).length, 1, `${at}`);
  }
});

Deno.test("mqttFormat() passes everything else byte by byte", () => {
  const anyPart: fc.Arbitrary<Part> = fc.oneof(
    fc.constantFrom<Part>(
      { data: Uint8Array.from(PINGRESP), answers: "ours" },
      { data: Uint8Array.from(PINGRESP), answers: "client" },
      { data: packet(0xd0, [1]), answers: "nothing" }, // of the same type, and no answer
    ),
    fc.record({
      data: fc.tuple(
        fc.constantFrom(0x30, 0x40, 0x90, 0x62),
        fc.oneof(
          fc.uint8Array({ maxLength: 8 }),
          fc.array(fc.constantFrom(0xd0, 0), { maxLength: 300 }),
        ),
      ).map(([first, body]) => packet(first, body)),
      answers: fc.constant("nothing" as const),
    }),
  );
  assertTransparent(mqttFormat(), shakeHands, Uint8Array.from(PINGREQ), anyPart);
});

Deno.test("mqttFormat() gives back what it held when the link goes", () => {
  const link = readyLink();
  link.ping();
  link.receive([0xd0]);
  assertEquals(received(link), []);
  link.channel.loseLink();
  assertEquals(received(link), [Uint8Array.of(0xd0)]);
});

Deno.test("mqttFormat() drops a link whose packets cannot be told apart", () => {
  const link = readyLink();
  link.receive([0x30, 0xff, 0xff, 0xff, 0xff, 1]);
  assertInstanceOf(link.collector.errors[0], DecodeError);
  assertStringIncludes(String(link.collector.errors[0]), "the length of a packet has more than 4 bytes");
  assertEquals(link.channel.state, "closed");
});

Deno.test("mqttFormat() drops a WebSocket peer that sends text, with its words", () => {
  const link = new ProtocolLink(mqttFormat(), { keepsMessages: true });
  link.receive("error: not allowed from here");
  const [error] = link.collector.errors;
  assertInstanceOf(error, DecodeError);
  assertStringIncludes(error.message, 'sent text where bytes are due: "error: not allowed from here"');
  assertEquals(link.channel.state, "closed");
});

Deno.test("mqttFormat() leaves alone a client that cannot be followed, and says so", () => {
  for (
    const [first, words] of [
      [[0x16, 3, 1, 0], "it encrypts within the stream"],
      [[0x30, 2, 0, 0], "it begins with 0x30, which is no CONNECT"],
      [[0x10, 0xff, 0xff, 0xff, 0xff], "more than 4 bytes"],
    ] as const
  ) {
    const link = new ProtocolLink(mqttFormat());
    link.send(first);
    assertInstanceOf(link.collector.errors[0], FollowError);
    assertStringIncludes(link.collector.errors[0].message, words);
    link.receive(CONNACK);
    link.ping();
    assertEquals([sent(link), link.channel.state], [Uint8Array.from(first), "active"]);
  }
});

Deno.test("mqttFormat() tells why a broker refused the client or ended the link", () => {
  const reason = [0x1f, 0, 4, 0x62, 0x75, 0x73, 0x79]; // "busy"
  for (
    const [connect, answer, code, words] of [
      [CONNECT, [0x20, 2, 0, 5], 5, "The broker refused the client: not authorized (0x05)"],
      [CONNECT_5, [0x20, 3, 0, 0x89, 0], 0x89, "The broker refused the client: server busy (0x89)"],
      [CONNECT_5, [0x20, 10, 0, 0x89, 7, ...reason], 0x89, "The broker refused the client: busy (0x89)"],
      [
        CONNECT_5,
        [0x20, 3, 0, 0, 0, 0xe0, 1, 0x8d],
        0x8d,
        "The broker ended the link: keep alive timeout (0x8d)",
      ],
      [
        CONNECT_5,
        [0x20, 3, 0, 0, 0, 0xe0, 19, 0x8e, 17, 0x11, 0, 0, 0, 0, 0x26, 0, 0, 0, 0, ...reason],
        0x8e,
        "The broker ended the link: busy (0x8e)",
      ],
    ] as const
  ) {
    const link = new ProtocolLink(mqttFormat());
    link.send(connect);
    link.receive(answer);
    const [error] = link.collector.errors;
    assertInstanceOf(error, PeerError);
    assertEquals([error.message, error.code, error.protocol], [words, code, "mqtt"]);
    // The client hears it as well.
    assertEquals(join(received(link) as Uint8Array[]), Uint8Array.from(answer));
  }
});

Deno.test("mqttFormat() says that a keep alive was not kept where MQTT 3.1.1 gives no reason", () => {
  for (
    const [keepAliveS, silentMs, reason, isSaid] of [
      [10, 15_000, "remoteClosed", true],
      [10, 15_000, "reset", true],
      // Brokers count whole seconds, and may be a second early.
      [10, 14_000, "remoteClosed", true],
      [10, 13_999, "remoteClosed", false],
      [10, 15_000, "unanswered", false],
      // But not within the time that the client had promised.
      [1, 1_000, "remoteClosed", true],
      [1, 999, "remoteClosed", false],
      [0, 60_000, "remoteClosed", false],
    ] as readonly [number, number, LinkDownReason, boolean][]
  ) {
    const link = new ProtocolLink(mqttFormat());
    link.send([...CONNECT.slice(0, 10), 0, keepAliveS, ...CONNECT.slice(12)]);
    link.receive(CONNACK);
    link.channel.advanceBy(silentMs);
    link.channel.loseLink(reason);
    assertEquals(link.collector.errors.length, isSaid ? 1 : 0);
    if (isSaid) {
      assertEquals(
        (link.collector.errors[0] as PeerError).message,
        "The broker closed the link: keep alive timeout: " +
          `nothing was sent for ${silentMs / 1000} s, the keep alive is ${keepAliveS} s`,
      );
    }
  }
});

Deno.test("mqttFormat() takes the broker's keep alive in place of the client's", () => {
  const link = new ProtocolLink(mqttFormat());
  link.send(CONNECT_5);
  link.receive([0x20, 6, 0, 0, 3, 0x13, 0, 2]);
  link.channel.advanceBy(3_000);
  link.channel.loseLink("remoteClosed");
  assertStringIncludes(String(link.collector.errors[0]), "the keep alive is 2 s");
});
