/**
 * What the demo's server tells its page, besides what goes over the link.
 *
 * @module
 */

import type { NatMode } from "../../../tests/lab/nat_box.ts";

/** What the knobs set. */
export interface NatSettings {
  /** After how long without a byte the box forgets a link, ms. */
  readonly natTimeoutMs: number;
  readonly mode: NatMode;
}

/** The limits of the knob, ms. */
export const NAT_TIMEOUT_RANGE_MS = { min: 2_000, max: 60_000 } as const;

/** How the page begins. */
export interface Begin {
  readonly type: "begin";
  /** Where the page's client connects to: the box. */
  readonly linkUrl: string;
  readonly strategy: string;
  /** How much shorter than usual all numbers of the client and the server are. */
  readonly scale: number;
  readonly settings: NatSettings;
}

/** One message of `/events`. */
export type Told =
  | Begin
  /** Somebody has turned a knob. */
  | { readonly type: "settings"; readonly settings: NatSettings }
  /** The server has sent a push, at this wall-clock time. */
  | { readonly type: "push"; readonly n: number; readonly sentMs: number };
