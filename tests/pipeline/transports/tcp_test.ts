import { assertEquals, assertInstanceOf, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { ConnectError, type Link, SystemEventLoop } from "../../../pipeline/mod.ts";
import { tcp } from "../../../pipeline/transports/tcp.ts";
import { concat, LinkRecorder } from "./_link_recorder.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./_test_certificate.ts";
import { transportSuite } from "./_transport_suite.ts";

const loop = new SystemEventLoop();
const badAddresses = [
  ["127.0.0.1:80", /^Cannot parse the address "127\.0\.0\.1:80": it must begin with tcp:\/\/ or tls:\/\/$/],
  ["http://127.0.0.1:80", /must begin with/],
  ["tcp:127.0.0.1:80", /must begin with/],
  ["tcp://127.0.0.1", /the port is missing/],
  ["tcp://127.0.0.1:", /the port is missing/],
  ["tcp://:80", /the host is missing/],
  ["tcp://::1:80", /IPv6 needs brackets/],
  ["tcp://h:65536", /a number from 1 to 65535, not 65536/],
  ["tcp://h:0", /a number from 1 to 65535, not 0/],
  ["tcp://h:-1", /not -1/],
  ["tcp://h:8x", /not 8x/],
  ["tcp://h:80/path", /only a host and a port/],
  ["tcp://name:secret@h:80", /"tcp:\/\/h:80": only a host and a port/],
  ["tcp://h o:80", /only a host and a port/],
  ["tcp://[zz]:80", /the host is missing or malformed/],
  ["tcp://h\0:80", /the host is missing or malformed/],
  ["tcp://256.0.0.1:80", /the host is missing or malformed/],
  ["", /must begin with/],
] as const;

transportSuite("tcp", () => ({
  transport: tcp(),
  listenAddress: "tcp://127.0.0.1:0",
  refusedAddress: "tcp://127.0.0.1:1",
  loop,
}), {
  abortResets: true,
  tooMuchBytes: 32 * 1024 * 1024,
  flushesInParts: true,
  closeWaitsForPeer: true,
  halfCloses: true,
  tellsPause: true,
  badAddresses,
});

transportSuite("tls", () => ({
  transport: tcp({ tls: { ca: TEST_CERTIFICATE, cert: TEST_CERTIFICATE, key: TEST_KEY } }),
  listenAddress: "tls://127.0.0.1:0",
  refusedAddress: "tls://127.0.0.1:1",
  loop,
}), {
  abortResets: false,
  // In Deno TLS sockets read on while they are paused.
  tooMuchBytes: "Deno" in globalThis ? undefined : 32 * 1024 * 1024,
  flushesInParts: true,
  closeWaitsForPeer: true,
  halfCloses: true,
  tellsPause: true,
  badAddresses: [],
});

const { signal } = new AbortController();
const unwanted = (error: Error) => {
  throw error;
};

Deno.test("tcp() refuses a certificate that nobody vouches for, and tells both ends", async () => {
  const told = Promise.withResolvers<Error>();
  const server = tcp({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
  const listener = await server.listen!("tls://127.0.0.1:0", { loop, onLink() {}, onError: told.resolve });
  const connecting = tcp().connect({ address: listener.address }, { loop, signal });
  const error = await assertRejects(() => Promise.resolve(connecting), ConnectError);
  assertEquals(error.address, listener.address);
  assertMatch(error.message, /certificate/i);
  assertInstanceOf(error.cause, Error);
  assertMatch((await told.promise).message, /^Cannot accept a peer on tls:\/\/127\.0\.0\.1:\d+: /);
  await listener.close();
});

Deno.test("tcp() takes a certificate that the given authority vouches for, under each of its names", async () => {
  const server = tcp({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
  const onLink = (link: Link) => void new LinkRecorder(link);
  const listener = await server.listen!("tls://127.0.0.1:0", { loop, onLink, onError: unwanted });
  const trusting = tcp({ tls: { ca: TEST_CERTIFICATE } });
  for (const address of [listener.address, listener.address.replace("127.0.0.1", "localhost")]) {
    const client = new LinkRecorder(await trusting.connect({ address }, { loop, signal }));
    client.close();
    assertEquals(await client.end(), "closed");
  }
  await listener.close();
});

Deno.test("tcp() refuses a good certificate of another host", async () => {
  const server = tcp({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
  // The server may have its link by the time the client has looked at the certificate.
  const onLink = (link: Link) => void new LinkRecorder(link);
  const listener = await server.listen!("tls://127.0.0.1:0", { loop, onLink, onError() {} });
  const named = tcp({ tls: { ca: TEST_CERTIFICATE, servername: "chat.example" } });
  const error = await assertRejects(
    () => Promise.resolve(named.connect({ address: listener.address }, { loop, signal })),
    ConnectError,
  );
  assertMatch(error.message, /does not match/);
  await listener.close();
});

// Elsewhere a machine has but one address of its own.
const hasOtherAddresses = Deno.build.os === "linux";

Deno.test({
  name: "tcp() refuses a good certificate of another IP address",
  ignore: !hasOtherAddresses,
  async fn() {
    const server = tcp({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
    const onLink = (link: Link) => void new LinkRecorder(link);
    // The certificate is for 127.0.0.1 and localhost.
    const listener = await server.listen!("tls://127.0.0.2:0", { loop, onLink, onError() {} });
    const trusting = tcp({ tls: { ca: TEST_CERTIFICATE } });
    const error = await assertRejects(
      () => Promise.resolve(trusting.connect({ address: listener.address }, { loop, signal })),
      ConnectError,
    );
    assertMatch(error.message, /does not match/);
    await listener.close();
  },
});

Deno.test("tcp() takes any certificate where it was told to", async () => {
  const server = tcp({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
  const onLink = (link: Link) => void new LinkRecorder(link);
  const listener = await server.listen!("tls://127.0.0.1:0", { loop, onLink, onError: unwanted });
  const trusting = tcp({ tls: { rejectUnauthorized: false } });
  const client = new LinkRecorder(await trusting.connect({ address: listener.address }, { loop, signal }));
  client.close();
  assertEquals(await client.end(), "closed");
  await listener.close();
});

Deno.test("tcp() cuts off a peer that does not get the TLS handshake done", async () => {
  const told = Promise.withResolvers<Error>();
  const server = tcp({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY, handshakeTimeoutMs: 20 } });
  const listener = await server.listen!("tls://127.0.0.1:0", { loop, onLink() {}, onError: told.resolve });
  const address = listener.address.replace("tls:", "tcp:");
  const silent = new LinkRecorder(await tcp().connect({ address }, { loop, signal }));
  assertMatch((await told.promise).message, /^Cannot accept a peer on tls:/);
  assertEquals(await silent.end(), "remoteClosed");
  await listener.close();
});

Deno.test("tcp() needs certificate and key to listen with TLS", () => {
  const options = { loop, onLink() {}, onError: unwanted };
  assertThrows(
    () => tcp().listen!("tls://127.0.0.1:0", options),
    TypeError,
    "Cannot listen on tls://127.0.0.1:0: tls.cert and tls.key are needed",
  );
});

Deno.test("tcp() says that an address is in use", async () => {
  const options = { loop, onLink() {}, onError: unwanted };
  const listener = await tcp().listen!("tcp://127.0.0.1:0", options);
  const error = await assertRejects(() => tcp().listen!(listener.address, options), Error);
  assertEquals(error.message, `Cannot listen on ${listener.address}: the address is in use`);
  await listener.close();
});

Deno.test("tcp() gives bytes that later reads leave alone", async () => {
  const accepted = Promise.withResolvers<Link>();
  const listener = await tcp().listen!("tcp://127.0.0.1:0", {
    loop,
    onLink: accepted.resolve,
    onError: unwanted,
  });
  const client = new LinkRecorder(await tcp().connect({ address: listener.address }, { loop, signal }));
  const server = new LinkRecorder(await accepted.promise);
  for (let i = 0; i < 20; i++) {
    client.send(new Uint8Array(1000).fill(i));
    await server.until(() => server.receivedBytes === 1000 * (i + 1));
  }
  assertEquals(server.bytes, concat(Array.from({ length: 20 }, (_, i) => new Uint8Array(1000).fill(i))));
  client.close();
  assertEquals([await client.end(), await server.end()], ["closed", "remoteClosed"]);
  await listener.close();
});
