import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ChannelHandler } from "../../pipeline/channel_handler.ts";
import { EmbeddedChannel } from "../../pipeline/embedded_channel.ts";
import { PipelineModel, Play, type Player, type Script, type Step } from "./_pipeline_model.ts";

/** The real pipeline, played like the model. */
class RealPipeline implements Player {
  readonly log: string[] = [];
  readonly channel = new EmbeddedChannel();
  readonly #play: Play;

  constructor(scripts: readonly Script[]) {
    this.#play = new Play(scripts);
  }

  run(steps: readonly Step[]): void {
    this.#play.run(this, steps);
  }

  names(): number[] {
    return this.channel.pipeline.names().map(Number);
  }

  add(place: "First" | "Last" | "Before" | "After", target: number): void {
    const { pipeline } = this.channel;
    const [name, handler] = this.#make();
    if (place === "First") pipeline.addFirst(name, handler);
    else if (place === "Last") pipeline.addLast(name, handler);
    else if (place === "Before") pipeline.addBefore(String(target), name, handler);
    else pipeline.addAfter(String(target), name, handler);
  }

  remove(target: number): void {
    this.channel.pipeline.remove(String(target));
  }

  replace(target: number): void {
    const [name, handler] = this.#make();
    this.channel.pipeline.replace(String(target), handler, name);
  }

  fire(kind: "read" | "write"): void {
    if (kind === "read") this.channel.pipeline.fireChannelRead("message");
    else this.channel.write("message").onSettled(() => {});
  }

  close(): void {
    this.channel.close();
  }

  #make(): [string, ChannelHandler] {
    const self = this.#play.made++;
    const script = this.#play.script(self);
    let reads = 0;
    let writes = 0;
    return [String(self), {
      handlerAdded: () => {
        this.log.push(`${self} added`);
        this.#play.run(this, script.onAdded, self);
      },
      handlerRemoved: () => this.log.push(`${self} removed`),
      channelRead: (context, message) => {
        this.log.push(`${self} read`);
        if (reads++ === 0) this.#play.run(this, script.onRead, self);
        context.fireChannelRead(message);
      },
      write: (context, message, promise) => {
        this.log.push(`${self} write`);
        if (writes++ === 0) this.#play.run(this, script.onWrite, self);
        context.write(message, promise);
      },
    }];
  }
}

const kinds: Step["kind"][] = [
  "addFirst",
  "addLast",
  "addBefore",
  "addAfter",
  "remove",
  "replace",
  "removeSelf",
  "replaceSelf",
  "addAfterSelf",
  "read",
  "write",
  "close",
];
const step = fc.record({ kind: fc.constantFrom(...kinds), target: fc.nat(20) });
const few = fc.array(step, { maxLength: 3 });
const scripts = fc.array(fc.record({ onAdded: few, onRead: few, onWrite: few }), {
  minLength: 1,
  maxLength: 6,
});
const steps = fc.array(step, { minLength: 1, maxLength: 12 });
const start: Step[] = [{ kind: "addLast", target: 0 }, { kind: "addLast", target: 0 }, {
  kind: "addLast",
  target: 0,
}];

Deno.test("ChannelPipeline shows each event to the same handlers, in the same order, as a plain list would", () => {
  let events = 0;
  fc.assert(
    fc.property(scripts, steps, (scripts, steps) => {
      const real = new RealPipeline(scripts);
      const model = new PipelineModel(scripts);
      for (const player of [real, model]) {
        player.run([...start, ...steps, { kind: "read", target: 0 }, { kind: "write", target: 0 }]);
      }
      assertEquals(real.log, model.log);
      assertEquals(real.names(), model.names());
      events += real.log.length;
    }),
    { seed: 1, numRuns: 1000 },
  );
  assert(events > 20_000, `the runs had ${events} events, too few to prove anything`);
});

Deno.test("ChannelPipeline calls handlerAdded and handlerRemoved once for each handler, and nothing after that", () => {
  fc.assert(
    fc.property(scripts, steps, (scripts, steps) => {
      const real = new RealPipeline(scripts);
      real.run([...start, ...steps]);
      real.channel.close();
      const once = new Set(real.log.filter((entry) => entry.endsWith("added") || entry.endsWith("removed")));
      const lifecycle = real.log.filter((entry) => once.has(entry));
      assertEquals(lifecycle.length, once.size);
      assertEquals(lifecycle.filter((entry) => entry.endsWith("added")).length * 2, lifecycle.length);
      const removed = new Set<string>();
      for (const entry of real.log) {
        const [self, event] = entry.split(" ") as [string, string];
        assert(!removed.has(self), `${entry} after it was removed`);
        if (event === "removed") removed.add(self);
      }
    }),
    { seed: 2, numRuns: 500 },
  );
});
