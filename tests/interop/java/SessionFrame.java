import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.CorruptedFrameException;
import java.util.ArrayList;
import java.util.List;

/**
 * A frame of a session: kind, numbers, and the bytes behind them, which are id and token, or a message.
 */
record SessionFrame(int kind, List<Long> numbers, byte[] bytes) {
    static final int OPEN = 1;
    static final int RESUME = 2;
    static final int OPENED = 3;
    static final int RESUMED = 4;
    static final int REFUSED = 5;
    static final int MESSAGE = 6;
    static final int ACKNOWLEDGEMENT = 7;
    static final int END = 8;

    static final int VERSION = 1;
    static final int ID_BYTES = 16;
    static final int TOKEN_BYTES = 32;

    /** Reasons of a refusal. */
    static final int UNKNOWN = 1;
    static final int STALE = 2;
    static final int OTHER_VERSION = 4;

    private static final int MAGIC = 0xc1;
    private static final int LONGEST_NUMBER = 8;

    static ByteBuf encode(int kind, byte[] bytes, long... numbers) {
        ByteBuf frame = Unpooled.buffer(2 + 3 * LONGEST_NUMBER + bytes.length).writeByte(MAGIC).writeByte(kind);
        for (long number : numbers) {
            for (; number > 0x7f; number >>>= 7) {
                frame.writeByte((int) (number & 0x7f | 0x80));
            }
            frame.writeByte((int) number);
        }
        return frame.writeBytes(bytes);
    }

    static ByteBuf encode(int kind, long... numbers) {
        return encode(kind, new byte[0], numbers);
    }

    static boolean isOne(ByteBuf frame) {
        return frame.readableBytes() > 1 && frame.getUnsignedByte(frame.readerIndex()) == MAGIC;
    }

    /** @throws CorruptedFrameException if it is malformed */
    static SessionFrame decode(ByteBuf frame) {
        frame.skipBytes(1);
        int kind = frame.readUnsignedByte();
        int wanted = switch (kind) {
            case OPEN, RESUMED, ACKNOWLEDGEMENT, END, OPENED -> 1;
            case REFUSED, MESSAGE -> 2;
            case RESUME -> 3;
            default -> 0;
        };
        List<Long> numbers = new ArrayList<>();
        while (numbers.size() < wanted) {
            numbers.add(number(frame));
        }
        byte[] bytes = new byte[frame.readableBytes()];
        frame.readBytes(bytes);
        boolean isWhole = switch (kind) {
            case RESUME, OPENED -> bytes.length == ID_BYTES + TOKEN_BYTES;
            case OPEN, RESUMED, REFUSED, ACKNOWLEDGEMENT, END -> bytes.length == 0;
            default -> true;
        };
        if (!isWhole) {
            throw new CorruptedFrameException(
                    "Cannot decode the session frame: kind " + kind + " with " + bytes.length + " more bytes");
        }
        return new SessionFrame(kind, numbers, bytes);
    }

    long number(int index) {
        return numbers.get(index);
    }

    private static long number(ByteBuf frame) {
        long number = 0;
        for (int i = 0; i < LONGEST_NUMBER && frame.isReadable(); i++) {
            int group = frame.readUnsignedByte();
            number |= (long) (group & 0x7f) << 7 * i;
            if (group <= 0x7f && number < 1L << 53) {
                return number;
            }
        }
        throw new CorruptedFrameException("Cannot decode the session frame: no number of at most 53 bits");
    }
}
