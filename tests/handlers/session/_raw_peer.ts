import {
  Channel,
  type EventLoop,
  type Transport,
  VarintFrameDecoder,
  VarintFrameEncoder,
} from "@longlink/pipeline";
import {
  decodeSessionFrame,
  encodeSessionFrame,
  isSessionFrame,
  type SessionFrame,
} from "../../../handlers/session/_session_frame.ts";

/** A client that says just what a test wants it to say. */
export class RawPeer {
  /** What came, session frames decoded. */
  readonly heard: (SessionFrame | Uint8Array | undefined)[] = [];
  readonly channel: Channel;

  constructor(transport: Transport, loop: EventLoop, address: string) {
    this.channel = new Channel({
      transport,
      loop,
      pipeline: (p) =>
        p.addLast(new VarintFrameDecoder(), new VarintFrameEncoder(), {
          channelRead: (_context, message) => {
            this.heard.push(isSessionFrame(message) ? decodeSessionFrame(message) : message as Uint8Array);
          },
        }),
    });
    this.channel.connect(address).onSettled(() => {});
  }

  get isUp(): boolean {
    return this.channel.isActive;
  }

  say(...frames: (SessionFrame | Uint8Array)[]): void {
    for (const frame of frames) {
      this.channel.writeAndFlush(frame instanceof Uint8Array ? frame : encodeSessionFrame(frame))
        .onSettled(() => {});
    }
  }

  /** The first frame of a kind that came. */
  first<K extends SessionFrame["kind"]>(kind: K): SessionFrame & { readonly kind: K } {
    const frame = this.heard.find((frame) => frame !== undefined && "kind" in frame && frame.kind === kind);
    if (frame === undefined) throw new Error(`no ${kind} came, but ${JSON.stringify(this.heard)}`);
    return frame as SessionFrame & { readonly kind: K };
  }
}
