import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.timeout.IdleStateEvent;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A longlink client of Netty's own handlers and docs/protocol.md. Takes a server that echoes each message
 * through heartbeats, a scout and a session that is resumed; one JSON line tells how it went, or an exception.
 *
 * <p>Arguments: port, framing ({@code varint} or {@code length}), number of messages.
 */
public final class LonglinkClient {
    /** Numbers from here on have one form in MessagePack, uint32, however the server writes them. */
    private static final int FIRST = 1 << 16;

    private final NioEventLoopGroup group = new NioEventLoopGroup(1);
    private final BlockingQueue<Integer> echoes = new LinkedBlockingQueue<>();
    private final AtomicInteger ignored = new AtomicInteger();
    private final int port;
    private final String framing;

    private LonglinkClient(int port, String framing) {
        this.port = port;
        this.framing = framing;
    }

    /** The client's side of one link: what comes is put in a queue for the thread that plays the scenario. */
    private final class Link extends PeerHandler {
        final BlockingQueue<Object> heard = new LinkedBlockingQueue<>();
        Channel channel;
        /** What was asked for: it stands as soon as the server says so, since messages may follow at once. */
        volatile Session asked;
        private int pings;

        @Override
        void onHeartbeat(ChannelHandlerContext context, Heartbeat heartbeat) {
            if (heartbeat.kind() <= Heartbeat.GO_AWAY) {
                heard.add(heartbeat);
            } else {
                ignored.incrementAndGet(); // advice, and what is of a later version
            }
        }

        @Override
        void onSessionFrame(ChannelHandlerContext context, SessionFrame frame) {
            switch (frame.kind()) {
                case SessionFrame.OPENED -> {
                    session = new Session(
                            frame.bytes(), body -> echoes.add(ByteBuffer.wrap(body, 1, 4).getInt()));
                    session.standsOn(channel, 0);
                }
                case SessionFrame.RESUMED -> {
                    session = asked;
                    session.standsOn(channel, frame.number(0));
                }
                case SessionFrame.MESSAGE -> {
                    session.onMessage(frame);
                    return;
                }
                case SessionFrame.ACKNOWLEDGEMENT -> session.confirm(frame.number(0));
                default -> {}
            }
            heard.add(frame);
        }

        @Override
        void onMessage(ChannelHandlerContext context, byte[] body) {
            heard.add(body);
        }

        /** A goAway is a server's. */
        @Override
        void end(ChannelHandlerContext context) {
            context.close();
        }

        /** A ping each time the link was idle: Netty's usual heartbeat, with our bytes. */
        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (event instanceof IdleStateEvent) {
                context.writeAndFlush(heartbeat(Heartbeat.PING, 20, 100 + pings++).encode());
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            super.channelInactive(context);
            heard.add("gone");
        }

        void send(int kind, int time, int sequence) {
            channel.writeAndFlush(new Heartbeat(kind, time, sequence).encode());
        }

        <T> T next(Class<T> type) throws InterruptedException {
            Object next = heard.poll(10, TimeUnit.SECONDS);
            if (!type.isInstance(next)) {
                throw new IllegalStateException("Cannot go on: expected a " + type.getSimpleName() + ", got " + next);
            }
            return type.cast(next);
        }

        Heartbeat expect(int kind, int sequence) throws InterruptedException {
            Heartbeat heartbeat = next(Heartbeat.class);
            check(heartbeat.kind() == kind && heartbeat.sequence() == sequence,
                    "kind " + kind + " of sequence " + sequence, heartbeat);
            return heartbeat;
        }

        SessionFrame expect(int kind) throws InterruptedException {
            SessionFrame frame = next(SessionFrame.class);
            check(frame.kind() == kind, "session frame " + kind, frame);
            return frame;
        }

        /** The link is reset: what was on its way is lost. */
        void kill() throws InterruptedException {
            channel.config().setOption(ChannelOption.SO_LINGER, 0);
            channel.close().sync();
        }
    }

    private static void check(boolean holds, String expected, Object got) {
        if (!holds) {
            throw new IllegalStateException("Cannot go on: expected " + expected + ", got " + got);
        }
    }

