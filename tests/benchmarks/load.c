/* The load: a closed loop over many connections, written in C so that it is never what is being measured.
 *
 * Every connection sends one request, waits until exactly the same bytes have come back, and sends the next. A
 * request is PIPELINE frames of FRAME bytes, handed to the kernel in one send. Closed loop means that the server is
 * never given more than one request per connection, so it is kept busy without a queue growing anywhere, and a slow
 * server simply receives less.
 *
 * Every byte that comes back is compared with the byte that was sent. Requests differ: each is a window into a pool
 * of random frames, at a place that depends on the connection and on the count, so that a server which mixes up
 * connections, or answers with what it answered before, is found out.
 *
 * usage:  load PORT CONNECTIONS FRAME PIPELINE WARMUP REQUESTS DELIMITED SECONDS
 *
 * DELIMITED 1 makes each frame a line: printable, ending in \n. WARMUP requests are exchanged, then "warm" is printed
 * and a line is awaited on stdin; by then nothing is in flight, so whoever watches the server may read its clocks.
 * Then REQUESTS requests are exchanged and the seconds they took are printed, with the CPU seconds this program used
 * for them. Anything wrong, or SECONDS without an end, is a message on stderr and status 1.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SPARE_FRAMES = 61, READ_SIZE = 1 << 18, BATCH = 256 };

struct connection {
    int fd;
    int wants_write;
    size_t sent, received; /* bytes of the current request */
    const char *request;
};

static struct connection *connections;
static int count, epoll_fd;
static size_t frame, pipeline, request_size;
static char *pool;
static long issued, finished, wanted;
static char input[READ_SIZE];

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static void fill_pool(int delimited) {
    size_t size = (pipeline + SPARE_FRAMES) * frame;
    uint32_t state = 2463534242u; /* xorshift: the same bytes in every run */
    pool = malloc(size);
    if (!pool) fail("out of memory");
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13, state ^= state >> 17, state ^= state << 5;
        pool[i] = (char)(delimited ? 'a' + state % 26 : state);
        if (delimited && i % frame == frame - 1) pool[i] = '\n';
    }
}

static void want_write(struct connection *c, int wants_write) {
    if (c->wants_write == wants_write) return;
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event)) fail("epoll_ctl: %s", strerror(errno));
    c->wants_write = wants_write;
}

static void send_rest(struct connection *c) {
    ssize_t n = send(c->fd, c->request + c->sent, request_size - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) fail("send: %s", strerror(errno));
    if (n > 0) c->sent += n;
    want_write(c, c->sent < request_size);
}

static void next_request(struct connection *c) {
    if (issued == wanted) return;
    size_t place = ((c - connections) * 7 + issued * 13) % (SPARE_FRAMES + 1);
    issued++;
    c->request = pool + place * frame;
    c->sent = c->received = 0;
    send_rest(c);
}

static void receive(struct connection *c) {
    ssize_t n = recv(c->fd, input, sizeof input, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) fail("recv: %s", strerror(errno));
    if (n == 0) fail("the server closed a connection");
    if (!c->request || c->received + n > c->sent) fail("the server sent more than it was given");
    if (memcmp(input, c->request + c->received, n)) fail("the server sent something else than it was given");
    c->received += n;
    if (c->received < request_size) return;
    finished++;
    c->request = NULL;
    next_request(c);
}

static void exchange(long requests) {
    struct epoll_event events[BATCH];
    issued = finished = 0;
    wanted = requests;
    for (int i = 0; i < count; i++) next_request(&connections[i]);
    while (finished < wanted) {
        int n = epoll_wait(epoll_fd, events, BATCH, -1);
        if (n < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) send_rest(c);
            if (events[i].events & ~EPOLLOUT) receive(c);
        }
    }
}

static void open_connections(int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    connections = calloc(count, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || epoll_fd < 0) fail("out of resources");
    for (int i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address)) {
            fail("connect: %s", strerror(errno));
        }
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(c->fd, F_SETFL, O_NONBLOCK); /* only now: the connect above may wait */
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl: %s", strerror(errno));
    }
}

int main(int argc, char **argv) {
    char line[16];
    if (argc != 9) fail("usage: load PORT CONNECTIONS FRAME PIPELINE WARMUP REQUESTS DELIMITED SECONDS");
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* never outlive the benchmark */
    alarm(atoi(argv[8]));
    count = atoi(argv[2]);
    frame = atol(argv[3]);
    pipeline = atol(argv[4]);
    request_size = frame * pipeline;
    fill_pool(atoi(argv[7]));
    open_connections(atoi(argv[1]));
    exchange(atol(argv[5]));
    puts("warm");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 1;
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    exchange(atol(argv[6]));
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    printf("%.9f %.9f\n", wall, cpu);
    return 0;
}
