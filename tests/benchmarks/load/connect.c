/* load connect PORT CONCURRENT WARMUP CONNECTIONS SECONDS
 *
 * What a new connection costs the server: CONCURRENT at a time, each is opened, sends 64 bytes, compares the echo, and
 * is closed; then the next takes its place. The latency is from before the connect to the last byte of the echo.
 *
 * Who closes first keeps the connection's two addresses and two ports reserved for a minute (TIME_WAIT), so that a
 * late packet is not taken for one of a new connection. That is us, and one address has only 28,000 ports to offer. So
 * the connections come from many of this machine's addresses in turn. (A reset instead of a close would leave nothing
 * reserved, but it would measure how a server treats an error.)
 *
 * To connect here never means to wait: on one machine it succeeds at once, as long as CONCURRENT does not exceed the
 * length of the server's queue of connections that it has not yet accepted.
 */

#include "common.h"

#include <string.h>
#include <unistd.h>

enum { ADDRESSES = 200, PLACES = 1024 };

struct connection {
    int fd;
    size_t received;
    const char *greeting;
    uint64_t started;
};

static struct connection *connections;
static int epoll_fd, port;
static long opened, finished, wanted;
static char pool[PLACES + GREETING], input[READ_SIZE];

static void open_next(struct connection *c) {
    if (opened == wanted) return;
    c->started = now();
    c->received = 0;
    c->greeting = pool + opened % PLACES;
    c->fd = open_connection(port, 1 + (uint32_t)(opened % ADDRESSES));
    opened++;
    greet(c->fd, c->greeting);
    watch(epoll_fd, EPOLL_CTL_ADD, c->fd, EPOLLIN, c);
}

static void receive(struct connection *c) {
    size_t n = take(c->fd, input, sizeof input);
    if (!n) return;
    if (c->received + n > GREETING) fail("the server sent more than it was given");
    if (memcmp(input, c->greeting + c->received, n)) fail("the server sent something else than it was given");
    c->received += n;
    if (c->received < GREETING) return;
    note_latency(now() - c->started);
    close(c->fd); /* epoll forgets it */
    finished++;
    open_next(c);
}

static void connect_and_close(long concurrent, long total) {
    struct epoll_event events[BATCH];
    opened = finished = 0;
    wanted = total;
    for (long i = 0; i < concurrent; i++) open_next(&connections[i]);
    while (finished < wanted) {
        int n = wait_for_events(epoll_fd, events);
        for (int i = 0; i < n; i++) receive(events[i].data.ptr);
    }
}

void run_connect(char **arguments) {
    port = port_number(arguments[0]);
    long concurrent = number(arguments[1]);
    if (concurrent < 1) fail("there has to be a connection");
    connections = allocate((size_t)concurrent, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fill_at_random(pool, sizeof pool);
    connect_and_close(concurrent, number(arguments[2]));
    wait_for_start();
    connect_and_close(concurrent, number(arguments[3]));
    report();
}
