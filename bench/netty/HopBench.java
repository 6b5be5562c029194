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
 * {@code HopBench object|bytebuf HANDLERS CLASSES SKIPPED}: what one handler hop costs in Netty: the peer of bench/programs/hop.ts, step for step.
 *
 * <p>Forwarding handlers of one or five classes, some with no method for the event in front of each, and behind
 * them a sink that counts, in a LocalChannel; all of it runs on the channel's own event loop, as it would behind
 * a socket. Netty runs with its defaults. The message is a plain object or a ByteBuf: with Netty's default leak
 * detection every hop asks whether the message is reference counted, and HotSpot answers that several times
 * faster for one that is. Prints one JSON object on stdout.
 */
public final class HopBench {
    private static final long WARM_UP_NANOS = 900_000_000;
    private static final int ROUNDS = 250;
    /** As in bench/programs/_rounds.ts: short, so that most rounds pass without an interruption. */
    private static final long ROUND_NANOS = 1_000_000;

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

    /** Has no method for messages. */
    static final class Bystander extends ChannelDuplexHandler {
        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            ctx.fireUserEventTriggered(event);
        }
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

    private final Object message;
    private final int handlers;
    private final int classes;
    private final int skipped;

    HopBench(Object message, int handlers, int classes, int skipped) {
        this.message = message;
        this.handlers = handlers;
        this.classes = classes;
        this.skipped = skipped;
    }

    private void addForwarders(ChannelPipeline pipeline) {
        for (int i = 0; i < handlers; i++) {
            for (int j = 0; j < skipped; j++) {
                pipeline.addLast(new Bystander());
            }
            pipeline.addLast(forwarder(i % classes));
        }
    }

    private long round(Event event, ChannelPipeline pipeline, Sink sink, int times) {
        long before = sink.count;
        long start = System.nanoTime();
        for (int i = 0; i < times; i++) {
            event.fire(pipeline, message);
        }
        long nanos = System.nanoTime() - start;
        if (sink.count - before != times) {
            throw new IllegalStateException(sink.count - before + " of " + times + " arrived");
        }
        return nanos;
    }

    /** Median ns a handler: the whole call divided by the handlers that forward. */
    private double measure(Event event, ChannelPipeline pipeline, Sink sink) {
        int times = 1;
        for (long end = System.nanoTime() + WARM_UP_NANOS; System.nanoTime() < end;) {
            long nanos = round(event, pipeline, sink, times);
            times = (int) Math.max(1, Math.min(1_000_000, times * ROUND_NANOS / Math.max(1, nanos)));
        }
        double[] nanos = new double[ROUNDS];
        for (int i = 0; i < ROUNDS; i++) {
            nanos[i] = (double) round(event, pipeline, sink, times) / times / handlers;
        }
        Arrays.sort(nanos);
        return nanos[ROUNDS / 2];
    }

    private double inbound(Channel channel) {
        Sink sink = new Sink();
        addForwarders(channel.pipeline());
        channel.pipeline().addLast(sink);
        return measure(ChannelPipeline::fireChannelRead, channel.pipeline(), sink);
    }

    private double outbound(Channel channel) {
        Sink sink = new Sink();
        channel.pipeline().addLast(sink);
        addForwarders(channel.pipeline());
        return measure(ChannelPipeline::write, channel.pipeline(), sink);
    }

    private static Channel connect(EventLoopGroup group, LocalAddress address) throws InterruptedException {
        return new Bootstrap().group(group).channel(LocalChannel.class).handler(new Nothing())
                .connect(address).sync().channel();
    }

    public static void main(String[] args) throws Exception {
        Object message = args[0].equals("object") ? new Message() : Unpooled.buffer(64);
        HopBench bench = new HopBench(message, Integer.parseInt(args[1]), Integer.parseInt(args[2]),
                Integer.parseInt(args[3]));
        EventLoopGroup group = new DefaultEventLoopGroup(1);
        try {
            LocalAddress address = new LocalAddress("hop");
            new ServerBootstrap().group(group).channel(LocalServerChannel.class)
                    .childHandler(new Nothing()).bind(address).sync();
            Channel reader = connect(group, address);
            Channel writer = connect(group, address);
            double inboundNs = reader.eventLoop().submit(() -> bench.inbound(reader)).get();
            double outboundNs = writer.eventLoop().submit(() -> bench.outbound(writer)).get();
            System.out.printf(Locale.ROOT, "{\"inboundNs\": %.3f, \"outboundNs\": %.3f, \"version\": \"%s\"}%n",
                    inboundNs, outboundNs, Version.identify().get("netty-transport").artifactVersion());
        } finally {
            group.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        }
    }
}
