import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import java.io.IOException;

/** Tells heartbeats, frames of a session and messages apart, on either side. */
abstract class PeerHandler extends SimpleChannelInboundHandler<ByteBuf> {
    /** The session that stands on this link; null where there is none. */
    Session session;

    abstract void onHeartbeat(ChannelHandlerContext context, Heartbeat heartbeat);

    abstract void onSessionFrame(ChannelHandlerContext context, SessionFrame frame);

    abstract void onMessage(ChannelHandlerContext context, byte[] body);

    /** Ends the link of a peer that makes no sense. */
    abstract void end(ChannelHandlerContext context);

    /** A heartbeat to send, with the session's acknowledgement if there is one. */
    final Heartbeat heartbeat(int kind, int time, int sequence) {
        return session == null ? new Heartbeat(kind, time, sequence) : session.heartbeat(kind, time, sequence);
    }

    @Override
    protected final void channelRead0(ChannelHandlerContext context, ByteBuf frame) {
        Heartbeat heartbeat = Heartbeat.decode(frame);
        if (heartbeat != null) {
            if (session != null && heartbeat.kind() != Heartbeat.SCOUT) {
                session.onHeartbeat(heartbeat);
            }
            onHeartbeat(context, heartbeat);
        } else if (SessionFrame.isOne(frame)) {
            onSessionFrame(context, SessionFrame.decode(frame));
        } else {
            byte[] body = new byte[frame.readableBytes()];
            frame.readBytes(body);
            onMessage(context, body);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        // Only if no later link has taken the session over.
        if (session != null && session.channel == context.channel()) {
            session.linkLost();
        }
        context.fireChannelInactive();
    }

    /** What cannot be decoded, or was not due, ends the link: nothing after it can be trusted. */
    @Override
    public final void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        if (cause instanceof IOException) { // a reset
            context.close();
            return;
        }
        Wire.say("event", "protocol", "error", cause);
        end(context);
    }
}