    private Link connect() throws InterruptedException {
        Link link = new Link();
        link.channel = new Bootstrap().group(group).channel(NioSocketChannel.class)
                .handler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel socket) {
                        Wire.addTo(socket.pipeline(), framing);
                        socket.pipeline().addLast(link);
                    }
                })
                .connect("127.0.0.1", port).sync().channel();
        return link;
    }

    /** Pings, holds and their refusals, a scout. */
    private void heartbeats() throws Exception {
        Link main = connect();
        main.send(Heartbeat.PING, 50, 1);
        Heartbeat hello = main.next(Heartbeat.class);
        check(hello.kind() == Heartbeat.HELLO && (hello.sequence() & 0xf) == Heartbeat.VERSION, "a hello", hello);
        main.expect(Heartbeat.PONG, 1);

        long start = System.nanoTime();
        main.send(Heartbeat.HOLD, 4, 2);
        main.send(Heartbeat.HOLD, 5, 3);
        check(main.expect(Heartbeat.VOID, 3).time() == Heartbeat.TOO_MANY, "reason 2", "another");
        main.expect(Heartbeat.PONG, 2);
        long heldMs = (System.nanoTime() - start) / 1_000_000;
        check(heldMs >= 400, "an answer after 400 ms", heldMs);
        main.send(Heartbeat.HOLD, hello.time() + 1, 4);
        check(main.expect(Heartbeat.VOID, 4).time() == Heartbeat.TOO_LONG, "reason 1", "another");

        check((hello.sequence() & Heartbeat.TAKES_SCOUTS) != 0, "a server that takes scouts", hello);
        main.send(Heartbeat.SCOUT, 0, 5);
        Heartbeat ticket = main.expect(Heartbeat.SCOUT, 5);
        check(ticket.time() > 0, "a ticket", ticket);
        Link scout = connect();
        scout.channel.write(new Heartbeat(
                Heartbeat.SCOUT, ticket.time(), 0, ticket.acknowledgement(), false).encode());
        scout.send(Heartbeat.HOLD, 3, 0);
        scout.expect(Heartbeat.PONG, 0); // and no hello before it
        main.send(Heartbeat.VOID, Heartbeat.GIVEN_UP, 5);
        check(scout.next(String.class).equals("gone"), "the end of the scout", "another");

        main.channel.eventLoop().submit(() -> Wire.watch(main.channel.pipeline().lastContext(), 0, 150)).sync();
        for (int i = 0; i < 5; i++) {
            main.expect(Heartbeat.PONG, 100 + i);
        }
        main.channel.close().sync();
        Wire.say("event", "heartbeats", "heldMs", heldMs, "longestHoldTenths", hello.time(),
                "ignored", ignored.get());
    }

    /** One session over several links, all but the last one killed; each message comes back once and in order. */
    private void session(int messages) throws Exception {
        Link link = connect();
        link.channel.writeAndFlush(SessionFrame.encode(SessionFrame.OPEN, SessionFrame.VERSION));
        SessionFrame opened = link.expect(SessionFrame.OPENED);
        Session session = link.session;
        int killed = 0;
        for (int sent = 0, heard = 0; heard < messages; heard++) {
            for (; sent < messages && sent < heard + messages / 4; sent++) {
                byte[] body = ByteBuffer.allocate(5).put((byte) 0xce).putInt(FIRST + sent).array();
                link.channel.eventLoop().submit(() -> session.write(body)).sync();
            }
            Integer echo = echoes.poll(10, TimeUnit.SECONDS);
            check(echo != null && echo == FIRST + heard, "echo " + heard, echo);
            if (heard % (messages / 3) == messages / 6) {
                link.kill();
                killed++;
                link = connect();
                SessionFrame resumed = resume(link, session, session.link + 1);
                check(resumed.kind() == SessionFrame.RESUMED, "resumed", resumed);
            }
        }
        check(echoes.poll(300, TimeUnit.MILLISECONDS) == null, "no echo that comes twice", "one");
        Link last = refusals(session);
        last.channel.writeAndFlush(SessionFrame.encode(SessionFrame.END, session.received()));
        last.expect(SessionFrame.ACKNOWLEDGEMENT);
        last.channel.close().sync();
        check(session.unacknowledged() == 0, "nothing unacknowledged", session.unacknowledged());
        Wire.say("event", "session", "messages", messages, "killed", killed, "duplicates", session.duplicates,
                "retentionMs", opened.number(0));
    }

    /** An unknown session, then an old number, each on the link of the next try. */
    private Link refusals(Session session) throws Exception {
        Link link = connect();
        byte[] unknown = Arrays.copyOf(session.secrets, session.secrets.length);
        unknown[unknown.length - 1] ^= 1;
        SessionFrame refused = resume(link, new Session(unknown, body -> {}), 2);
        check(refused.kind() == SessionFrame.REFUSED && refused.number(0) == SessionFrame.UNKNOWN, "1", refused);
        SessionFrame stale = resume(link, session, session.link);
        check(stale.kind() == SessionFrame.REFUSED && stale.number(0) == SessionFrame.STALE, "2", stale);
        check(stale.number(1) == session.link, "the last link's number", stale);
        SessionFrame resumed = resume(link, session, session.link + 1);
        check(resumed.kind() == SessionFrame.RESUMED, "resumed", resumed);
        return link;
    }

    private static SessionFrame resume(Link link, Session session, long number) throws Exception {
        session.link = number;
        link.asked = session;
        link.channel.writeAndFlush(SessionFrame.encode(
                SessionFrame.RESUME, session.secrets, SessionFrame.VERSION, number, session.received()));
        return link.next(SessionFrame.class);
    }

    public static void main(String[] args) throws Exception {
        LonglinkClient client = new LonglinkClient(Integer.parseInt(args[0]), args[1]);
        try {
            client.heartbeats();
            client.session(Integer.parseInt(args[2]));
        } finally {
            client.group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }
}
