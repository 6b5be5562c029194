// Netty: answers heartbeats, holds included, and echoes messages. Argument: the port.
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.*;
import io.netty.channel.*;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.protobuf.*;
import io.netty.handler.timeout.IdleStateHandler;
import java.util.concurrent.TimeUnit;
public final class NettyServer extends ChannelInboundHandlerAdapter {
    private boolean hasGreeted;
    private long held = -1; // the sequence of the hold that waits for its silence
    public static void main(String[] args) throws Exception {
        new ServerBootstrap().group(new NioEventLoopGroup()).channel(NioServerSocketChannel.class)
            .childHandler(new ChannelInitializer<Channel>() { @Override protected void initChannel(Channel channel) {
                channel.pipeline().addLast("idle", new IdleStateHandler(0, 0, 0)).addLast(
                    new ProtobufVarint32FrameDecoder(), new ProtobufVarint32LengthFieldPrepender(), new NettyServer());
            }}).bind("127.0.0.1", Integer.parseInt(args[0])).addListener(bound -> System.out.println("listening"));
    }
    @Override public void channelRead(ChannelHandlerContext context, Object message) {
        ByteBuf frame = (ByteBuf) message;
        boolean isHeartbeat = frame.readableBytes() == 9 && frame.getUnsignedMedium(0) == 0xc7064c;
        long bits = isHeartbeat ? frame.getLong(1) : 0, kind = bits >>> 44 & 15, sequence = bits >>> 18 & 511;
        if (!isHeartbeat) context.writeAndFlush(frame.retain());
        else if (!hasGreeted && (hasGreeted = true)) send(context, 4, 75_000, 1); // hello: holds up to 7,500 s
        if (isHeartbeat && kind == 0) send(context, 1, 0, sequence); // a ping: pong
        if (kind == 2 && held >= 0) send(context, 3, 2, sequence); // a second hold: void
        else if (kind == 2) context.pipeline().replace("idle", "idle", new IdleStateHandler(0, 0,
            100 * (bits >>> 27 & 0x1ffff), TimeUnit.MILLISECONDS)); // of both directions
        if (kind == 2 && held < 0) held = sequence;
        frame.release();
    }
    @Override public void userEventTriggered(ChannelHandlerContext context, Object silenceIsOver) {
        if (held >= 0) send(context, 1, 0, held); held = -1; // the pong
    }
    private static void send(ChannelHandlerContext context, long kind, long time, long sequence) {
        long bytes = 0x064cL << 48 | kind << 44 | time << 27 | sequence << 18;
        context.writeAndFlush(Unpooled.buffer(9).writeByte(0xc7).writeLong(bytes));
    }
}
