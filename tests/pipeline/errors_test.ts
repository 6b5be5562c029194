import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { ChannelClosedError, ConnectError, LinkDownError, PipelineError } from "../../pipeline/errors.ts";

Deno.test("the pipeline's errors say what was attempted and why it failed", () => {
  const cause = new Error("why");
  const closed = new ChannelClosedError("write", { cause });
  const down = new LinkDownError("flush", "unanswered", { cause });
  const never = new LinkDownError("write", "notConnected");
  const connect = new ConnectError("tcp://127.0.0.1:9", "connection refused", { cause });
  const add = new PipelineError("add", "chat", { cause });
  const remove = new PipelineError("remove", "chat");
  assertEquals(
    [closed, down, never, connect, add, remove].map(String),
    [
      "ChannelClosedError: Cannot write: the channel is closed",
      "LinkDownError: Cannot flush: the link is down (unanswered)",
      "LinkDownError: Cannot write: the link is down (notConnected)",
      "ConnectError: Cannot connect to tcp://127.0.0.1:9: connection refused",
      'PipelineError: Cannot add the handler "chat": it threw',
      'PipelineError: Cannot remove the handler "chat": it threw',
    ],
  );
  assertEquals([closed.operation, down.operation, down.reason, never.reason], [
    "write",
    "flush",
    "unanswered",
    "notConnected",
  ]);
  assertEquals([connect.address, add.handlerName], ["tcp://127.0.0.1:9", "chat"]);
  for (const error of [closed, down, connect, add]) {
    assertInstanceOf(error, Error);
    assert(error.cause === cause);
  }
  assert(!("cause" in never));
});
