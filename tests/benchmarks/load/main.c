/* The load of the benchmark, written in C so that it is never what is being measured.
 *
 * usage:  load MODE ARGUMENT... SECONDS
 *
 * Every mode is a *closed loop*: a connection sends its next request when it has the whole answer to the last. So the
 * server is never given more than one request per connection; it is kept busy without a queue growing anywhere, and a
 * slow server simply receives less. An open loop, which sends at a fixed pace, would have to be told a pace that each
 * server can just bear, and that pace is what is to be found out.
 *
 * What p50 and p99 mean then. `p50` is what half of the requests did not exceed, `p99` what 99 of 100 did not. With N
 * connections and a server that is always busy, N - 1 other requests are before each one, so the mean latency is N
 * divided by the requests per second, for good and bad servers alike: p50 repeats the rate. p99 / p50 is what is new:
 * how evenly the server treats its connections. Both would be shorter on a server that is not kept busy, and a stall
 * is counted once for each connection, not once for each request that a patient crowd would have sent meanwhile.
 *
 * Every byte that comes back is compared with the byte that was sent, and successive requests differ. A server that
 * mixes up connections, or answers with what it answered before, is found out: it is not measured, it is an error.
 *
 * How it is spoken to: it warms up, prints {"warm": true}, waits for a line, measures, and prints one line of JSON:
 * the seconds that passed, the seconds of CPU that this program used for it, and the latencies where they mean
 * something. Then it keeps its connections until the end of stdin, because to see them end costs a server something.
 * Anything wrong, or SECONDS without an end, is one line on stderr and status 1.
 */

#define _GNU_SOURCE
#include "common.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct mode {
    const char *name, *usage;
    int arguments;
    void (*run)(char **arguments);
} modes[] = {
    {"exchange", "PORT CONNECTIONS IDLE FRAME PIPELINE WARMUP REQUESTS KIND", 8, run_exchange},
    {"fanout", "PORT RECEIVERS FRAME BURST WARMUP BURSTS", 6, run_fanout},
    {"send", "PORT WARMUP BYTES", 3, run_send},
    {"forward", "WARMUP BYTES", 2, run_forward},
    {"connect", "PORT CONCURRENT WARMUP CONNECTIONS", 4, run_connect},
    {"hold", "PORT CONNECTIONS", 2, run_hold},
};

static void time_is_up(int signal_number) {
    static const char message[] = "the load did not come to an end in time\n";
    (void)signal_number;
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(1);
    _exit(1);
}

/* What is the same for all modes: to end in time and with whoever started this, and to have enough descriptors. */
static void prepare(long seconds) {
    struct rlimit limit;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGALRM, time_is_up);
    signal(SIGPIPE, SIG_IGN); /* a server that is gone is an error of send, which has a message */
    alarm((unsigned)seconds);
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max; /* the soft limit is often 1,024, for the sake of programs that use select */
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int count, char **arguments) {
    for (size_t i = 0; count > 1 && i < sizeof modes / sizeof *modes; i++) {
        const struct mode *mode = &modes[i];
        if (strcmp(arguments[1], mode->name)) continue;
        if (count != 3 + mode->arguments) fail("usage: load %s %s SECONDS", mode->name, mode->usage);
        prepare(number(arguments[count - 1]));
        mode->run(arguments + 2);
        while (getchar() != EOF) continue;
        return 0;
    }
    fail("usage: load exchange|fanout|send|forward|connect|hold ARGUMENT... SECONDS");
}
