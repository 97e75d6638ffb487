/* load fanout PORT RECEIVERS FRAME BURST WARMUP BURSTS SECONDS
 *
 * What goes to everybody: one of RECEIVERS sends BURST lines of FRAME bytes in one send; when all of them, the sender
 * too, have received exactly these, the next burst goes out. The latency is from the send to the last byte at the last
 * receiver.
 *
 * Nobody may be missing when a line goes out, or it would be waited for in vain. A connection may well be open here
 * before the server has accepted it. But servers accept in the order in which connections were made: when the newest
 * has its own line back, all others are in too. So they are opened in groups, and the newest of each sends first.
 */

#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { SPARE_LINES = 61, OPENED_AT_ONCE = 256 };

struct receiver {
    int fd;
    size_t received; /* bytes of the current burst */
};

static struct receiver *receivers;
static int epoll_fd;
static size_t line, burst_size;
static const char *pool;
static char input[READ_SIZE];

/* Returns true when `r` has the whole burst. */
static int receive(struct receiver *r, const char *burst) {
    size_t n = take(r->fd, input, sizeof input);
    if (!n) return 0;
    if (r->received + n > burst_size) fail("the server sent more than it was given");
    if (memcmp(input, burst + r->received, n)) fail("the server sent something else than it was given");
    r->received += n;
    return r->received == burst_size;
}

/* One burst, from `sender` to the first `count` receivers. */
static void broadcast(struct receiver *sender, long count) {
    static size_t sequence;
    struct epoll_event events[BATCH];
    const char *burst = pool + sequence++ * 13 % (SPARE_LINES + 1) * line;
    uint64_t started = now();
    for (long i = 0; i < count; i++) receivers[i].received = 0;
    ssize_t sent = send(sender->fd, burst, burst_size, MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) fail("send: %s", strerror(errno));
    if (sent != (ssize_t)burst_size) fail("a burst of %zu bytes is more than a socket takes at once", burst_size);
    for (long missing = count; missing;) {
        int n = wait_for_events(epoll_fd, events);
        for (int i = 0; i < n; i++) missing -= receive(events[i].data.ptr, burst);
    }
    note_latency(now() - started);
}

static void open_all(int port, long total) {
    receivers = allocate((size_t)total, sizeof *receivers);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (long first = 0, end; first < total; first = end) {
        end = first + OPENED_AT_ONCE < total ? first + OPENED_AT_ONCE : total;
        for (struct receiver *r = receivers + first; r < receivers + end; r++) {
            r->fd = open_connection(port, 0);
            watch(epoll_fd, EPOLL_CTL_ADD, r->fd, EPOLLIN, r);
        }
        broadcast(&receivers[end - 1], end);
    }
}

void run_fanout(char **arguments) {
    int port = port_number(arguments[0]);
    long count = number(arguments[1]), warmup = number(arguments[4]), bursts = number(arguments[5]);
    size_t lines = (size_t)number(arguments[3]);
    line = (size_t)number(arguments[2]);
    burst_size = line * lines;
    if (count < 1 || lines < 1) fail("there has to be a receiver, and a line in a burst");
    pool = make_frames(line, lines + SPARE_LINES, LINES);
    open_all(port, count);
    for (long i = 0; i < warmup; i++) broadcast(&receivers[i % count], count);
    wait_for_start();
    for (long i = 0; i < bursts; i++) broadcast(&receivers[i % count], count);
    report();
}
