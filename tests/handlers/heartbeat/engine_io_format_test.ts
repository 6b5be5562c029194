import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { engineIoFormat, Heartbeat } from "../../../handlers/mod.ts";
import { ProtocolLink } from "./_protocol_link.ts";

const open = (pingInterval: unknown, pingTimeout: unknown) =>
  `0${JSON.stringify({ sid: "x", pingInterval, pingTimeout })}`;

/** The longest silence that the first message of the server announces. */
function announced(format = engineIoFormat(), first = open(25_000, 20_000)): number | undefined {
  const link = new ProtocolLink(format, { keepsMessages: true });
  link.receive(first, "2", open(1, 1)); // only the first message says it
  const events = link.collector.events.splice(0);
  assertEquals(link.received(), { text: first + "2" + open(1, 1), pongs: 0 });
  return events.find(({ type }) => type === "serverPings")?.longestSilenceMs;
}

Deno.test("engineIoFormat() expects the server's pings when it has announced them", () => {
  assertEquals(announced(), 30_000);
  assertEquals(announced(engineIoFormat({ graceMs: 1_000 })), 26_000);
  assertEquals(announced(engineIoFormat(), open(25_000, 2_000)), 27_000);
});

Deno.test("engineIoFormat() knows nothing where the server says nothing that makes sense", () => {
  for (const first of ["3probe", "0{", "0null", open(-1, 0), open("x", 1), open(1, undefined), "4hi"]) {
    assertEquals(announced(engineIoFormat(), first), undefined);
  }
  assertEquals(announced(engineIoFormat({ pingIntervalMs: 10_000 }), "3probe"), 15_000);
});

Deno.test("engineIoFormat() asks nothing", async () => {
  const link = new ProtocolLink(engineIoFormat(), { keepsMessages: true });
  const error = await link.channel.pipeline.writeAndFlush(new Heartbeat("ping")).catch(String);
  assertStringIncludes(String(error), "engine.io has no ping of a client");
  assertEquals(engineIoFormat().kinds, []);
});

Deno.test("engineIoFormat() refuses numbers out of range", () => {
  assertThrows(
    () => engineIoFormat({ graceMs: -1 }),
    RangeError,
    "graceMs must be from 0 to 600000 ms, got -1",
  );
  assertThrows(() => engineIoFormat({ pingIntervalMs: 0 }), RangeError, "pingIntervalMs");
});
