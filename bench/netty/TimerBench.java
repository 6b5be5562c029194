import io.netty.util.HashedWheelTimer;
import io.netty.util.Timeout;
import io.netty.util.TimerTask;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * {@code TimerBench TIMERS}: what timers cost on Netty's HashedWheelTimer, the peer of bench/programs/timers.ts.
 *
 * <p>The wheel has its defaults: 512 slots of 100 ms, and a thread of its own, so that setting and cancelling
 * are put into queues here and done there. CPU time of all Java threads is therefore what is measured, until the
 * wheel has seen to it all; the garbage collector's threads are not in it. Prints one JSON object on stdout, ns a
 * timer.
 */
public final class TimerBench {
    private static final long IDLE_MS = 240_000;
    /** A million expire within a second, after another one in which all are set. */
    private static final int EXPIRIES_A_MS = 1000;
    /** Two ticks and more: what was put into the queues has been taken out. */
    private static final long SEEN_TO_MS = 400;

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private static final class Link {
        long expired;
    }

    private final int timers;
    private final Link[] links;
    private final Timeout[] timeouts;
    private HashedWheelTimer wheel;

    private TimerBench(int timers) {
        this.timers = timers;
        links = new Link[timers];
        timeouts = new Timeout[timers];
        for (int i = 0; i < timers; i++) {
            links[i] = new Link();
        }
    }

    private static TimerTask expiry(Link link) {
        return timeout -> link.expired++;
    }

    private static long cpuTime() {
        long nanos = 0;
        for (long thread : THREADS.getAllThreadIds()) {
            nanos += Math.max(0, THREADS.getThreadCpuTime(thread));
        }
        return nanos;
    }

    private double cpuNs(Runnable work) throws InterruptedException {
        System.gc();
        long start = cpuTime();
        work.run();
        Thread.sleep(SEEN_TO_MS);
        return (double) (cpuTime() - start) / timers;
    }

    private void set() {
        for (int i = 0; i < timers; i++) {
            timeouts[i] = wheel.newTimeout(expiry(links[i]), IDLE_MS, TimeUnit.MILLISECONDS);
        }
    }

    private void reset() {
        for (int i = 0; i < timers; i++) {
            timeouts[i].cancel();
            timeouts[i] = wheel.newTimeout(expiry(links[i]), IDLE_MS, TimeUnit.MILLISECONDS);
        }
    }

    private void cancel() {
        for (int i = 0; i < timers; i++) {
            timeouts[i].cancel();
        }
    }

    /** From when all have been set until the last one has expired. */
    private double expireNs() throws InterruptedException {
        int expiryMs = timers / EXPIRIES_A_MS;
        CountDownLatch left = new CountDownLatch(timers);
        TimerTask expiry = timeout -> left.countDown();
        System.gc();
        for (int i = 0; i < timers; i++) {
            wheel.newTimeout(expiry, expiryMs + i % expiryMs, TimeUnit.MILLISECONDS);
        }
        long start = cpuTime();
        left.await();
        return (double) (cpuTime() - start) / timers;
    }

    public static void main(String[] args) throws InterruptedException {
        TimerBench bench = new TimerBench(Integer.parseInt(args[0]));
        double set = 0;
        double touch = 0;
        double expire = 0;
        // The first round warms up.
        for (int round = 0; round < 2; round++) {
            bench.wheel = new HashedWheelTimer();
            bench.wheel.start();
            set = bench.cpuNs(bench::set);
            touch = bench.cpuNs(bench::reset);
            bench.cpuNs(bench::cancel);
            expire = bench.expireNs();
            bench.wheel.stop();
        }
        System.out.printf(Locale.ROOT, "{\"set\": %.3f, \"touch\": %.3f, \"expire\": %.3f}%n", set, touch, expire);
    }
}
