import io.netty.channel.Channel;
import io.netty.handler.codec.CorruptedFrameException;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * What both sides of a session do: number messages, keep what is not acknowledged, acknowledge, send again.
 * It outlives its links; all of it runs on one event loop.
 */
final class Session {
    private static final int ACKNOWLEDGE_AFTER_MS = 200;
    private static final int ACKNOWLEDGE_AFTER_MESSAGES = 32;
    private static final int ACKNOWLEDGE_AFTER_BYTES = 64 * 1024;

    final byte[] secrets;
    /** The number of the last link: of two links of one client the one with the higher number counts. */
    long link = 1;
    long duplicates;
    long acknowledgementsAlone;
    /** The link that carries it now; null while there is none. */
    Channel channel;

    private record Kept(long sequence, byte[] body) {}

    private final Deque<Kept> unacknowledged = new ArrayDeque<>();
    private final Consumer<byte[]> application;
    private long sent;
    private long confirmed;
    private long received;
    private int unsaidMessages;
    private int unsaidBytes;
    private ScheduledFuture<?> acknowledgement;

    /**
     * @param secrets id and token
     * @param application gets each message once, in order
     */
    Session(byte[] secrets, Consumer<byte[]> application) {
        this.secrets = secrets;
        this.application = application;
    }

    long received() {
        return received;
    }

    int unacknowledged() {
        return unacknowledged.size();
    }

    /** A message, now or on the next link. */
    void write(byte[] body) {
        Kept kept = new Kept(++sent, body);
        unacknowledged.add(kept);
        if (channel != null) {
            send(kept);
            channel.flush();
        }
    }

    /** The session stands on a link; the other side has so much, and gets the rest. */
    void standsOn(Channel channel, long confirmed) {
        this.channel = channel;
        confirm(confirmed);
        unacknowledged.forEach(this::send);
        channel.flush();
    }

    void linkLost() {
        said();
        channel = null;
    }

    /** A heartbeat of this session's link, with its acknowledgement. */
    Heartbeat heartbeat(int kind, int time, int sequence) {
        said();
        return new Heartbeat(kind, time, sequence, (int) (received & 0xffff), true);
    }

    /** A heartbeat has come, with the lower 16 bits of what the other side is done with. */
    void onHeartbeat(Heartbeat heartbeat) {
        if (heartbeat.isOne()) {
            confirm(confirmed + (heartbeat.acknowledgement() - confirmed & 0xffff));
        }
    }

    void onMessage(SessionFrame frame) {
        confirm(frame.number(1));
        long sequence = frame.number(0);
        if (sequence <= received) {
            duplicates++;
            acknowledge();
            return;
        }
        if (sequence > received + 1) {
            throw new CorruptedFrameException(
                    "Cannot take message " + sequence + ": the next one is " + (received + 1));
        }
        unsaidMessages++;
        unsaidBytes += frame.bytes().length;
        // What the application answers carries the acknowledgement, so it counts as done with from here on.
        received = sequence;
        application.accept(frame.bytes());
        if (unsaidMessages >= ACKNOWLEDGE_AFTER_MESSAGES || unsaidBytes >= ACKNOWLEDGE_AFTER_BYTES) {
            acknowledge();
        } else if (unsaidMessages > 0 && acknowledgement == null && channel != null) {
            acknowledgement = channel.eventLoop()
                    .schedule(this::acknowledge, ACKNOWLEDGE_AFTER_MS, TimeUnit.MILLISECONDS);
        }
    }

    void confirm(long upTo) {
        if (upTo > sent) {
            throw new CorruptedFrameException("Cannot confirm message " + upTo + ": only " + sent + " were sent");
        }
        while (!unacknowledged.isEmpty() && unacknowledged.peek().sequence() <= upTo) {
            unacknowledged.remove();
        }
        confirmed = Math.max(confirmed, upTo);
    }

    void acknowledge() {
        said();
        if (channel != null) {
            acknowledgementsAlone++;
            channel.writeAndFlush(SessionFrame.encode(SessionFrame.ACKNOWLEDGEMENT, received));
        }
    }

    private void send(Kept kept) {
        said();
        channel.write(SessionFrame.encode(SessionFrame.MESSAGE, kept.body(), kept.sequence(), received));
    }

    private void said() {
        unsaidMessages = 0;
        unsaidBytes = 0;
        if (acknowledgement != null) {
            acknowledgement.cancel(false);
            acknowledgement = null;
        }
    }
}
