import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.CorruptedFrameException;

/** A heartbeat: 48 bits in a MessagePack ext8 of type 76. */
record Heartbeat(int kind, int time, int sequence, int acknowledgement, boolean isOne) {
    static final int PING = 0;
    static final int PONG = 1;
    static final int HOLD = 2;
    static final int VOID = 3;
    static final int HELLO = 4;
    static final int SCOUT = 5;
    static final int GO_AWAY = 6;

    /** What a hello says: its lower four bits are the version, the upper five what its sender is able to do. */
    static final int VERSION = 1;
    static final int TAKES_SCOUTS = 1 << 4;
    static final int KEEPS_SESSIONS = 2 << 4;

    /** Reasons of a void. */
    static final int TOO_LONG = 1;
    static final int TOO_MANY = 2;
    static final int NOT_SERVED = 3;
    static final int GIVEN_UP = 4;

    /** Reasons of a goAway. */
    static final int SHUTDOWN = 1;
    static final int PROTOCOL = 6;

    private static final int LENGTH = 9;
    private static final int LONGEST_EXT = 18;

    Heartbeat(int kind, int time, int sequence) {
        this(kind, time, sequence, 0, false);
    }

    ByteBuf encode() {
        long bits = (long) kind << 44 | (long) time << 27 | (long) sequence << 18
                | (long) acknowledgement << 2 | (isOne ? 2 : 0);
        return Unpooled.buffer(LENGTH).writeByte(0xc7).writeByte(6).writeByte(76)
                .writeShort((int) (bits >>> 32)).writeInt((int) bits);
    }

    /**
     * Tells a heartbeat from a message.
     *
     * @return null if the frame is a message
     * @throws CorruptedFrameException if it is an ext of type 76 in another form
     */
    static Heartbeat decode(ByteBuf frame) {
        int length = frame.readableBytes();
        if (length == 0 || length > LONGEST_EXT || typeOf(frame) != 76) {
            return null;
        }
        int start = frame.readerIndex();
        if (length != LENGTH || frame.getUnsignedByte(start) != 0xc7 || frame.getByte(start + 1) != 6) {
            throw new CorruptedFrameException("Cannot decode the heartbeat: expected an ext8 of 6 bytes");
        }
        long bits = (long) frame.getUnsignedShort(start + 3) << 32 | frame.getUnsignedInt(start + 5);
        return new Heartbeat((int) (bits >>> 44), (int) (bits >>> 27) & 0x1ffff, (int) (bits >>> 18) & 0x1ff,
                (int) (bits >>> 2) & 0xffff, (bits & 2) != 0);
    }

    /** The type of the MessagePack ext that the frame begins with; -1 if it begins with none. */
    private static int typeOf(ByteBuf frame) {
        int header = switch (frame.getUnsignedByte(frame.readerIndex())) {
            case 0xc7 -> 2;
            case 0xc8 -> 3;
            case 0xc9 -> 5;
            case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8 -> 1;
            default -> frame.readableBytes();
        };
        return header < frame.readableBytes() ? frame.getByte(frame.readerIndex() + header) : -1;
    }
}
