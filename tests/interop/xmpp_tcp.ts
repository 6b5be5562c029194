/**
 * Prosody over TCP, and the XMPP client on top of the pipeline: on top of its
 * TLS, or in the place of its socket where nothing is encrypted.
 *
 * @module
 */

import { assertEquals, assertGreaterOrEqual, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async";
import { type EventEmitter, once } from "node:events";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import tls, { type ConnectionOptions } from "node:tls";
import { ConnectError, FollowError, keepAliveUnder, PeerError, xmppFormat } from "../../mod.ts";
import { connectDuplex, duplex } from "../../pipeline/transports/duplex.ts";
import { tcp } from "../../pipeline/transports/tcp.ts";
import { startNatBox } from "../lab/nat_box.ts";
import { TEST_CERTIFICATE } from "../pipeline/transports/_test_certificate.ts";
import { Events, under } from "./_client.ts";
import { testWith } from "./_peers.ts";
import { type Prosody, type ProsodyOptions, startProsody } from "./_servers.ts";
import { chat, type Client, login } from "./_xmpp_client.ts";

const test = testWith("prosody");
const CA: ConnectionOptions = { ca: TEST_CERTIFICATE, servername: "localhost" };

/** What is put under a client. */
interface Pipeline {
  readonly intervalMs: number;
  readonly events: Events;
  /** The sockets that STARTTLS was done on. */
  readonly bare?: Socket[];
  /** Whose certificate is taken. Default: the test's own. */
  readonly trust?: ConnectionOptions;
}

/** What the client encrypts with: it takes a stream, and tells of it. */
interface ClientSocket extends EventEmitter {
  _attachSocket(stream: Duplex): void;
}

const socketClassOf = (entity: Client) => entity.transports[2].prototype.Socket as new () => ClientSocket;

/** On top of what the client encrypts with, from the start or with STARTTLS: as in examples/interop/xmpp_tls.ts. */
function onTls({ intervalMs, events, bare, trust = CA }: Pipeline): (entity: Client) => void {
  return (entity) => {
    socketClassOf(entity).prototype.connect = function (options: ConnectionOptions) {
      const { socket: before } = options as { socket?: Socket };
      // The client's own: taken before TLS adds what belongs to it.
      const listeners = before?.listeners("close") ?? [];
      const stream = connectDuplex("xmpp:tls", {
        transport: duplex({
          connect: async (_remote, { signal }) => {
            const socket = tls.connect({ ...options, ...trust });
            signal.addEventListener("abort", () => socket.destroy());
            await once(socket, "secureConnect");
            return socket;
          },
        }),
        pipeline: (p) => p.addLast(...keepAliveUnder(xmppFormat(), under(intervalMs)), events),
      });
      stream.once("connect", () => {
        for (const listener of listeners) before!.off("close", listener as () => void);
        this.emit("connect");
      });
      this._attachSocket(stream);
      if (before !== undefined) bare?.push(before);
    };
  };
}

/** In the place of the client's own socket: what encrypts, if anything does, is the transport. */
const inPlace = (scheme: "tcp" | "tls") => ({ intervalMs, events }: Pipeline): (entity: Client) => void => {
  return (entity) => {
    class OwnSocket extends socketClassOf(entity) {
      secure = scheme === "tls";

      connect({ host, port }: { host: string; port: number }) {
        const stream = connectDuplex(`${scheme}://${host}:${port}`, {
          transport: tcp({ tls: { ca: TEST_CERTIFICATE, servername: "localhost" } }),
          pipeline: (p) => p.addLast(...keepAliveUnder(xmppFormat(), under(intervalMs)), events),
          onUnhandled: () => {}, // the test asks for it
        });
        stream.once("connect", () => this.emit("connect"));
        this._attachSocket(stream);
      }
    }
    // The client's own class is that of all clients.
    class OwnTransport extends entity.transports[1] {}
    Object.assign(OwnTransport.prototype, { Socket: OwnSocket });
    entity.transports[1] = OwnTransport;
  };
};

/** Another client, which has the pipeline nowhere. */
function loginToo(server: Prosody, name: string, resource: string) {
  return login({ service: `${server.ws}/xmpp-websocket`, name, resource });
}

interface Way {
  readonly options?: ProsodyOptions;
  readonly put: (pipeline: Pipeline) => (entity: Client) => void;
  readonly scheme: "xmpp" | "xmpps";
  readonly target: (server: Prosody) => string;
}

const hostOf = (server: Prosody) => server.tcp.replace("tcp://", "");
const WAYS: Readonly<Record<string, Way>> = {
  TLS: { put: onTls, scheme: "xmpps", target: ({ directTls }) => directTls },
  STARTTLS: { put: onTls, scheme: "xmpp", target: hostOf, options: { startTls: "required" } },
  "TLS of the transport": { put: inPlace("tls"), scheme: "xmpp", target: ({ directTls }) => directTls },
  TCP: { put: inPlace("tcp"), scheme: "xmpp", target: hostOf },
};

for (const [way, { put, scheme, target, options }] of Object.entries(WAYS)) {
  /** A client of ours behind a NAT. */
  const begin = async (server: Prosody, natTimeoutMs: number, pipeline: Pipeline) => {
    const nat = await startNatBox({
      listen: "tcp://127.0.0.1:0",
      target: `tcp://${target(server)}`,
      natTimeoutMs,
      mode: "strict",
    });
    const service = nat.address.replace("tcp", scheme);
    const alice = await login({ service, name: "alice", resource: "phone", prepare: put(pipeline) });
    return { alice, nat };
  };

  test(`XMPP client over ${way}: a message arrives after an idle time that it would not have survived alone`, async () => {
    await using server = await startProsody(options);
    const events = new Events();
    const begun = await begin(server, 2_000, { intervalMs: 1_000, events });
    await using _nat = begun.nat;
    await using alice = begun.alice;
    assertEquals(alice.entity.isSecure(), way !== "TCP");
    await using bob = await loginToo(server, "bob", "desk");
    await events.when("three beats", () => events.of("beat").length >= 3);
    const arrived = alice.next("message");
    await bob.entity.send(chat("alice@localhost/phone", "hello"));
    await arrived;
    assertEquals([alice.heard, alice.errors, events.downs, events.errors], [["hello"], [], [], []]);
    assertGreaterOrEqual(server.count(/Received.*longlink-ping/), 3);
  });

  test(`XMPP client over ${way}: a link that died without a word is noticed, and the client connects again`, async () => {
    await using server = await startProsody(options);
    const events = new Events();
    const begun = await begin(server, 2_000, { intervalMs: 2_500, events });
    await using _nat = begun.nat;
    await using alice = begun.alice;
    await alice.next("online");
    assertEquals(events.downs, ["unanswered"]);
  });

  test(`Prosody ends the stream over ${way}: PeerError with the condition, and the client connects again`, async () => {
    await using server = await startProsody(options);
    const events = new Events();
    const begun = await begin(server, 60_000, { intervalMs: 60_000, events });
    await using _nat = begun.nat;
    await using alice = begun.alice;
    const again = alice.next("online");
    await alice.entity.write("<message></presence>");
    await again;
    const [error] = events.errors;
    assertInstanceOf(error, PeerError);
    assertEquals({ protocol: error.protocol, code: error.code }, {
      protocol: "xmpp",
      code: "not-well-formed",
    });
  });
}

test("XMPP client over TLS with Stream Management: what beats is not counted, and both sides agree", async () => {
  await using server = await startProsody({ modules: ["smacks"] });
  const events = new Events();
  const prepare = onTls({ intervalMs: 500, events });
  const service = `xmpps://${server.directTls}`;
  await using alice = await login({ service, name: "alice", resource: "phone", prepare });
  await events.when("three beats", () => events.of("beat").length >= 3);
  assertGreaterOrEqual(server.count(/Received.*<r /), 2);
  const arrived = alice.next("message");
  await alice.entity.send(chat("alice@localhost/phone", "hello"));
  await arrived;
  const beats = events.of("beat").length;
  await events.when("another beat", () => events.of("beat").length > beats);
  assertEquals(alice.entity.streamManagement.outbound_q, []); // all of it is acknowledged, and no more than that
  assertEquals([alice.errors, events.errors, events.downs], [[], [], []]);
});

test("XMPP client over STARTTLS: once stopped it stays offline, whatever becomes of the socket below", async () => {
  await using server = await startProsody({ startTls: "required" });
  const events = new Events();
  const bare: Socket[] = [];
  const prepare = onTls({ intervalMs: 60_000, events, bare });
  const service = `xmpp://${hostOf(server)}`;
  const { entity } = await login({ service, name: "alice", resource: "phone", prepare });
  const [socket] = bare;
  const closed = once(socket!, "close");
  await entity.stop();
  await closed;
  assertEquals(entity.status, "offline");
  entity.reconnect.stop();
});

for (const scheme of ["xmpps", "xmpp"]) {
  test(`XMPP client over ${scheme}: a certificate that nobody vouches for is refused before a word is said`, async () => {
    await using server = await startProsody({ startTls: "required" });
    const events = new Events();
    const prepare = onTls({ intervalMs: 60_000, events, trust: { servername: "localhost" } });
    const service = `${scheme}://${scheme === "xmpps" ? server.directTls : hostOf(server)}`;
    const errors: Error[] = [];
    const refused = new Promise<void>((resolve) => {
      login({
        service,
        name: "alice",
        resource: "phone",
        prepare: (entity) => {
          prepare(entity);
          entity.on("error", (error: Error) => {
            entity.reconnect.stop();
            errors.push(error);
            resolve();
          });
        },
      }).catch(() => {}); // with STARTTLS it waits for ever
    });
    await refused;
    const [error] = errors;
    assertInstanceOf(error, ConnectError);
    assertStringIncludes(error.message, "certificate");
    assertEquals(server.count(/Received.*<auth/), 0);
  });
}

test("XMPP client without TLS at a server that requires it: FollowError says what to do, instead of silence", async () => {
  await using server = await startProsody({ startTls: "required" });
  const events = new Events();
  const prepare = inPlace("tcp")({ intervalMs: 60_000, events });
  const service = `xmpp://${hostOf(server)}`;
  // It waits for ever by itself.
  const entity = Promise.withResolvers<Client>();
  login({
    service,
    name: "alice",
    resource: "phone",
    prepare: (client) => {
      prepare(client);
      entity.resolve(client);
    },
  }).catch(() => {});
  await events.when("an error", () => events.errors.length > 0);
  const [error] = events.errors;
  assertInstanceOf(error, FollowError);
  assertStringIncludes(error.message, "put the pipeline on top of its TLS, or connect with tls://");
  const { reconnect, disconnect } = await entity.promise;
  reconnect.stop();
  await disconnect.call(await entity.promise);
});

/** A stream on which one side of XMPP is spoken by hand. */
class Spoken {
  #heard = "";
  #wake = () => {};
  readonly #stream: Duplex;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("data", (chunk) => {
      this.#heard += chunk;
      this.#wake();
    });
  }

  /** Says something, and waits for what matches; returns all that came. */
  async ask(text: string, answer: RegExp): Promise<string> {
    this.#heard = "";
    this.#stream.write(text);
    while (!answer.test(this.#heard)) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.#heard;
  }
}

const HEADER = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams'>";
const FEATURES = /<\/stream:features>$/;

test("XMPP client that does STARTTLS on top of the pipeline: FollowError, and not a byte of it is touched", async () => {
  await using server = await startProsody({ startTls: "required" });
  const events = new Events();
  const stream = connectDuplex(server.tcp, {
    transport: tcp(),
    pipeline: (p) => p.addLast(...keepAliveUnder(xmppFormat(), under(100)), events),
    onUnhandled: () => {}, // the test asks for it
  });
  const clear = new Spoken(stream);
  await clear.ask(HEADER, FEATURES);
  await clear.ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", /<proceed[^>]*>$/);
  const socket = tls.connect({ ...CA, socket: stream });
  await once(socket, "secureConnect");
  const spoken = new Spoken(socket);
  await spoken.ask(HEADER, FEATURES);
  const credentials = btoa("\0alice\0secret");
  await spoken.ask(
    `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${credentials}</auth>`,
    /<success/,
  );
  await spoken.ask(HEADER, FEATURES);
  await spoken.ask(
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    /<\/iq>$/,
  );
  const ping = (id: number) => `<iq type='get' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`;
  for (let id = 0; id < 5; id++) {
    await spoken.ask(ping(id), new RegExp(`<iq [^>]*id='${id}'[^>]*/>$`));
    await delay(100); // as long as there is between two beats, where there are any
  }
  assertEquals([events.of("beat"), events.downs, server.count(/longlink-ping/)], [[], [], 0]);
  assertEquals(events.errors.map((error) => (error as Error).name), ["FollowError"]);
  await spoken.ask("</stream:stream>", /<\/stream:stream>$/);
  socket.destroy();
  stream.destroy();
  await events.until("linkDown");
});
