/* The ceiling of the machine: what epoll, recv and send cost in C, with nothing around them.
 *
 * usage:  epoll echo | sink | forward HOST:PORT
 *
 * It speaks to the benchmark as the servers in Python do (contestants/__main__.py): one line of JSON with the port of
 * 127.0.0.1 that it listens on, then an answer to each line on stdin, and the end of stdin is its end. A second thread
 * sleeps in the read of stdin, as theirs does.
 *
 * The first thread is the server: level-triggered epoll, one recv for each readiness, one send for each recv. All
 * three functions are one rule: what arrives at a connection leaves at its `other`, which is the connection itself for
 * an echo, the other half of the pair for a forwarder, and nobody for a sink. The kernel may take only a part of what
 * it is sent. The rest is then kept, and nothing more is read for that direction until it is gone: so a slow reader
 * slows the sender down, and the memory for a connection never exceeds one read.
 *
 * As in `bare.py` there are no limits, no deadlines, no states: what a loop costs above this is what it gives for it.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 1024, READ_SIZE = 1 << 18, BACKLOG = 4096, ACCEPTS = 64 };

struct connection {
    int fd;                     /* -1 once it is closed */
    uint32_t interest;          /* what epoll has been told: EPOLLIN, EPOLLOUT */
    int connecting, ended;      /* not yet connected; the peer has sent all that it will */
    struct connection *other;   /* where what arrives here leaves; NULL in a sink */
    struct connection *next;    /* in the list of closed ones */
    char *unsent;               /* what the kernel did not take: `left` bytes of it, from `sent` on */
    size_t sent, left;
    unsigned long long counted; /* bytes that have arrived, in a sink */
};

static int epoll_fd, listening;
static struct connection *closed;
static char input[READ_SIZE];
static enum { ECHO, SINK, FORWARD } function;
static struct sockaddr_in target;

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* Tell epoll what is awaited. A connection of which nothing is awaited is taken out altogether: epoll reports errors
 * and hang-ups whether they were asked for or not, again and again. */
static void update_interest(struct connection *c) {
    int may_read = !c->ended && !(c->other && (c->other->left || c->other->connecting));
    uint32_t interest = (may_read ? EPOLLIN : 0) | (c->left || c->connecting ? EPOLLOUT : 0);
    if (interest == c->interest) return;
    struct epoll_event event = {.events = interest, .data.ptr = c};
    int operation = !interest ? EPOLL_CTL_DEL : c->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(epoll_fd, operation, c->fd, &event)) die("epoll_ctl");
    c->interest = interest;
}

/* Close it and, in a pair, the other. Their memory stays until the batch of events is over: it may still name them. */
static void close_both(struct connection *c) {
    struct connection *other = c->other;
    if (c->fd < 0) return;
    close(c->fd); /* epoll forgets it */
    c->fd = -1;
    c->next = closed;
    closed = c;
    if (other) close_both(other);
}

static void free_closed(void) {
    while (closed) {
        struct connection *c = closed;
        closed = c->next;
        free(c->unsent);
        free(c);
    }
}

static void answer_count(struct connection *c) {
    char answer[32];
    int size = snprintf(answer, sizeof answer, "%llu\n", c->counted);
    send(c->fd, answer, (size_t)size, MSG_NOSIGNAL); /* nothing was sent before, so there is room for it */
    close_both(c);
}

/* The peer of `c` has sent all that it will. This is read only when everything before it has left, so the end can
 * follow at once. If the other direction has ended before, as that of an echo has by definition, that was all. */
static void end(struct connection *c) {
    c->ended = 1;
    if (!c->other) return answer_count(c);
    if (c->other->ended) return close_both(c);
    shutdown(c->other->fd, SHUT_WR);
    update_interest(c);
}

static void keep(struct connection *c, const char *data, size_t size) {
    c->unsent = malloc(size);
    if (!c->unsent) die("malloc");
    memcpy(c->unsent, data, size);
    c->sent = 0;
    c->left = size;
}

