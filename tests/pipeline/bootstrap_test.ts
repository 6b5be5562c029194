import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { Bootstrap } from "../../pipeline/bootstrap.ts";
import type { UnhandledReport } from "../../pipeline/channel.ts";
import { ConnectError } from "../../pipeline/errors.ts";
import { VirtualEventLoop } from "../../pipeline/virtual_event_loop.ts";
import { ManualLink, ManualTransport } from "./_manual_transport.ts";
import { recorder } from "./_recorder.ts";
import { turn } from "./_turn.ts";

const ADDRESS = "manual://far";

function setUp() {
  const loop = new VirtualEventLoop();
  const transport = new ManualTransport();
  const log: string[] = [];
  const reports: UnhandledReport[] = [];
  const onUnhandled = (report: UnhandledReport) => void reports.push(report);
  return {
    loop,
    transport,
    log,
    reports,
    options: { loop, transport, onUnhandled, connectTimeoutMs: 1_000 },
  };
}

Deno.test("Bootstrap() refuses numbers that its channels would refuse", () => {
  const { options } = setUp();
  assertThrows(() => new Bootstrap({ ...options, connectTimeoutMs: NaN }), RangeError, "got NaN");
  const waterMarks = { lowBytes: 100, highBytes: 10 };
  assertThrows(() => new Bootstrap({ ...options, waterMarks }), RangeError, "got 100 and 10");
});

Deno.test("Bootstrap.connect() makes a channel of its own each time", async () => {
  const { transport, log, options } = setUp();
  let made = 0;
  const bootstrap = new Bootstrap({
    ...options,
    pipeline: (pipeline, channel) => {
      assertStrictEquals(pipeline.channel, channel);
      pipeline.addLast(recorder(String(made++), log));
    },
  });
  transport.ready.push(new ManualLink(), new ManualLink());
  const one = await bootstrap.connect(ADDRESS);
  const other = await bootstrap.connect(() => ADDRESS);
  assert(one !== other && one.isActive && other.isActive);
  assertEquals(log.filter((entry) => entry.endsWith("active")), ["0 active", "1 active"]);
  assertStrictEquals(one.loop, options.loop);
});

Deno.test("Bootstrap.connect() that fails closes its channel", async () => {
  const { loop, transport, log, options, reports } = setUp();
  const bootstrap = new Bootstrap({ ...options, pipeline: (p) => p.addLast(recorder("h", log)) });
  const refused = bootstrap.connect(ADDRESS);
  transport.tries[0]!.fail(new ConnectError(ADDRESS, "connection refused"));
  await assertRejects(() => refused, ConnectError, "connection refused");
  const late = bootstrap.connect(ADDRESS);
  loop.advanceBy(1_000);
  await assertRejects(() => late, ConnectError, "timed out after 1000 ms");
  assertEquals(log.filter((entry) => entry === "h removed").length, 2);
  await turn();
  assertEquals([reports, loop.pendingTimers], [[], 0]);
});

Deno.test("Bootstrap.connect() gives up when its signal says so, beforehand or meanwhile", async () => {
  const { loop, transport, log, options } = setUp();
  const bootstrap = new Bootstrap({ ...options, pipeline: (p) => p.addLast(recorder("h", log)) });
  const reason = new Error("changed my mind");
  assertStrictEquals(
    await bootstrap.connect(ADDRESS, { signal: AbortSignal.abort(reason) }).catch((e) => e),
    reason,
  );
  assertEquals(transport.tries.length, 0);
  const controller = new AbortController();
  const connecting = bootstrap.connect(ADDRESS, { signal: controller.signal });
  controller.abort(reason);
  assertStrictEquals(await connecting.catch((error) => error), reason);
  assertEquals([log.filter((entry) => entry === "h removed").length, loop.pendingTimers], [2, 0]);
});

Deno.test("Bootstrap.connect() fails with why there is no link, whatever a handler does to the close", async () => {
  const { transport, reports, options } = setUp();
  const second = new Error("not now");
  const bootstrap = new Bootstrap({
    ...options,
    pipeline: (pipeline) =>
      pipeline.addLast({
        close() {
          throw second;
        },
      }),
  });
  const connecting = bootstrap.connect(ADDRESS);
  transport.tries[0]!.fail(new Error("refused"));
  await assertRejects(() => connecting, Error, "refused");
  assertEquals(reports.map((report) => report.kind === "error" && report.error), [second]);
});

Deno.test("Bootstrap.connect() with one handler for all channels says that it is not sharable", async () => {
  const { transport, options, log } = setUp();
  const handler = recorder("h", log);
  const bootstrap = new Bootstrap({ ...options, pipeline: (pipeline) => pipeline.addLast(handler) });
  transport.ready.push(new ManualLink());
  await bootstrap.connect(ADDRESS);
  await assertRejects(
    () => bootstrap.connect(ADDRESS),
    TypeError,
    'Cannot add the handler "Handler#0": the instance is in a pipeline already and is not sharable',
  );
});
