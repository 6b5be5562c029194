/**
 * How a client comes to its session.
 *
 * @module
 */

import type { ChannelHandlerContext, Timer } from "../../pipeline/mod.ts";
import { DecodeError, SessionError } from "../errors.ts";
import type { GoAwayEvent } from "../keep_alive_event.ts";
import type { ClaimedSession } from "../stores/session_store.ts";
import type { ClientSettings } from "./_client_settings.ts";
import type { Session } from "./_session.ts";
import { notDue, SESSION_VERSION, type SessionFrame } from "./_session_frame.ts";
import { sendSessionFrame } from "./_session_wire.ts";

/** What a handshake does through its handler. */
export interface HandshakeOwner {
  /** The channel's session, which is another one after {@linkcode lost}. */
  session(): Session;
  /** The session stands on the link. */
  up(resumed: boolean): void;
  /** The server does not have the session any more: another one is needed. */
  lost(): void;
  /** A frame that has come before the session was up. */
  frameRead(frame: SessionFrame): void;
}

/**
 * - `down`: no link.
 * - `loading`: a link stands, and the store is still being read.
 * - `asking`: the server was asked for a session.
 * - `creating`: the session is open, and the store is being told.
 * - `done`: messages flow.
 * - `over`: for good.
 */
type State =
  | { readonly kind: "down" | "loading" | "done" | "over" }
  | { readonly kind: "asking"; readonly timer: Timer; readonly refusals: number }
  /** `early`: what the server says meanwhile. */
  | { readonly kind: "creating"; readonly early: SessionFrame[]; wantsRead: boolean };

const DOWN: State = { kind: "down" };
const LOADING: State = { kind: "loading" };
const DONE: State = { kind: "done" };
const OVER: State = { kind: "over" };

/** A server that goes on refusing is not one to go on asking. */
const MAX_REFUSALS = 4;
/** A client that was restored from an old copy of its store may be behind; a number far beyond would use up those that are left. */
const MOST_LINKS_BEHIND = 2 ** 32;
/** After so many links in a row that ended without an answer somebody should know. */
const MAX_UNANSWERED_LINKS = 3;

/**
 * Reads the store, asks the server on each link for the session that was there
 * or for a new one, and tells the store of that. One for all links of a channel.
 */
export class ClientHandshake {
  readonly #context: ChannelHandlerContext;
  readonly #settings: ClientSettings;
  readonly #owner: HandshakeOwner;
  #state: State = DOWN;
  /** Whether the store is being asked for a session, or told of a new one: until then none is asked for. */
  #isLoading = false;
  /** Whether the store can be told of a new session: not if it has one that could not be read. */
  #isStoreUsable = true;
  #unansweredLinks = 0;

