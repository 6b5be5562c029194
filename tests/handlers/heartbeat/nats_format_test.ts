import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { PeerError } from "../../../pipeline/mod.ts";
import { DecodeError, FollowError, Heartbeat, natsFormat } from "../../../handlers/mod.ts";
import { join } from "../../fuzz/_wire.ts";
import { assertTransparent, bytes, type Part, ProtocolLink } from "./_protocol_link.ts";

const INFO = 'INFO {"server_id":"x", "max_payload":1048576}\r\n';
const PONG = "PONG\r\n";

function shakeHands(link: ProtocolLink): void {
  link.receive(INFO);
  link.send('CONNECT {"verbose":false}\r\nPING\r\n');
  link.receive(PONG);
}

function readyLink(): ProtocolLink {
  const link = new ProtocolLink(natsFormat());
  shakeHands(link);
  link.sentText();
  link.received();
  link.events();
  return link;
}

Deno.test("natsFormat() has PING and PONG", () => {
  const format = natsFormat();
  assertEquals([format.name, format.carriesFields], ["nats", false]);
  assertEquals(format.encode(new Heartbeat("ping")), bytes("PING\r\n"));
  assertEquals(format.encode(new Heartbeat("pong")), bytes(PONG));
  assertEquals(format.encode(new Heartbeat("hold")), undefined);
  assertEquals(format.decode(bytes("pong\r\n"))?.kind, "pong");
  assertEquals(format.decode(bytes("PING\r\n"))?.kind, "ping");
  assertEquals(format.decode(bytes("PONGED")), undefined);
  assertEquals(format.decode(PONG), undefined);
});

Deno.test("natsFormat() is ready once the server has accepted the client", () => {
  for (const accepted of [PONG, "+OK\r\n", "MSG a 1 2\r\nhi\r\n"]) {
    const link = new ProtocolLink(natsFormat());
    link.ping();
    link.receive(INFO, PONG); // before CONNECT it means nothing
    link.send("CONNECT {}\r\n", "PING\r\n");
    assertEquals([link.events(), link.sentText()], [[], "CONNECT {}\r\nPING\r\n"]);
    link.receive(accepted);
    assertEquals([link.events(), link.sentText()], [["protocolReady"], "PING\r\n"]);
    assertEquals(link.received(), { text: INFO + PONG + accepted, pongs: 0 });
  }
});

Deno.test("natsFormat() pings only between two lines and their payloads", () => {
  const link = readyLink();
  link.send("PU");
  link.ping();
  link.send("B a 8\r\nPING\r\n12", "\r", "\n");
  assertEquals(link.sentText(), "PUB a 8\r\nPING\r\n12\r\nPING\r\n");
  link.send("HPUB a.b reply 3 5\r\nhdrpp\r");
  link.ping();
  assertEquals(link.sentText(), "HPUB a.b reply 3 5\r\nhdrpp\r");
  link.send("\nSUB x 1\r\npub y 0\r\n\r\n");
  assertEquals(link.sentText(), "\nSUB x 1\r\npub y 0\r\n\r\nPING\r\n");
});

Deno.test("natsFormat() tells the answers to its pings from those to the client's", () => {
  const link = readyLink();
  link.send("PING\r\n");
  link.ping();
  link.send("ping\r\n");
  link.receive(PONG);
  assertEquals(link.received(), { text: PONG, pongs: 0 });
  link.receive("P", "O", "N", "G", "\r", "\n");
  assertEquals(link.received(), { text: "", pongs: 1 });
  link.receive("pong\r\n", PONG);
  assertEquals(link.received(), { text: "pong\r\n" + PONG, pongs: 0 });
});

Deno.test("natsFormat() passes the server's PINGs on, and what only looks like an answer", () => {
  const link = readyLink();
  link.ping();
  for (const line of ["PING\r\n", "PONGO\r\n", "P\r\n", "MSG PONG 1 6\r\nPONG\r\n\r\n", "PO NG\r\n"]) {
    link.receive(...line);
    assertEquals(link.received(), { text: line, pongs: 0 });
  }
  link.receive("PONG     \r", "\n"); // longer than what is held back: the client sees it, and it counts
  assertEquals(link.received(), { text: "PONG     \r\n", pongs: 1 });
});

Deno.test("natsFormat() passes everything else byte by byte", () => {
  const anyPayload = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.array(fc.constantFrom(PONG, "\r\n", "MSG a 1 1\r\n"), { maxLength: 30 }).map((parts) =>
      bytes(parts.join(""))
    ),
  );
  const anyPart: fc.Arbitrary<Part> = fc.oneof(
    fc.constantFrom<Part>({ data: bytes(PONG), answers: "ours" }, { data: bytes(PONG), answers: "client" }),
    fc.constantFrom("PING\r\n", "+OK\r\n", INFO, "-ERR 'Slow Consumer'\r\n").map((line): Part => ({
      data: bytes(line),
      answers: "nothing",
    })),
    anyPayload.map((payload): Part => ({
      data: join([bytes(`MSG news.12 7 ${payload.length}\r\n`), payload, bytes("\r\n")]),
      answers: "nothing",
    })),
    anyPayload.map((payload): Part => ({
      data: join([bytes(`HMSG news 7 reply 3 ${payload.length + 3}\r\nhdr`), payload, bytes("\r\n")]),
      answers: "nothing",
    })),
  );
  assertTransparent(natsFormat(), shakeHands, bytes("PING\r\n"), anyPart);
});

Deno.test("natsFormat() gives back what it held when the link goes", () => {
  const link = readyLink();
  link.ping();
  link.receive("+OK\r\nPO", "NG");
  assertEquals(link.received().text, "+OK\r\n");
  link.channel.loseLink();
  assertEquals(link.received().text, "PONG");
});

Deno.test("natsFormat() tells what the server complains of", () => {
  const link = readyLink();
  link.receive("-ERR 'Authorization", " Violation'\r\n");
  const [error] = link.collector.errors;
  assertInstanceOf(error, PeerError);
  assertEquals([error.message, error.reason], [
    "The server says: Authorization Violation",
    "Authorization Violation",
  ]);
  assertEquals(link.received().text, "-ERR 'Authorization Violation'\r\n");
});

Deno.test("natsFormat() drops a WebSocket peer that sends text, with its words", () => {
  const link = new ProtocolLink(natsFormat(), { keepsMessages: true });
  link.receive("<html>502 Bad Gateway</html>");
  const [error] = link.collector.errors;
  assertInstanceOf(error, DecodeError);
  assertStringIncludes(error.message, 'sent text where bytes are due: "<html>502 Bad Gateway</html>"');
  assertEquals(link.channel.state, "closed");
});

Deno.test("natsFormat() leaves alone a client that encrypts within the stream, and says so", () => {
  const link = new ProtocolLink(natsFormat());
  link.receive(INFO);
  link.send([0x16, 3, 1]);
  assertInstanceOf(link.collector.errors[0], FollowError);
  assertStringIncludes(String(link.collector.errors[0]), "let the transport do that (tls://)");
  link.send("PUB a x\r\n");
  assertEquals(link.channel.state, "active");
});

Deno.test("natsFormat() drops a link whose payloads have no size", () => {
  const link = readyLink();
  link.receive("MSG a 1 many\r\n");
  assertInstanceOf(link.collector.errors[0], DecodeError);
  assertEquals(link.channel.state, "closed");
  const other = readyLink();
  other.send("PUB a many\r\n");
  assertStringIncludes(
    String(other.collector.errors[0]),
    "a line of PUB does not say how long its payload is",
  );
  assertEquals(other.channel.state, "active");
});
