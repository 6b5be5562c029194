import { assertEquals, assertInstanceOf, assertStrictEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { PeerError } from "../../../pipeline/mod.ts";
import { FollowError, Heartbeat, xmppFormat } from "../../../handlers/mod.ts";
import { assertTransparent, bytes, type Part, ProtocolLink } from "./_protocol_link.ts";

const HEADER = "<?xml version='1.0'?><stream:stream to='x' xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const BIND =
  "<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@x/y</jid></bind></iq>";
const ping = (sequence: number) =>
  `<iq xmlns='jabber:client' type='get' id='longlink-ping-${sequence}'><ping xmlns='urn:xmpp:ping'/></iq>`;
const answer = (sequence: number) => `<iq type='result' id='longlink-ping-${sequence}' to="a@x/y"/>`;

function shakeHands(link: ProtocolLink): void {
  link.send(HEADER);
  link.receive(HEADER + "<stream:features><mechanisms/></stream:features>");
  link.send("<auth>secret</auth>");
  link.receive("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  link.send(HEADER);
  link.receive(
    HEADER + "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
  );
  link.send("<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
  link.receive(BIND);
}

function readyLink(): ProtocolLink {
  const link = new ProtocolLink(xmppFormat());
  shakeHands(link);
  link.sentText();
  link.received();
  link.events();
  return link;
}

Deno.test("xmppFormat() has pings with an id, and knows their answers", () => {
  const format = xmppFormat();
  assertEquals([format.name, format.kinds, format.carriesFields], ["xmpp", ["ping"], false]);
  assertEquals(format.encode(new Heartbeat("ping", { sequence: 9 })), ping(9));
  assertEquals(format.encode(new Heartbeat("pong")), undefined);
  for (
    const [message, kind] of [
      [answer(9), "pong"],
      [bytes('<iq id="longlink-ping-1" type="error"><error/></iq>'), "pong"],
      ["<iq id='other' type='result'/>", undefined],
      ["<iq id='longlink-ping-1' type='get'/>", undefined],
      ["<message id='longlink-ping-1' type='result'/>", undefined],
      [ping(1), undefined],
      ["", undefined],
      [undefined, undefined],
    ] as const
  ) assertEquals(format.decode(message)?.kind, kind);
});

Deno.test("xmppFormat() is ready once the client has its address", () => {
  const link = new ProtocolLink(xmppFormat());
  link.ping(3);
  shakeHands(link);
  assertEquals(link.events(), ["protocolReady"]);
  assertStringIncludes(link.sentText(), "xmpp-bind'/></iq>" + ping(3));
  for (
    const login of [
      "<success xmlns='urn:xmpp:sasl:2'><bound xmlns='urn:xmpp:bind:0'/></success>",
      "<resumed xmlns='urn:xmpp:sm:3' h='1' previd='x'/>",
    ]
  ) {
    const other = new ProtocolLink(xmppFormat());
    other.send(HEADER);
    other.receive(HEADER, login);
    assertEquals(other.events(), ["protocolReady"]);
  }
});

Deno.test("xmppFormat() pings only between two stanzas", () => {
  const link = readyLink();
  link.send("<message to='b@x'><bo");
  link.ping(1);
  link.send("dy>1 &gt; 0</body><!-- > --><x a='/>'><![CDATA[</message>]]></x></message", ">");
  assertEquals(link.sentText().slice(-ping(1).length - 10), "</message>" + ping(1));
  link.send(" \n<presence");
  link.ping(2);
  assertEquals(link.sentText(), " \n<presence");
  link.send("/>");
  assertEquals(link.sentText(), "/>" + ping(2));
  link.send("</stream:stream>");
  link.ping(3);
  assertEquals(link.sentText(), "</stream:stream>");
});

Deno.test("xmppFormat() takes the answers to its pings out", () => {
  const link = readyLink();
  link.ping(1);
  link.ping(2);
  const message = "<message from='b@x'><body>&lt;iq id='longlink-ping-1'/></body></message>";
  link.receive(message + answer(1) + message);
  assertEquals(link.received(), { text: message + message, pongs: 1 });
  const error = "<iq type='error' id='longlink-ping-2'><ping xmlns='urn:xmpp:ping'/><error type='cancel'>" +
    "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
  link.receive(...error);
  assertEquals(link.received(), { text: "", pongs: 1 });
  link.receive(answer(2)); // one too many is the client's business
  assertEquals(link.received(), { text: answer(2), pongs: 0 });
});

Deno.test("xmppFormat() passes everything else byte by byte", () => {
  const nothing = (data: string): Part => ({ data: bytes(data), answers: "nothing" });
  const anyPart: fc.Arbitrary<Part> = fc.oneof(
    fc.integer({ min: 0, max: 511 }).map((sequence): Part => ({
      data: bytes(answer(sequence)),
      answers: "ours",
    })),
    fc.constantFrom(
      "<iq type='result' id='r1'><query xmlns='jabber:iq:roster'><item jid='ö@x'/></query></iq>",
      "<message><body>héllo 🙂 &lt;/body&gt;</body></message>",
      '<iq id="longlink-ping-x" type="get"><ping xmlns="urn:xmpp:ping"/></iq>',
      "<presence/>",
      " \n ",
      "<a h='5' xmlns='urn:xmpp:sm:3'/>",
      `<iq type='result' id='${"x".repeat(1200)}'/>`,
    ).map(nothing),
  );
  assertTransparent(xmppFormat(), shakeHands, bytes("<presence/>"), anyPart);
});

Deno.test("xmppFormat() asks with what is not counted where stanzas are counted", () => {
  const link = readyLink();
  link.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
  link.receive("<enabled xmlns='urn:xmpp:sm:3' id='s'/>");
  link.sentText();
  link.received();
  link.ping(1);
  assertEquals(link.sentText(), "<r xmlns='urn:xmpp:sm:3'/>");
  link.receive("<a xmlns='urn:xmpp:sm:3' h='4'/>");
  assertEquals(link.received(), { text: "<a xmlns='urn:xmpp:sm:3' h='4'/>", pongs: 1 });
  link.receive("<a xmlns='urn:xmpp:sm:3' h='5'/>"); // the client's own
  assertEquals(link.received().pongs, 0);
});

Deno.test("xmppFormat() takes nobody else's word for it that stanzas are counted", () => {
  const link = readyLink();
  link.receive(
    "<message from='mallory@y'><enabled xmlns='urn:xmpp:sm:3'/><resumed xmlns='urn:xmpp:sm:3'/></message>",
  );
  link.ping(1);
  assertEquals(link.sentText(), ping(1));
});

Deno.test("xmppFormat() gives back what it held when the link goes", () => {
  const link = readyLink();
  link.ping(1);
  link.receive("<presence/><iq type='res", "ult'");
  assertEquals(link.received().text, "<presence/>");
  link.channel.loseLink();
  assertEquals(link.received().text, "<iq type='result'");
});

Deno.test("xmppFormat() tells why the server ended the stream", () => {
  const link = readyLink();
  const error = "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
    "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>Réplaced</text></stream:error></stream:stream>";
  link.receive(error);
  const [peerError] = link.collector.errors;
  assertInstanceOf(peerError, PeerError);
  assertEquals(
    [peerError.message, peerError.code, peerError.reason],
    ["The server ended the stream: conflict (Réplaced)", "conflict", "Réplaced"],
  );
  assertEquals(link.received().text, error);
});

Deno.test("xmppFormat() sends no ping that only one side would count while stanzas begin to be counted", () => {
  for (const answer of ["<enabled xmlns='urn:xmpp:sm:3' id='s'/>", "<failed xmlns='urn:xmpp:sm:3'/>"]) {
    const link = readyLink();
    link.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    link.ping(1);
    assertEquals(link.sentText(), "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    link.receive(answer);
    assertEquals(link.sentText(), answer.startsWith("<enabled") ? "<r xmlns='urn:xmpp:sm:3'/>" : ping(1));
  }
});

const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'";

/** Whatever goes through the link now is somebody else's business. */
function assertUntouched(link: ProtocolLink): void {
  link.channel.drainInbound();
  link.channel.drainOutbound();
  const record = Uint8Array.of(0x17, 3, 3, 0x3c, 0x2f, 0x3e, 0xff);
  link.channel.writeInbound(record);
  assertStrictEquals(link.channel.readInbound(), record);
  link.send(record);
  link.ping(1);
  assertEquals(link.channel.drainOutbound(), [record]);
  assertEquals([link.channel.state, link.collector.errors.length, link.events()], ["active", 1, []]);
}

Deno.test("xmppFormat() leaves a client alone that encrypts within the stream, and says so", () => {
  for (
    const [steps, words] of [
      [["send", `${STARTTLS}/>`], "with STARTTLS it encrypts within the stream"],
      [["send", "<starttls xmlns='urn:ietf:params:", "xml:ns:xmpp-tls'></starttls>"], "on top of its TLS"],
      [
        ["receive", `<stream:features>${STARTTLS}><required/></starttls></stream:features>`],
        "connect with tls://",
      ],
      [["receive", "<compressed xmlns='http://jabber.org/protocol/compress'/>"], "after <compressed/>"],
    ] as const
  ) {
    const link = new ProtocolLink(xmppFormat());
    link.send(HEADER);
    link.receive(HEADER);
    const [way, ...chunks] = steps;
    link[way](...chunks);
    const [error] = link.collector.errors;
    assertInstanceOf(error, FollowError);
    assertEquals(error.protocol, "xmpp");
    assertStringIncludes(error.message, words);
    if (way === "receive") assertEquals(link.received().text, HEADER + chunks.join(""));
    assertUntouched(link);
  }
  const link = new ProtocolLink(xmppFormat());
  link.send([0x16, 3, 1, 0]); // TLS from the start
  assertStringIncludes(String(link.collector.errors[0]), "let the transport do that (tls://)");
  assertUntouched(link);
});

Deno.test("xmppFormat() follows a client that does not take the TLS it is offered, and takes only the server's word", () => {
  const link = new ProtocolLink(xmppFormat());
  link.send(HEADER);
  link.receive(
    HEADER + `<stream:features>${STARTTLS}/><x><required/></x></stream:features>`,
    `<message><stream:features>${STARTTLS}><required/></starttls></stream:features></message>`,
  );
  link.send(`<message>${STARTTLS}/></message>`);
  link.receive(BIND);
  assertEquals([link.events(), link.collector.errors], [["protocolReady"], []]);
});

Deno.test("xmppFormat() takes each message of a WebSocket for a whole element", () => {
  const link = new ProtocolLink(xmppFormat(), { keepsMessages: true });
  const open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='x'/>";
  link.send(open);
  link.receive(open, BIND);
  assertEquals(link.events(), ["protocolReady"]);
  link.ping(1);
  assertEquals(link.sentText(), open + ping(1));
  link.received();
  link.receive("<message xmlns='jabber:client'/>", answer(1));
  assertEquals(link.received(), { text: "<message xmlns='jabber:client'/>", pongs: 1 });
  link.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
  link.sentText();
  link.ping(2);
  assertEquals(link.sentText(), "");
});
