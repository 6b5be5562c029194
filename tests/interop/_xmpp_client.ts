/**
 * The XMPP client that the tests log in with.
 *
 * @module
 */

import { client, xml } from "@xmpp/client";

/** What the tests use of the client, which comes without types. */
export type Client = ReturnType<typeof client>;

interface Stanza {
  is(name: string): boolean;
  getChildText(name: string): string | null;
}

/** A client that is online. */
export interface Xmpp extends AsyncDisposable {
  readonly entity: Client;
  /** The messages so far. */
  readonly heard: string[];
  /** What it was told of errors. */
  readonly errors: Error[];
  /** How often it was online. */
  readonly timesOnline: number;
  /** The next message, or the next time it is online. */
  next(event: "message" | "online"): Promise<void>;
}

/** Where and as whom. */
export interface LoginOptions {
  readonly service: string;
  readonly name: string;
  readonly resource: string;
  /** What is put under the client before it connects. */
  readonly prepare?: (entity: Client) => void;
}

/** Logs in, and comes back soon where the link is lost. */
export async function login({ service, name, resource, prepare }: LoginOptions): Promise<Xmpp> {
  const entity = client({ service, domain: "localhost", resource, username: name, password: "secret" });
  prepare?.(entity);
  const heard: string[] = [];
  const errors: Error[] = [];
  const waiting: { event: string; wake: () => void }[] = [];
  let timesOnline = 0;
  const tell = (event: string) => {
    for (const { wake } of waiting.filter((one) => one.event === event)) wake();
  };
  entity.on("error", (error: Error) => errors.push(error)); // also given to whoever waits
  entity.on("stanza", (stanza: Stanza) => {
    const body = stanza.is("message") ? stanza.getChildText("body") : null;
    if (body === null) return;
    heard.push(body);
    tell("message");
  });
  entity.on("online", () => {
    timesOnline++;
    tell("online");
  });
  entity.reconnect.delay = 100;
  try {
    await entity.start();
    await entity.send(xml("presence"));
  } catch (error) {
    entity.reconnect.stop();
    throw error;
  }
  return {
    entity,
    heard,
    errors,
    get timesOnline() {
      return timesOnline;
    },
    next: (event) => new Promise((wake) => waiting.push({ event, wake })),
    [Symbol.asyncDispose]: async () => {
      entity.reconnect.stop();
      await entity.stop();
    },
  };
}

/** A chat message. */
export function chat(to: string, text: string): unknown {
  return xml("message", { to, type: "chat" }, xml("body", {}, text));
}
