/**
 * Everything that may go wrong in a run.
 *
 * @module
 */

/** The kinds of faults, with what each does. */
export const FAULTS = {
  reset: "both ends of a link are reset",
  silence: "nothing gets through any more either way, and nobody is told",
  silenceToServer: "nothing gets through to the server any more, and nobody is told",
  silenceToClient: "nothing gets through to the client any more, and nobody is told",
  halfOpen: "one end of a link is gone, and the other one is told only when it sends",
  cut: "only a part of the next write arrives; then a reset, or silence",
  outage: "nothing gets through for a while; TCP repeats it afterwards",
  latency: "packets take much longer for a while",
  jitter: "each packet takes another time for a while, in order",
  bandwidth: "few bytes a second get through for a while",
  refuse: "the link is lost, and connects are refused for a while",
  blackHole: "the link is lost, and whatever accepts connects for a while says nothing",
  slowLoris: "something says a frame a byte at a time: to the server, or to clients that connect for a while",
  lateConnect: "the link is lost, and connects of a while come to the server late, after later ones",
  duplicateResume: "the first words of a link come to the server once more, on another link",
  restart: "the server is killed; the next one has its sessions",
  restartWithout: "the server is killed; the next one has none of its sessions",
  storeFailure: "the server's store fails for a while",
  clientRestart: "a client with a store is killed, and comes back to its session",
} as const;

/** One of them. */
export type FaultKind = keyof typeof FAULTS;

/** All of them. */
export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[];
