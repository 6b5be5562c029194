/**
 * One handler hop: `hop.ts FOLDER inbound|outbound|bare HANDLERS CLASSES SKIPPED`.
 *
 * The pipeline forwards a message through HANDLERS handlers of CLASSES classes
 * (1 or 5), with SKIPPED handlers in front of each that have no method for it,
 * up to a sink that counts it. `bare` has no pipeline: each object calls the
 * next, by a function that it was given. Any pipeline costs at least that.
 *
 * Prints the ns a handler: the whole call divided by HANDLERS.
 */

import process from "node:process";
import {
  type ChannelHandler,
  type ChannelHandlerContext,
  type ChannelPromise,
  EmbeddedChannel,
} from "../../pipeline/mod.ts";
import { nsPerCall } from "./_rounds.ts";

/** A decoded message, as handlers behind a frame decoder see it. */
const MESSAGE = { text: "hello" };

// Classes with one body: one call site sees five receivers, as with five
// different handlers. A single class lets the engine inline the chain.
class HandlerA implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

class HandlerB implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

class HandlerC implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

class HandlerD implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

class HandlerE implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

const CLASSES = [HandlerA, HandlerB, HandlerC, HandlerD, HandlerE];

/** Has no method for messages. */
class Bystander implements ChannelHandler {
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    context.fireUserEventTriggered(event);
  }
}

/** Consumes what arrives, so that neither the tail's list nor the transport's buffer is measured. */
class Sink implements ChannelHandler {
  count = 0;

  channelRead(_context: ChannelHandlerContext, _message: unknown): void {
    this.count++;
  }
  write(_context: ChannelHandlerContext, _message: unknown, promise: ChannelPromise): void {
    this.count++;
    promise.resolve();
  }
}

/** A chain of objects without a pipeline, by the quickest call to a function that is not known beforehand. */
class BareLink {
  next!: BareLink;
  readonly #call: (link: BareLink, message: unknown) => void;

  constructor(call: (link: BareLink, message: unknown) => void) {
    this.#call = call;
  }

  fire(message: unknown): void {
    const next = this.next;
    const call = next.#call;
    call(next, message);
  }
}

const FORWARDS: readonly ((link: BareLink, message: unknown) => void)[] = [
  (link, message) => link.fire(message),
  (link, message) => link.fire(message),
  (link, message) => link.fire(message),
  (link, message) => link.fire(message),
  (link, message) => link.fire(message),
];

const [, , , direction, ...numbers] = process.argv;
const [handlers, classes, skipped] = numbers.map(Number) as [number, number, number];
const sink = new Sink();
let fired = 0;
const fire = direction === "bare" ? bare() : direction === "inbound" ? inbound() : outbound();
const { ns } = nsPerCall({
  ns: () => {
    fired++;
    fire();
  },
}, { warmUpMs: 300, rounds: 250 });
if (sink.count !== fired) throw new Error(`Cannot measure: ${sink.count} of ${fired} messages arrived`);
console.log(JSON.stringify({ ns: ns / handlers }));

function inbound(): () => void {
  const { pipeline } = new EmbeddedChannel({ handlers: [...forwarders(), sink] });
  return () => pipeline.fireChannelRead(MESSAGE);
}

function outbound(): () => void {
  const { pipeline } = new EmbeddedChannel({ handlers: [sink, ...forwarders()] });
  return () => void pipeline.write(MESSAGE);
}

function bare(): () => void {
  const first = new BareLink(() => {});
  let last = first;
  for (let i = 0; i < handlers; i++) last = last.next = new BareLink(FORWARDS[i % classes]!);
  last.next = new BareLink(() => void sink.count++);
  return () => first.fire(MESSAGE);
}

function forwarders(): ChannelHandler[] {
  return Array.from({ length: handlers }, (_, i) => [
    ...Array.from({ length: skipped }, () => new Bystander()),
    new CLASSES[i % classes]!(),
  ]).flat();
}