  constructor(context: ChannelHandlerContext, settings: ClientSettings, owner: HandshakeOwner) {
    this.#context = context;
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Whether the session is up on the link that stands. */
  get isDone(): boolean {
    return this.#state === DONE;
  }

  /** Whether {@linkcode end} was called. */
  get isOver(): boolean {
    return this.#state === OVER;
  }

  /** Takes the session that the store has, if there is one. */
  load(): void {
    const { store, name } = this.#settings;
    if (store === undefined) return;
    const loaded = (claimed: ClaimedSession | undefined) => {
      this.#isLoading = false;
      if (claimed !== undefined && this.#state !== OVER) {
        const session = this.#owner.session();
        session.id = claimed.record.id;
        session.token = claimed.record.token;
        session.restore(claimed.record);
        session.keepIn({ store, key: name, claim: claimed.claim }, claimed.record);
      }
      if (this.#state === LOADING) this.#ask(0);
    };
    const failed = (error: unknown) => {
      this.#context.fireExceptionCaught(error);
      // What is there may be read next time, and must not be overwritten; unless it is no session at all.
      this.#isStoreUsable = error instanceof TypeError;
      loaded(undefined);
    };
    this.#isLoading = true;
    try {
      const claimed = store.claim(name);
      if (claimed instanceof Promise) claimed.then(loaded, failed);
      else loaded(claimed);
    } catch (error) {
      failed(error);
    }
  }

  linkUp(): void {
    if (this.#state === OVER) return;
    if (this.#isLoading) this.#state = LOADING;
    else this.#ask(0);
  }

  /** @returns What somebody should know, if this was one link too many that ended without an answer. */
  linkDown(): SessionError | undefined {
    const wasAsking = this.#state.kind === "asking";
    if (this.#state !== OVER) this.#leaveFor(DOWN);
    if (!wasAsking || ++this.#unansweredLinks !== MAX_UNANSWERED_LINKS) return undefined;
    return new SessionError("open a session", "the server does not answer");
  }

  /** No session will be asked for any more. */
  end(): void {
    this.#leaveFor(OVER);
  }

  /** Whether nothing more may be read now: while the store is told of the session, what the server says waits. */
  holdsRead(): boolean {
    if (this.#state.kind !== "creating") return false;
    this.#state.wantsRead = true;
    return true;
  }

  /** @throws {DecodeError} If the frame makes no sense here. */
  frameRead(frame: SessionFrame): void {
    const session = this.#owner.session();
    const state = this.#state;
    if (state.kind === "creating") {
      state.early.push(frame);
      return;
    }
    if (state.kind === "asking") {
      if (frame.kind === "opened" && session.id === "") return this.#opened(session, frame);
      if (frame.kind === "resumed" && session.id !== "") return this.#resumed(session, frame.received);
      if (frame.kind === "refused") return this.#refused(state.refusals, frame);
    }
    throw notDue(frame);
  }

  #ask(refusals: number): void {
    const context = this.#context;
    const session = this.#owner.session();
    const timer = context.loop.schedule(this.#settings.handshakeTimeoutMs, () => {
      context.channel.drop("unanswered", new SessionError("open the session", "the server does not answer"));
    });
    this.#leaveFor({ kind: "asking", timer, refusals });
    if (session.id === "") {
      sendSessionFrame(context, { kind: "open", version: SESSION_VERSION });
      return;
    }
    session.countLink(session.links + 1);
    const { id, token, links: link, inbox: { received } } = session;
    sendSessionFrame(context, { kind: "resume", version: SESSION_VERSION, id, token, link, received });
  }

  #resumed(session: Session, received: number): void {
    if (!session.canGoOn(received)) {
      const { acknowledged, sent } = session.outbox;
      // One of the two has lost what its store had promised to keep; to go on would fail on each link.
      this.#owner.lost();
      throw new DecodeError(
        "session frame",
        `it says that ${received} messages arrived, which cannot be after ${acknowledged} of ${sent} were acknowledged`,
      );
    }
    this.#leaveFor(DONE);
    session.linkUp(received);
    if (session.isLinked) this.#up(true);
  }

  #opened(session: Session, { id, token }: SessionFrame & { kind: "opened" }): void {
    const { store, name } = this.#settings;
    session.id = id;
    session.token = token;
    const creating: State = { kind: "creating", early: [], wantsRead: false };
    this.#leaveFor(creating);
    const begin = (claim: number | undefined) => {
      this.#isLoading = false;
      // What was written before goes out after the application's first words, such as a login.
      const waiting = session.outbox.takeUnsent();
      if (claim !== undefined && this.#owner.session() === session && this.#state !== OVER) {
        session.keepIn({ store: store!, key: name, claim }, record);
      }
      const isUp = this.#state === creating;
      if (isUp) {
        this.#state = DONE;
        session.linkUp(0);
        this.#up(false);
      }
      session.giveBack(waiting);
      session.begin();
      if (isUp) this.#catchUp(creating);
      else if (this.#state === LOADING) this.#ask(0);
    };
    if (store === undefined || !this.#isStoreUsable) return begin(undefined);
    // What waits has no numbers yet: the application's first words may come before it.
    const record = { ...session.record(), messages: [] };
    const failed = (error: unknown) => {
      // Goes on all the same: it is then a session that ends with its process.
      this.#context.fireExceptionCaught(error);
      begin(undefined);
    };
    this.#isLoading = true;
    let claim: number | Promise<number>;
    try {
      claim = store.create(name, record);
    } catch (error) {
      return failed(error);
    }
    if (typeof claim === "number") begin(claim);
    else claim.then(begin, failed);
  }

  /** Takes what the server has said while the store was being told. */
  #catchUp({ early, wantsRead }: State & { kind: "creating" }): void {
    for (const frame of early) {
      if (this.#state === DONE) this.#owner.frameRead(frame);
    }
    if (wantsRead) this.#context.read();
  }

  #refused(refusals: number, { reason, number }: SessionFrame & { kind: "refused" }): void {
    const { channel, pipeline } = this.#context;
    const session = this.#owner.session();
    const error = new SessionError(session.id === "" ? "open a session" : "resume the session", reason);
    const isLie = reason === "stale" && number - session.links > MOST_LINKS_BEHIND;
    if (refusals + 1 >= MAX_REFUSALS || reason === "version" || isLie) {
      this.#context.fireExceptionCaught(error);
      channel.drop("protocol", error);
    } else if (reason === "overloaded") {
      const goAway: GoAwayEvent = { type: "goAway", reason: "overloaded", afterMs: number };
      // From the head on: the handler that reconnects is nearer to it.
      pipeline.fireUserEventTriggered(goAway);
      channel.drop("error", error);
    } else if (reason === "stale") {
      session.links = Math.max(session.links, number);
      this.#ask(refusals + 1);
    } else {
      if (session.id !== "") this.#owner.lost();
      if (this.#state.kind === "asking") this.#ask(refusals + 1);
    }
  }

  #up(resumed: boolean): void {
    this.#unansweredLinks = 0;
    this.#owner.up(resumed);
  }

  #leaveFor(next: State): void {
    if (this.#state.kind === "asking") this.#state.timer.cancel();
    this.#state = next;
  }
}
