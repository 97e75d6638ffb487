/* load exchange PORT CONNECTIONS IDLE FRAME PIPELINE WARMUP REQUESTS KIND SECONDS
 *
 * The closed loop over many connections. A request is PIPELINE frames of FRAME bytes, handed to the kernel in one send;
 * it is answered when exactly the same bytes have come back. KIND is what the frames look like: `bytes`, `lines`
 * (ending in \n) or `prefixed` (four bytes of length first, which are part of FRAME).
 *
 * CONNECTIONS take part; IDLE others are opened, and do nothing after that. Opening includes one request on each
 * connection: a server that has not really accepted some of them would look better than it is.
 *
 * Each request is a window into a pool of random frames, at a place that depends on the connection and on how many it
 * has sent. The pool of large frames is kept to what fits into a core's cache: fetching them from memory cost this
 * program a tenth more at 100 KiB.
 */

#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST_SPARE_FRAMES = 61, LEAST_SPARE_FRAMES = 3, SPARE_BYTES = 1 << 18, OPENED_AT_ONCE = 256 };

struct connection {
    int fd;
    int wants_write;
    uint32_t requests;     /* begun on this connection */
    size_t sent, received; /* bytes of the current request */
    const char *request;   /* NULL between requests */
    uint64_t started;
};

static struct connection *connections;
static int epoll_fd;
static size_t frame, request_size, spare_frames;
static const char *pool;
static long issued, finished, wanted;
static char input[READ_SIZE];

static void send_rest(struct connection *c) {
    ssize_t n = send(c->fd, c->request + c->sent, request_size - c->sent, MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) fail("send: %s", strerror(errno));
    if (n > 0) c->sent += (size_t)n;
    int wants_write = c->sent < request_size;
    if (wants_write == c->wants_write) return;
    watch(epoll_fd, EPOLL_CTL_MOD, c->fd, EPOLLIN | (wants_write ? EPOLLOUT : 0), c);
    c->wants_write = wants_write;
}

/* `moment` is when the last one ended: one look at the clock serves both. */
static void next_request(struct connection *c, uint64_t moment) {
    if (issued == wanted) return;
    size_t place = ((size_t)(c - connections) * 7 + c->requests) % (spare_frames + 1);
    issued++;
    c->requests++;
    c->request = pool + place * frame;
    c->sent = c->received = 0;
    c->started = moment;
    send_rest(c);
}

static void receive(struct connection *c) {
    size_t n = take(c->fd, input, sizeof input);
    if (!n) return;
    if (!c->request || c->received + n > c->sent) fail("the server sent more than it was given");
    if (memcmp(input, c->request + c->received, n)) fail("the server sent something else than it was given");
    c->received += n;
    if (c->received < request_size) return;
    uint64_t moment = now();
    note_latency(moment - c->started);
    finished++;
    c->request = NULL;
    next_request(c, moment);
}

/* Exchange so many requests over `count` connections from `first` on. */
static void exchange(struct connection *first, long count, long requests) {
    struct epoll_event events[BATCH];
    issued = finished = 0;
    wanted = requests;
    for (long i = 0; i < count; i++) next_request(&first[i], now());
    while (finished < wanted) {
        int n = wait_for_events(epoll_fd, events);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) send_rest(c);
            if (events[i].events & ~(uint32_t)EPOLLOUT) receive(c);
        }
    }
}

/* Open `total` connections, not more at once than any server's backlog holds, with one request on each. */
static void open_all(int port, long total) {
    connections = allocate((size_t)total, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (long first = 0, end; first < total; first = end) {
        end = first + OPENED_AT_ONCE < total ? first + OPENED_AT_ONCE : total;
        for (struct connection *c = connections + first; c < connections + end; c++) {
            c->fd = open_connection(port, 0);
            watch(epoll_fd, EPOLL_CTL_ADD, c->fd, EPOLLIN, c);
        }
        exchange(connections + first, end - first, end - first);
    }
}

static enum kind kind_of(const char *name) {
    if (!strcmp(name, "bytes")) return BYTES;
    if (!strcmp(name, "lines")) return LINES;
    if (!strcmp(name, "prefixed")) return PREFIXED;
    fail("not bytes, lines or prefixed: '%s'", name);
}

void run_exchange(char **arguments) {
    int port = port_number(arguments[0]);
    long active = number(arguments[1]), idle = number(arguments[2]);
    size_t pipeline = (size_t)number(arguments[4]);
    long warmup = number(arguments[5]), requests = number(arguments[6]);
    frame = (size_t)number(arguments[3]);
    request_size = frame * pipeline;
    if (active < 1 || frame < 1 || pipeline < 1) fail("there has to be a connection, and a frame in a request");
    spare_frames = SPARE_BYTES / frame;
    if (spare_frames > MOST_SPARE_FRAMES) spare_frames = MOST_SPARE_FRAMES;
    if (spare_frames < LEAST_SPARE_FRAMES) spare_frames = LEAST_SPARE_FRAMES;
    pool = make_frames(frame, pipeline + spare_frames, kind_of(arguments[7]));
    open_all(port, active + idle);
    exchange(connections, active, warmup);
    wait_for_start();
    exchange(connections, active, requests);
    report();
}
