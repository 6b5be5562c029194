/**
 * How a server finds the session that a client wants to go on with.
 *
 * @module
 */

import type { ClaimedSession, SessionOutline } from "../stores/session_store.ts";
import type { ArrivingLink, Preparing } from "./_arriving_link.ts";
import { askStore } from "./_ask_store.ts";
import { sessionGone } from "./_session.ts";
import { isSameToken, type RefusalReason, type ResumeFrame } from "./_session_frame.ts";
import { SessionHome } from "./_session_home.ts";
import { comeHome } from "./_session_homecoming.ts";
import { sendSessionFrame } from "./_session_wire.ts";

/** Why a client does not get what it wants. */
interface Refusal {
  readonly reason: RefusalReason;
  readonly number: number;
}

const UNKNOWN: Refusal = { reason: "unknown", number: 0 };
/** How many links may wait for the same session while the store is asked for it; one that hangs must not gather them. */
const MAX_WAITING_CLAIMS = 8;

/** The client of this link wants to go on: in the channel where its session lives, or with what the store has. */
export function resumeSession(link: ArrivingLink, frame: ResumeFrame): void {
  const { registry } = link;
  const home = registry.get(frame.id);
  if (home !== undefined) return comeHome(home, link, frame, () => resumeSession(link, frame));
  const { store } = registry.settings;
  if (store === undefined) return link.refuse("unknown", 0);
  if (!registry.makeRoom()) return link.refuseForNow();
  const preparing = link.prepare();
  const { claims } = registry;
  const waiting = claims.get(frame.id);
  if (waiting !== undefined && waiting.length >= MAX_WAITING_CLAIMS) return link.refuseForNow();
  if (waiting !== undefined) {
    // Of two that claim the same session at once each would deliver what the other has delivered.
    waiting.push(() => {
      if (link.isAt(preparing)) resumeSession(link, frame);
    });
    return;
  }
  const others: (() => void)[] = [];
  claims.set(frame.id, others);
  let refusal: Refusal | undefined = UNKNOWN;
  // Before it is claimed: who has no right to it, or is late, must not take it away from where it lives.
  const accept = (session: SessionOutline) => {
    // Its client may have given up by now, and be at home again.
    if (!link.isAt(preparing)) return false;
    refusal = refusalOf(link, session, frame);
    return refusal === undefined;
  };
  const answered = (claimed: ClaimedSession | undefined) => {
    if (!link.isAt(preparing)) return;
    if (claimed !== undefined) return claimedBy(link, preparing, claimed, frame);
    const { reason, number } = refusal ?? UNKNOWN;
    link.refuse(reason, number);
  };
  askStore(link, preparing, () => store.claim(frame.id, accept), answered, () => {
    claims.delete(frame.id);
    for (const other of others) other();
  });
}

/** Why a client cannot go on with what the store has; undefined: it can. */
function refusalOf(link: ArrivingLink, session: SessionOutline, frame: ResumeFrame): Refusal | undefined {
  const { id, token, links, acknowledged, last, atMs } = session;
  const isIts = id === frame.id && isSameToken(token, frame.token);
  const isFresh = atMs + link.registry.settings.retentionMs >= link.context.loop.wallNow();
  // If it wants what it has acknowledged, or knows of more than was sent, one of the two has lost messages.
  const fits = frame.received >= acknowledged && frame.received <= last;
  if (!isIts || !isFresh) return UNKNOWN;
  if (frame.link <= links) return { reason: "stale", number: links };
  return fits ? undefined : UNKNOWN;
}

function claimedBy(
  link: ArrivingLink,
  preparing: Preparing,
  claimed: ClaimedSession,
  frame: ResumeFrame,
): void {
  // Once more: a store may not have asked, and its holder may have counted a link since.
  const { record } = claimed;
  const last = record.acknowledged + record.messages.length;
  const refusal = refusalOf(link, { ...record, last }, frame);
  if (refusal !== undefined) link.refuse(refusal.reason, refusal.number);
  else if (!link.registry.makeRoom()) link.refuseForNow();
  else restore(link, preparing, claimed, frame);
}

/** The link's channel becomes that of the session that the store has. */
function restore(
  link: ArrivingLink,
  { held }: Preparing,
  { record, claim }: ClaimedSession,
  frame: ResumeFrame,
): void {
  const home = new SessionHome(link.place, record.id, record.token);
  const { session } = home;
  session.restore(record);
  if (!session.canGoOn(frame.received)) {
    // One of the two has lost messages: to go on would give their numbers to others.
    session.stop("keep");
    return link.refuse("unknown", 0);
  }
  link.becomeHome(home, "resumed");
  session.keepIn(home.keeping(claim), record);
  session.countLink(frame.link);
  // Another server may have been faster.
  if (!home.isSettled) return held.reject(sessionGone("taken"));
  session.linkUp(frame.received);
  sendSessionFrame(link.context, { kind: "resumed", received: session.inbox.received });
  home.begin(held, true);
}
