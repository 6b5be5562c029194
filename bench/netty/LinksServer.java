import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.handler.timeout.IdleState;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.time.Instant;

/**
 * A Netty server with defaults that answers pings, closes peers that are silent for two beats, and obeys the
 * runner's commands on stdin: {@code LinksServer BEAT_MS HOST}.
 */
public final class LinksServer {
    private static final ChannelGroup CHANNELS = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);

    private static final class Answer extends ChannelDuplexHandler {
        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            CHANNELS.add(ctx.channel());
            ctx.fireChannelActive();
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            ctx.writeAndFlush(message); // the pong
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof IdleStateEvent && ((IdleStateEvent) event).state() == IdleState.READER_IDLE) ctx.close();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }

    public static void main(String[] args) throws Exception {
        int silenceSeconds = Math.max(1, 2 * Integer.parseInt(args[0]) / 1000);
        Channel server = new ServerBootstrap()
            .group(new NioEventLoopGroup(1), new NioEventLoopGroup())
            .channel(NioServerSocketChannel.class)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(new ChannelInitializer<SocketChannel>() {
                @Override
                protected void initChannel(SocketChannel channel) {
                    channel.pipeline().addLast(
                        new IdleStateHandler(silenceSeconds, 0, 0),
                        new LengthFieldBasedFrameDecoder(127, 0, 1, 0, 1),
                        new LengthFieldPrepender(1),
                        new Answer());
                }
            })
            .bind(args[1], 0).sync().channel();
        System.out.println("{\"port\":" + ((InetSocketAddress) server.localAddress()).getPort() + ",\"pushBytes\":101}");

        ByteBuf message = Unpooled.unreleasableBuffer(Unpooled.directBuffer(100).writeZero(100));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String command = commands.readLine(); command != null; command = commands.readLine()) {
            if (command.equals("push")) {
                double started = nowMs();
                CHANNELS.writeAndFlush(message);
                System.out.println("{\"startedMs\":" + started + "}");
            } else if (command.equals("count")) {
                System.out.println("{\"links\":" + CHANNELS.size() + "}");
            } else if (command.equals("memory")) {
                for (int i = 0; i < 3; i++) {
                    System.gc();
                    Thread.sleep(300);
                }
                long bytes = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
                for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
                    bytes += pool.getMemoryUsed();
                }
                System.out.println("{\"heapBytes\":" + bytes + "}");
            }
        }
        System.exit(0);
    }

    private static double nowMs() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1e3 + now.getNano() / 1e6;
    }
}
