import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultEventLoopGroup;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.local.LocalAddress;
import io.netty.channel.local.LocalChannel;
import io.netty.channel.local.LocalServerChannel;
import io.netty.util.Version;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * What one handler hop costs in Netty: the peer of bench/hop.ts, step for step.
 *
 * <p>Ten forwarding handlers of five classes, and behind them a sink that counts, in a LocalChannel; all of it
 * runs on the channel's own event loop, as it would behind a socket. Netty runs with its defaults. The message
 * is a plain object or a ByteBuf, by the argument: with Netty's default leak detection every hop asks whether
 * the message is reference counted, and HotSpot answers that several times faster for one that is. Prints one
 * JSON object on stdout, progress on stderr.
 */
public final class HopBench {
    private static final int HANDLERS = 10;
    private static final int TIMES = 200_000;
    private static final int WARM_UP_ROUNDS = 30;
    private static final int ROUNDS = 25;

    /** A decoded message, as handlers behind a frame decoder see it. */
    static final class Message {
        final String text = "hello";
    }

    /** Five classes with one body: one call site sees five receivers, as with five different handlers. */
    static final class HandlerA extends ChannelDuplexHandler {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.fireChannelRead(msg);
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            ctx.write(msg, promise);
        }
    }

    static final class HandlerB extends ChannelDuplexHandler {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.fireChannelRead(msg);
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            ctx.write(msg, promise);
        }
    }

    static final class HandlerC extends ChannelDuplexHandler {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.fireChannelRead(msg);
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            ctx.write(msg, promise);
        }
    }

    static final class HandlerD extends ChannelDuplexHandler {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.fireChannelRead(msg);
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            ctx.write(msg, promise);
        }
    }

    static final class HandlerE extends ChannelDuplexHandler {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.fireChannelRead(msg);
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            ctx.write(msg, promise);
        }
    }

    /** Consumes what arrives, so that neither the tail's warning nor the transport's buffer is measured. */
    static final class Sink extends ChannelDuplexHandler {
        long count;

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            count++;
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            count++;
            promise.trySuccess();
        }
    }

    /** A bootstrap insists on a handler. This one overrides nothing, so Netty skips it. */
    @Sharable
    static final class Nothing extends ChannelDuplexHandler {
    }

    interface Event {
        void fire(ChannelPipeline pipeline, Object message);
    }

    private static ChannelDuplexHandler forwarder(int i) {
        switch (i % 5) {
            case 0:
                return new HandlerA();
            case 1:
                return new HandlerB();
            case 2:
                return new HandlerC();
            case 3:
                return new HandlerD();
            default:
                return new HandlerE();
        }
    }

    private static double round(String name, Event event, ChannelPipeline pipeline, Object message, Sink sink) {
        long before = sink.count;
        long start = System.nanoTime();
        for (int i = 0; i < TIMES; i++) {
            event.fire(pipeline, message);
        }
        long nanos = System.nanoTime() - start;
        if (sink.count - before != TIMES) {
            throw new IllegalStateException(name + ": " + (sink.count - before) + " of " + TIMES + " arrived");
        }
        return (double) nanos / TIMES / HANDLERS;
    }

    /** Median ns a hop. */
    private static double measure(String name, Event event, ChannelPipeline pipeline, Object message, Sink sink) {
        for (int i = 0; i < WARM_UP_ROUNDS; i++) {
            round(name, event, pipeline, message, sink);
        }
        double[] nanos = new double[ROUNDS];
        for (int i = 0; i < ROUNDS; i++) {
            nanos[i] = round(name, event, pipeline, message, sink);
        }
        Arrays.sort(nanos);
        System.err.printf(Locale.ROOT, "  netty %s: %.2f ns a hop (%.2f to %.2f in %d rounds)%n",
                name, nanos[ROUNDS / 2], nanos[0], nanos[ROUNDS - 1], ROUNDS);
        return nanos[ROUNDS / 2];
    }

    private static double inbound(Channel channel, Object message) {
        Sink sink = new Sink();
        ChannelPipeline pipeline = channel.pipeline();
        for (int i = 0; i < HANDLERS; i++) {
            pipeline.addLast(forwarder(i));
        }
        pipeline.addLast(sink);
        return measure("inbound", ChannelPipeline::fireChannelRead, pipeline, message, sink);
    }

    private static double outbound(Channel channel, Object message) {
        Sink sink = new Sink();
        ChannelPipeline pipeline = channel.pipeline();
        pipeline.addLast(sink);
        for (int i = 0; i < HANDLERS; i++) {
            pipeline.addLast(forwarder(i));
        }
        return measure("outbound", ChannelPipeline::write, pipeline, message, sink);
    }

    private static Channel connect(EventLoopGroup group, LocalAddress address) throws InterruptedException {
        return new Bootstrap().group(group).channel(LocalChannel.class).handler(new Nothing())
                .connect(address).sync().channel();
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 1 || !(args[0].equals("object") || args[0].equals("bytebuf"))) {
            throw new IllegalArgumentException("Cannot run: expected one argument, \"object\" or \"bytebuf\"");
        }
        Object message = args[0].equals("object") ? new Message() : Unpooled.buffer(64);
        EventLoopGroup group = new DefaultEventLoopGroup(1);
        try {
            LocalAddress address = new LocalAddress("hop");
            new ServerBootstrap().group(group).channel(LocalServerChannel.class)
                    .childHandler(new Nothing()).bind(address).sync();
            Channel reader = connect(group, address);
            Channel writer = connect(group, address);
            double inboundNs = reader.eventLoop().submit(() -> inbound(reader, message)).get();
            double outboundNs = writer.eventLoop().submit(() -> outbound(writer, message)).get();
            System.out.printf(Locale.ROOT, "{\"inboundNs\": %.3f, \"outboundNs\": %.3f, \"version\": \"%s\"}%n",
                    inboundNs, outboundNs, Version.identify().get("netty-transport").artifactVersion());
        } finally {
            group.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        }
    }
}
