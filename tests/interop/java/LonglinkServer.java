import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.CorruptedFrameException;
import io.netty.handler.timeout.IdleState;
import io.netty.handler.timeout.IdleStateEvent;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * A longlink server of Netty's own handlers and docs/protocol.md. Echoes each message.
 *
 * <p>Arguments are {@code name=value}: framing, holdTenths (the longest hold, 0 for none), scouts (refuse, or
 * none), echo, graceMs. What happens goes to stdout, a JSON object a line; commands come on stdin: {@code push
 * N}, {@code kill}, {@code goAway TENTHS}, {@code report}. It ends with stdin.
 */
public final class LonglinkServer {
    private static final long RETENTION_MS = 600_000;

    private final SecureRandom random = new SecureRandom();
    private final Map<String, String> options;
    private final Set<Link> links = new LinkedHashSet<>();
    private final Map<ByteBuffer, Session> sessions = new HashMap<>();
    private final Map<String, Integer> counts = new HashMap<>();
    private int pushed;

    private LonglinkServer(Map<String, String> options) {
        this.options = options;
    }

    private void count(String what) {
        counts.merge(what, 1, Integer::sum);
    }

    /** The server's side of one link. */
    private final class Link extends PeerHandler {
        private final long graceMs = Long.parseLong(options.getOrDefault("graceMs", "15000"));
        private final int longestHold = Integer.parseInt(options.getOrDefault("holdTenths", "75000"));
        private final boolean refusesScouts = "refuse".equals(options.get("scouts"));
        private final boolean echoes = !"no".equals(options.get("echo"));
        private ChannelHandlerContext context;
        private boolean hasGreeted;
        private boolean hasMessages;
        private long announcedMs;
        /** The hold that waits for its silence; null while there is none. */
        private Heartbeat hold;

        @Override
        public void channelActive(ChannelHandlerContext context) {
            this.context = context;
            links.add(this);
            count("links");
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            links.remove(this);
            Session lost = session;
            super.channelInactive(context);
            if (lost != null && lost.channel == null) {
                long link = lost.link;
                context.channel().eventLoop().schedule(() -> {
                    if (lost.channel == null && lost.link == link) {
                        sessions.remove(idOf(lost.secrets));
                    }
                }, RETENTION_MS, TimeUnit.MILLISECONDS);
            }
        }

        @Override
        void onHeartbeat(ChannelHandlerContext context, Heartbeat heartbeat) {
            switch (heartbeat.kind()) {
                case Heartbeat.PING -> {
                    count("pings");
                    announced(heartbeat.time() * 100L);
                    answer(Heartbeat.PONG, 0, heartbeat.sequence());
                }
                case Heartbeat.HOLD -> onHold(heartbeat);
                case Heartbeat.VOID -> {
                    if (hold != null && hold.sequence() == heartbeat.sequence()) {
                        hold = null;
                    }
                }
                case Heartbeat.SCOUT -> {
                    count("scoutsRefused");
                    answer(Heartbeat.VOID, Heartbeat.NOT_SERVED, heartbeat.sequence());
                }
                default -> count("ignored");
            }
        }

        private void onHold(Heartbeat asked) {
            announced(2 * asked.time() * 100L);
            if (asked.time() > longestHold) {
                int reason = longestHold == 0 ? Heartbeat.NOT_SERVED : Heartbeat.TOO_LONG;
                answer(Heartbeat.VOID, reason, asked.sequence());
            } else if (hold != null) {
                answer(Heartbeat.VOID, Heartbeat.TOO_MANY, asked.sequence());
            } else {
                count("holds");
                greet();
                hold = asked;
                watch();
            }
        }

        /** A hold's silence is that of both directions: what Netty calls ALL_IDLE. */
        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (!(event instanceof IdleStateEvent idle)) {
                context.fireUserEventTriggered(event);
            } else if (idle.state() == IdleState.READER_IDLE) {
                count("silent");
                context.close();
            } else if (hold != null) {
                count("holdsAnswered");
                int sequence = hold.sequence();
                hold = null;
                answer(Heartbeat.PONG, 0, sequence);
                watch();
            }
        }

        /** How long the client may be silent from now on; 0 is no news. */
        private void announced(long ms) {
            if (ms > 0) {
                announcedMs = ms;
            }
            watch();
        }

        private void watch() {
            Wire.watch(context, announcedMs == 0 ? 0 : announcedMs + graceMs, hold == null ? 0 : hold.time() * 100L);
        }

        private void answer(int kind, int time, int sequence) {
            greet();
            context.writeAndFlush(heartbeat(kind, time, sequence).encode());
        }

        /** The hello comes once, just before the first answer. */
        private void greet() {
            if (!hasGreeted) {
                hasGreeted = true;
                int says = Heartbeat.VERSION | Heartbeat.KEEPS_SESSIONS
                        | (refusesScouts ? Heartbeat.TAKES_SCOUTS : 0);
                context.write(heartbeat(Heartbeat.HELLO, longestHold, says).encode());
            }
        }

        @Override
        void end(ChannelHandlerContext context) {
            context.writeAndFlush(heartbeat(Heartbeat.GO_AWAY, 0, Heartbeat.PROTOCOL).encode())
                    .addListener(ChannelFutureListener.CLOSE);
        }

        @Override
        void onMessage(ChannelHandlerContext context, byte[] body) {
            if (session != null) {
                throw new CorruptedFrameException("Cannot take a message that is in no session frame");
            }
            hasMessages = true;
            count("messages");
            if (echoes) {
                write(body);
            }
        }

        void write(byte[] body) {
            if (session == null) {
                context.writeAndFlush(context.alloc().buffer().writeBytes(body));
            } else {
                session.write(body);
            }
        }