static void readable(struct connection *c) {
    struct connection *to = c->other;
    ssize_t n = recv(c->fd, input, sizeof input, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return close_both(c);
    if (n == 0) return end(c);
    if (!to) {
        c->counted += (size_t)n;
        return;
    }
    ssize_t sent = send(to->fd, input, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return close_both(c);
    if (sent == n) return; /* nearly always */
    keep(to, input + (sent < 0 ? 0 : sent), (size_t)(n - (sent < 0 ? 0 : sent)));
    update_interest(to);
    update_interest(c);
}

static void writable(struct connection *c) {
    c->connecting = 0; /* or it has failed: then the next system call says so */
    if (c->left) {
        ssize_t n = send(c->fd, c->unsent + c->sent, c->left, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) return close_both(c);
        c->sent += (size_t)n;
        c->left -= (size_t)n;
        if (c->left) return;
        free(c->unsent);
        c->unsent = NULL;
    }
    update_interest(c);
    update_interest(c->other);
}

static struct connection *add(int fd) {
    struct connection *c = calloc(1, sizeof *c);
    int on = 1;
    if (!c) die("calloc");
    c->fd = fd;
    c->other = function == SINK ? NULL : c;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return c;
}

/* Begin to connect to the target. Until that is done nothing is read from `client`. */
static void add_target(struct connection *client) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    struct connection *server = add(fd);
    server->connecting = 1;
    server->other = client;
    client->other = server;
    if (connect(fd, (struct sockaddr *)&target, sizeof target) && errno != EINPROGRESS) return close_both(client);
    update_interest(server);
}

static void accept_some(void) {
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED)) return;
        if (fd < 0) die("accept");
        struct connection *c = add(fd);
        if (function == FORWARD) add_target(c);
        if (c->fd >= 0) update_interest(c);
    }
}

static void serve(void) {
    struct epoll_event events[BATCH];
    for (;;) {
        int n = epoll_wait(epoll_fd, events, BATCH, -1);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) accept_some();
            else if (c->fd < 0) continue; /* closed by an earlier event of this batch */
            else if (events[i].events & c->interest & EPOLLOUT) writable(c);
            else if (c->interest & EPOLLIN) readable(c);
            else if (c->interest && events[i].events & (EPOLLERR | EPOLLHUP)) close_both(c);
            /* else: what happened is no longer of interest, since an earlier event of this batch */
        }
        free_closed();
    }
}

static void start_listening(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct epoll_event event = {.events = EPOLLIN};
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&address, sizeof address)) die("bind");
    if (listen(listening, BACKLOG)) die("listen");
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listening, &event)) die("epoll_ctl");
    getsockname(listening, (struct sockaddr *)&address, &size);
    printf("{\"port\": %d, \"versions\": {\"C compiler\": \"%s\"}}\n", ntohs(address.sin_port), __VERSION__);
    fflush(stdout);
}

/* Bytes of memory in RAM: `VmRSS` of proc(5) is how many there are now, `VmHWM` how many there were at most. (The peak
 * of getrusage is no good here: a process inherits it from whoever started it.) */
static long memory(const char *name) {
    char line[128];
    long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (!strncmp(line, name, strlen(name))) kilobytes = atol(line + strlen(name) + 1); /* after the colon */
    }
    if (file) fclose(file);
    return kilobytes * 1024;
}

static void *answer_until_abandoned(void *nothing) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec used;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        long resident = memory("VmRSS"), peak = memory("VmHWM");
        printf("{\"cpu\": %lld.%09ld, \"resident\": %ld, \"peak\": %ld}\n", (long long)used.tv_sec, used.tv_nsec,
               resident, peak);
        fflush(stdout);
    }
    _exit(0);
    return nothing;
}

/* HOST:PORT, the host in numbers. */
static void parse_target(char *text) {
    char *colon = strrchr(text, ':');
    if (colon) *colon = 0;
    target.sin_family = AF_INET;
    target.sin_port = htons((uint16_t)(colon ? atoi(colon + 1) : 0));
    if (!target.sin_port || !inet_aton(text, &target.sin_addr)) {
        fputs("the target has to be like 127.0.0.1:9000\n", stderr);
        exit(1);
    }
}

int main(int count, char **arguments) {
    struct rlimit limit;
    pthread_t thread;
    if (count == 2 && !strcmp(arguments[1], "echo")) function = ECHO;
    else if (count == 2 && !strcmp(arguments[1], "sink")) function = SINK;
    else if (count == 3 && !strcmp(arguments[1], "forward")) function = FORWARD;
    else {
        fputs("usage: epoll echo | sink | forward HOST:PORT\n", stderr);
        return 1;
    }
    if (function == FORWARD) parse_target(arguments[2]);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max; /* the soft limit is for programs that use select */
    setrlimit(RLIMIT_NOFILE, &limit);
    start_listening();
    if (pthread_create(&thread, NULL, answer_until_abandoned, NULL)) die("pthread_create");
    serve();
}
