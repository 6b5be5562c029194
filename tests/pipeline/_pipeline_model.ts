/** One change of a pipeline, or an event; targets are chosen by number among what is there at the time. */
export interface Step {
  readonly kind:
    | "addFirst"
    | "addLast"
    | "addBefore"
    | "addAfter"
    | "remove"
    | "replace"
    | "removeSelf"
    | "replaceSelf"
    | "addAfterSelf"
    | "read"
    | "write"
    | "close";
  readonly target: number;
}

/** What each handler does, by its number, when it is added and when it first sees a message. */
export interface Script {
  readonly onAdded: readonly Step[];
  readonly onRead: readonly Step[];
  readonly onWrite: readonly Step[];
}

/** What carries out steps: the pipeline, or the model of it. Handlers are numbers, in the order of their making. */
export interface Player {
  names(): number[];
  add(place: "First" | "Last" | "Before" | "After", target: number): void;
  remove(target: number): void;
  replace(target: number): void;
  fire(kind: "read" | "write"): void;
  close(): void;
}

/** So many handlers and nested events a run may have, or scripts that add to each other would never end. */
const MAX_HANDLERS = 24;
const MAX_FIRES = 40;

/** Carries out steps on a player, in the same way for each. */
export class Play {
  made = 0;
  fires = 0;
  isClosed = false;

  constructor(readonly scripts: readonly Script[]) {}

  script(handler: number): Script {
    return this.scripts[handler % this.scripts.length]!;
  }

  run(player: Player, steps: readonly Step[], self?: number): void {
    for (const { kind, target } of steps) {
      if (this.isClosed) return;
      const names = player.names();
      const chosen = names[target % Math.max(names.length, 1)];
      const own = self !== undefined && names.includes(self) ? self : undefined;
      const mayAdd = this.made < MAX_HANDLERS;
      if (kind === "addFirst" && mayAdd) player.add("First", 0);
      else if (kind === "addLast" && mayAdd) player.add("Last", 0);
      else if (kind === "addBefore" && mayAdd && chosen !== undefined) player.add("Before", chosen);
      else if (kind === "addAfter" && mayAdd && chosen !== undefined) player.add("After", chosen);
      else if (kind === "addAfterSelf" && mayAdd && own !== undefined) player.add("After", own);
      else if (kind === "replace" && mayAdd && chosen !== undefined) player.replace(chosen);
      else if (kind === "replaceSelf" && mayAdd && own !== undefined) player.replace(own);
      else if (kind === "remove" && chosen !== undefined) player.remove(chosen);
      else if (kind === "removeSelf" && own !== undefined) player.remove(own);
      else if ((kind === "read" || kind === "write") && this.fires++ < MAX_FIRES) player.fire(kind);
      else if (kind === "close" && target === 0) {
        this.isClosed = true;
        player.close();
      }
    }
  }
}

/** The pipeline's contract on a plain array: slow, and too simple to be wrong. */
export class PipelineModel implements Player {
  readonly log: string[] = [];
  readonly #play: Play;
  readonly #list: number[] = [];
  /** Where those that were taken out had their neighbours; undefined at an end. */
  readonly #gone = new Map<number, { previous: number | undefined; next: number | undefined }>();
  readonly #seen = new Set<string>();

  constructor(scripts: readonly Script[]) {
    this.#play = new Play(scripts);
  }

  run(steps: readonly Step[]): void {
    this.#play.run(this, steps);
  }

  names(): number[] {
    return this.#list.slice();
  }

  add(place: "First" | "Last" | "Before" | "After", target: number): void {
    const at = this.#list.indexOf(target);
    const index = { First: 0, Last: this.#list.length, Before: at, After: at + 1 }[place];
    const handler = this.#play.made++;
    this.#list.splice(index, 0, handler);
    this.#added(handler);
  }

  remove(target: number): void {
    const at = this.#list.indexOf(target);
    this.#gone.set(target, { previous: this.#list[at - 1], next: this.#list[at + 1] });
    this.#list.splice(at, 1);
    this.log.push(`${target} removed`);
  }

  replace(target: number): void {
    const handler = this.#play.made++;
    this.#list[this.#list.indexOf(target)] = handler;
    this.#gone.set(target, { previous: handler, next: handler });
    this.#added(handler);
    this.log.push(`${target} removed`);
  }

  fire(kind: "read" | "write"): void {
    this.#visit(kind, kind === "read" ? this.#list[0] : this.#list.at(-1));
  }

  close(): void {
    for (let last = this.#list.at(-1); last !== undefined; last = this.#list.at(-1)) this.remove(last);
  }

  #added(handler: number): void {
    this.log.push(`${handler} added`);
    this.#play.run(this, this.#play.script(handler).onAdded, handler);
  }

  #visit(kind: "read" | "write", handler: number | undefined): void {
    if (handler === undefined) return;
    this.log.push(`${handler} ${kind}`);
    if (!this.#seen.has(`${handler} ${kind}`)) {
      this.#seen.add(`${handler} ${kind}`);
      const { onRead, onWrite } = this.#play.script(handler);
      this.#play.run(this, kind === "read" ? onRead : onWrite, handler);
    }
    this.#visit(kind, this.#after(kind, handler));
  }

  /** The next one that is there, seen from one that may be gone. */
  #after(kind: "read" | "write", handler: number): number | undefined {
    const at = this.#list.indexOf(handler);
    if (at >= 0) return this.#list[kind === "read" ? at + 1 : at - 1];
    const { previous, next } = this.#gone.get(handler)!;
    const neighbour = kind === "read" ? next : previous;
    if (neighbour === undefined || this.#list.includes(neighbour)) return neighbour;
    return this.#after(kind, neighbour);
  }
}