        @Override
        void onSessionFrame(ChannelHandlerContext context, SessionFrame frame) {
            if (session == null ? hasMessages : frame.kind() < SessionFrame.MESSAGE) {
                throw new CorruptedFrameException("Cannot take the session frame: it is not due");
            }
            if (session == null) {
                switch (frame.kind()) {
                    case SessionFrame.OPEN -> open(frame);
                    case SessionFrame.RESUME -> resume(frame);
                    default -> throw new CorruptedFrameException("Cannot go on: there is no session");
                }
                return;
            }
            switch (frame.kind()) {
                case SessionFrame.MESSAGE -> session.onMessage(frame);
                case SessionFrame.ACKNOWLEDGEMENT -> session.confirm(frame.number(0));
                case SessionFrame.END -> {
                    count("ended");
                    session.confirm(frame.number(0));
                    session.acknowledge();
                    session.linkLost();
                    sessions.remove(idOf(session.secrets));
                    session = null;
                }
                default -> count("ignored");
            }
        }

        private void open(SessionFrame frame) {
            if (frame.number(0) != SessionFrame.VERSION) {
                refuse(SessionFrame.OTHER_VERSION, SessionFrame.VERSION);
                return;
            }
            byte[] secrets = new byte[SessionFrame.ID_BYTES + SessionFrame.TOKEN_BYTES];
            random.nextBytes(secrets);
            session = new Session(secrets, body -> {
                count("messages");
                if (echoes) {
                    sessions.get(idOf(secrets)).write(body);
                }
            });
            sessions.put(idOf(secrets), session);
            count("opened");
            context.write(SessionFrame.encode(SessionFrame.OPENED, secrets, RETENTION_MS));
            session.standsOn(context.channel(), 0);
        }

        private void resume(SessionFrame frame) {
            if (frame.number(0) != SessionFrame.VERSION) {
                refuse(SessionFrame.OTHER_VERSION, SessionFrame.VERSION);
                return;
            }
            Session known = sessions.get(idOf(frame.bytes()));
            if (known == null || !MessageDigest.isEqual(known.secrets, frame.bytes())) {
                refuse(SessionFrame.UNKNOWN, 0);
                return;
            }
            if (frame.number(1) <= known.link) {
                refuse(SessionFrame.STALE, known.link);
                return;
            }
            known.link = frame.number(1);
            if (known.channel != null) {
                Channel earlier = known.channel;
                known.linkLost();
                earlier.close();
            }
            session = known;
            count("resumed");
            context.write(SessionFrame.encode(SessionFrame.RESUMED, known.received()));
            known.standsOn(context.channel(), frame.number(2));
        }

        private void refuse(int reason, long number) {
            count("refused");
            context.writeAndFlush(SessionFrame.encode(SessionFrame.REFUSED, reason, number));
        }
    }

    private static ByteBuffer idOf(byte[] secrets) {
        return ByteBuffer.wrap(Arrays.copyOf(secrets, SessionFrame.ID_BYTES));
    }

    private void obey(String command, int number) {
        switch (command) {
            case "push" -> {
                for (int i = 0; i < number; i++) {
                    byte[] body = ByteBuffer.allocate(5).put((byte) 0xce).putInt(++pushed).array(); // a uint32
                    sessions.values().forEach(session -> session.write(body));
                    links.stream().filter(link -> link.session == null).forEach(link -> link.write(body));
                }
            }
            case "kill" -> List.copyOf(links).forEach(link -> {
                link.context.channel().config().setOption(ChannelOption.SO_LINGER, 0);
                link.context.close();
            });
            case "goAway" -> List.copyOf(links).forEach(link -> {
                link.context.writeAndFlush(link.heartbeat(Heartbeat.GO_AWAY, number, Heartbeat.SHUTDOWN).encode());
                link.context.close();
            });
            case "report" -> {
                List<Object> report = new ArrayList<>(List.of("event", "report"));
                counts.forEach((what, times) -> report.addAll(List.of(what, times)));
                long alone = sessions.values().stream().mapToLong(session -> session.acknowledgementsAlone).sum();
                long duplicates = sessions.values().stream().mapToLong(session -> session.duplicates).sum();
                int waiting = sessions.values().stream().mapToInt(Session::unacknowledged).sum();
                report.addAll(List.of("acknowledgementsAlone", alone, "duplicates", duplicates,
                        "unacknowledged", waiting, "sessions", sessions.size()));
                Wire.say(report.toArray());
            }
            default -> throw new IllegalArgumentException("Cannot obey: there is no command " + command);
        }
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (String arg : args) {
            options.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
        }
        LonglinkServer server = new LonglinkServer(options);
        // One thread for all: links, sessions and counts need no locks.
        NioEventLoopGroup group = new NioEventLoopGroup(1);
        try {
            Channel channel = new ServerBootstrap().group(group).channel(NioServerSocketChannel.class)
                    .childHandler(new ChannelInitializer<SocketChannel>() {
                        @Override
                        protected void initChannel(SocketChannel socket) {
                            Wire.addTo(socket.pipeline(), options.getOrDefault("framing", "varint"));
                            socket.pipeline().addLast(server.new Link());
                        }
                    })
                    .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).sync().channel();
            Wire.say("event", "listening", "port", ((InetSocketAddress) channel.localAddress()).getPort());
            BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
            for (String line = commands.readLine(); line != null; line = commands.readLine()) {
                String[] words = line.split(" ");
                int number = words.length > 1 ? Integer.parseInt(words[1]) : 0;
                group.next().submit(() -> server.obey(words[0], number)).sync();
            }
        } finally {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }
}
