import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.protobuf.ProtobufVarint32FrameDecoder;
import io.netty.handler.codec.protobuf.ProtobufVarint32LengthFieldPrepender;
import io.netty.handler.timeout.IdleStateHandler;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The handlers below a peer's own: Netty's, and no others. */
final class Wire {
    private static final int MAX_FRAME = 1 << 20;

    private Wire() {}

    /** @param framing {@code varint}, or {@code length}: four bytes, the most significant first */
    static void addTo(ChannelPipeline pipeline, String framing) {
        pipeline.addLast("idle", new IdleStateHandler(0, 0, 0));
        switch (framing) {
            case "varint" -> pipeline.addLast(
                    new BoundedVarintFrameDecoder(), new ProtobufVarint32LengthFieldPrepender());
            case "length" -> pipeline.addLast(
                    new LengthFieldBasedFrameDecoder(MAX_FRAME, 0, 4, 0, 4), new LengthFieldPrepender(4));
            default -> throw new IllegalArgumentException("Cannot frame: " + framing + " is no framing");
        }
    }

    /** Starts both clocks anew; 0 is never. Netty's handler takes its times once, so it is another one. */
    static void watch(ChannelHandlerContext context, long readerIdleMs, long allIdleMs) {
        context.pipeline().replace("idle", "idle",
                new IdleStateHandler(readerIdleMs, 0, allIdleMs, TimeUnit.MILLISECONDS));
    }

    /** One JSON object on one line of stdout. */
    static void say(Object... namesAndValues) {
        StringBuilder line = new StringBuilder("{");
        for (int i = 0; i < namesAndValues.length; i += 2) {
            Object value = namesAndValues[i + 1];
            String text = value instanceof Number || value instanceof Boolean
                    ? value.toString()
                    : '"' + value.toString().replace("\\", "\\\\").replace("\"", "\\\"") + '"';
            line.append(i == 0 ? "" : ",").append('"').append(namesAndValues[i]).append("\":").append(text);
        }
        System.out.println(line.append('}'));
    }

    /** Netty's own takes any length and would keep 2 GiB for whoever announces them. */
    private static final class BoundedVarintFrameDecoder extends ProtobufVarint32FrameDecoder {
        @Override
        protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) throws Exception {
            int before = in.readableBytes();
            super.decode(context, in, out);
            if (in.readableBytes() == before && before > MAX_FRAME + 5) {
                throw new TooLongFrameException("Cannot take the frame: it has more than " + MAX_FRAME + " bytes");
            }
        }
    }
}
