/**
 * How a server opens a session.
 *
 * @module
 */

import type { ArrivingLink } from "./_arriving_link.ts";
import { askStore } from "./_ask_store.ts";
import { newSessionId, newSessionToken } from "./_session_frame.ts";
import { SessionHome } from "./_session_home.ts";
import { sendSessionFrame } from "./_session_wire.ts";

/** The client of this link wants a new session: it gets one if there is room, and once the store knows of it. */
export function openSession(link: ArrivingLink): void {
  const { registry, context } = link;
  const { store, retentionMs } = registry.settings;
  if (!registry.makeRoom()) return link.refuseForNow();
  const home = new SessionHome(link.place, newSessionId(), newSessionToken());
  const { session } = home;
  const preparing = link.prepare();
  const opened = () => {
    link.becomeHome(home, "opened");
    const { id, token } = session;
    session.linkUp(0);
    sendSessionFrame(context, { kind: "opened", id, token, retentionMs });
    home.begin(preparing.held, false);
  };
  if (store === undefined) return opened();
  const record = session.record();
  askStore(link, preparing, () => store.create(session.id, record), (claim) => {
    session.keepIn(home.keeping(claim), record);
    // To make room may lead to the end of this link as well.
    if (link.isAt(preparing) && registry.makeRoom() && link.isAt(preparing)) return opened();
    // Its client is gone, or others were faster: nobody knows of it, and nobody would ask for it.
    session.stop("forget");
    if (link.isAt(preparing)) link.refuseForNow();
  });
}
