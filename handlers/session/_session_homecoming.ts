/**
 * How a client comes back to a session that lives in this process.
 *
 * @module
 */

import { principalOf } from "../authentication_handler.ts";
import type { ArrivingLink } from "./_arriving_link.ts";
import { isSameToken, type ResumeFrame } from "./_session_frame.ts";
import type { SessionHome } from "./_session_home.ts";

/** How long a client that is back may wait until the store has said that its session is still here, ms. */
const CONFIRM_MS = 5_000;

/**
 * The client of this link wants to go on with a session whose own channel is another one.
 *
 * @param lookAgain Called if the session was taken away from here while the store was asked.
 */
export function comeHome(
  home: SessionHome,
  link: ArrivingLink,
  frame: ResumeFrame,
  lookAgain: () => void,
): void {
  const { session, registry } = home;
  if (
    !home.isSettled || session.hasPeerEnded || !isSameToken(session.token, frame.token) ||
    !isSameClient(home, link)
  ) {
    return link.refuse("unknown", 0);
  }
  if (home.closing !== undefined) return refuseWhileClosing(home, link);
  const { store } = registry.settings;
  if (store === undefined && !session.canGoOn(frame.received)) return link.refuse("unknown", 0);
  if (frame.link <= session.links) return link.refuse("stale", session.links);
  if (store === undefined) {
    session.countLink(frame.link);
    return takeLink(home, link, frame);
  }
  const preparing = link.prepare();
  const timer = link.context.loop.schedule(CONFIRM_MS, () => {
    // The store does not answer. What is here may be out of date, and the client must not go on with that.
    if (link.isAt(preparing)) link.refuseForNow();
  });
  // Another process that shares the store may have gone on with the session: then the store says so now.
  session.countLink(frame.link, () => {
    timer.cancel();
    if (!link.isAt(preparing)) return;
    if (home.isSettled) takeLink(home, link, frame);
    else lookAgain();
  });
}

/** Whether the application takes the two for the same client. One that cannot say so must not leave the client waiting. */
function isSameClient(home: SessionHome, link: ArrivingLink): boolean {
  const { isSameClient } = home.registry.settings;
  try {
    return isSameClient(principalOf(home.context.channel), principalOf(link.context.channel));
  } catch (error) {
    link.context.fireExceptionCaught(error);
    return false;
  }
}

/** The session goes on, on this link. */
function takeLink(home: SessionHome, link: ArrivingLink, frame: ResumeFrame): void {
  const { session, context: { channel } } = home;
  if (home.closing !== undefined) return refuseWhileClosing(home, link);
  if (session.hasPeerEnded || !session.canGoOn(frame.received)) return link.refuse("unknown", 0);
  // Of two that waited for the store the one with the higher number is the later.
  if (frame.link < session.links) return link.refuse("stale", session.links);
  channel.drop("replaced");
  // The application, or the store, may have ended the session.
  if (!home.isSettled || home.closing !== undefined || channel.state !== "idle") {
    return refuseWhileClosing(home, link);
  }
  home.attach(() => link.becomeCarrier(home), frame);
}

/** A session that its store keeps is there again in a moment: to call it unknown would make the client give it up. */
function refuseWhileClosing(home: SessionHome, link: ArrivingLink): void {
  const isKept = home.registry.settings.store !== undefined;
  link.refuse(isKept ? "overloaded" : "unknown", 0);
}
