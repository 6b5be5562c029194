/**
 * What is put to the test: how an application gets its channels.
 *
 * @module
 */

import {
  answerKeepAlive,
  Bootstrap,
  type Channel,
  type ChannelHandler,
  type EventLoop,
  keepAlive,
  type LinkUpEvent,
  ServerBootstrap,
  SessionHandler,
  type SessionLostEvent,
  type SessionPosition,
  SessionRegistry,
  SessionResponder,
  type SessionStore,
  type Transport,
} from "../../../mod.ts";

/** What a channel tells its application. */
export interface App {
  /** A link stands, and the session (if there are any) is open on it. */
  up(channel: Channel, sessionId: string | undefined): void;
  /** No link any more. */
  down(channel: Channel, reason: string): void;
  /** A message; the promise tells when the application is done with it. */
  read(channel: Channel, message: unknown, position: SessionPosition | undefined): Promise<void> | void;
  /** A session is gone. */
  lost(channel: Channel, event: SessionLostEvent): void;
  /** An error that no handler took. */
  failed(error: unknown): void;
}

/** What one side is made of. */
export interface SideOptions {
  readonly loop: EventLoop;
  readonly transport: Transport;
  readonly address: string;
  readonly app: App;
  /** Where it keeps its sessions; undefined: in the process. */
  readonly store: SessionStore | undefined;
  /** When a write is done. */
  readonly writes: "written" | "acknowledged";
}

/** A server, as far as a run has to do with it. */
export interface ServerSide {
  close(): Promise<void>;
}

/** One way to build the two sides. */
export interface Stack {
  readonly name: string;
  /** Whether sessions make up for what links lose. */
  readonly hasSessions: boolean;
  client(options: SideOptions): Channel;
  server(options: SideOptions): Promise<ServerSide>;
}

/** Sessions at both ends. */
export const SESSIONS: Stack = {
  name: "sessions",
  hasSessions: true,
  client: (options) => {
    const { store, writes } = options;
    return connect(
      options,
      () => keepAlive({ session: new SessionHandler({ writes, ...(store && { store }) }) }),
    );
  },
  server: (options) => {
    const { store, writes } = options;
    const sessions = new SessionRegistry({ writes, ...(store && { store }) });
    return listen(options, () => answerKeepAlive({ sessions }));
  },
};

/** Links that come back, and nothing that makes up for what they lose. */
export const PLAIN: Stack = {
  name: "plain",
  hasSessions: false,
  client: (options) => connect(options, () => keepAlive()),
  server: (options) => listen(options, () => answerKeepAlive()),
};

/** All of them. */
export const STACKS: readonly Stack[] = [SESSIONS, PLAIN];

/** Connects; `handlers` come before the application. */
export function connect(options: SideOptions, handlers: () => ChannelHandler[]): Channel {
  let channel: Channel | undefined;
  const connected = new Bootstrap({
    ...commonOf(options),
    pipeline: (pipeline, made) => {
      channel = made;
      pipeline.addLast(...handlers(), appHandler(options.app));
    },
  }).connect(options.address);
  // It fails if the channel is closed before it ever had a link, and only then.
  connected.catch(() => {});
  return channel!;
}

/** Listens; `handlers` come before the application. */
export function listen(options: SideOptions, handlers: () => ChannelHandler[]): Promise<ServerSide> {
  return new ServerBootstrap({
    ...commonOf(options),
    onAcceptError: (error) => options.app.failed(error),
    pipeline: (pipeline) => pipeline.addLast(...handlers(), appHandler(options.app)),
  }).listen(options.address);
}

function commonOf({ loop, transport, app }: SideOptions) {
  return {
    loop,
    transport,
    onUnhandled: (report: { readonly kind: string; readonly error?: unknown; readonly message?: unknown }) =>
      app.failed(
        report.kind === "error" ? report.error : new Error(`an unhandled message: ${report.message}`),
      ),
  };
}

function appHandler(app: App): ChannelHandler {
  const session = ({ pipeline }: { pipeline: Channel["pipeline"] }) =>
    pipeline.get(SessionHandler) ?? pipeline.get(SessionResponder);
  return {
    channelRead: ({ channel }, message) => app.read(channel, message, session(channel)?.receiving),
    userEventTriggered: ({ channel }, event) => {
      const known = event as LinkUpEvent | SessionLostEvent | { type: "linkDown"; reason: string };
      if (known.type === "linkUp") app.up(channel, session(channel)?.sessionId);
      else if (known.type === "linkDown") app.down(channel, known.reason);
      else if (known.type === "sessionLost") app.lost(channel, known);
    },
    exceptionCaught: (_context, error) => app.failed(error),
  };
}
