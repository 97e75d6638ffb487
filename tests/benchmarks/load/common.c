/* What every mode of the load stands on: failing, sockets, bytes to send, and the clocks.
 *
 * Latencies are kept in a log-linear histogram. A list of all of them would grow while it is measured, and a mean
 * would hide what matters. So each power of two of nanoseconds is cut into 32 equal parts, and each part is a counter:
 * whatever the latency, it is known to about 3 % of itself, the memory is fixed (15 KiB, there before the start), and
 * to note one costs a shift and an addition.
 */

#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PARTS_BITS = 5, PARTS = 1 << PARTS_BITS, COUNTERS = (64 - PARTS_BITS + 1) * PARTS };

static uint64_t counters[COUNTERS], noted;
static struct { double wall, cpu; } start;

/* --- errors and arguments --- */

/* The end of the load: one line on stderr, status 1. */
void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* An argument that has to be a number, 0 or more. */
long number(const char *text) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 0) fail("not a number: '%s'", text);
    return value;
}

/* An argument that has to be the number of a port. */
int port_number(const char *text) {
    long value = number(text);
    if (value < 1 || value > 65535) fail("not a port: '%s'", text);
    return (int)value;
}

/* Memory for `count` things of `size` bytes, all of them zero. */
void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) fail("out of memory");
    return memory;
}

/* --- sockets --- */

/* A connection to `port` on this machine. It blocks; who wants to go on instead says so in each call (MSG_DONTWAIT).
 *
 * `source` is 0, or which of the addresses 127.0.0.1, 127.0.0.2, ... to come from. All of 127.0.0.0/8 is this machine,
 * and each address has ports of its own.
 */
int open_connection(int port, uint32_t source) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl((INADDR_LOOPBACK - 1) + source)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket: %s", strerror(errno));
    if (source) {
        /* The port is chosen by connect, which may take one that is in use towards another peer; bind may not. */
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&from, sizeof from)) fail("bind: %s", strerror(errno));
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) fail("connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Send on `fd` as fast as the peer reads. Some machines have a congestion control by default (BBR) that spreads what is
 * sent over time, in small portions. With a peer on the same machine that only costs: twice the CPU time of the sender,
 * and half as much again of the receiver. Reno, which every Linux has, does not do that.
 */
void do_not_pace(int fd) {
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
}

/* Tell epoll which `events` of `fd` are of interest, and what to hand back with them. */
void watch(int epoll_fd, int operation, int fd, uint32_t events, void *data) {
    struct epoll_event event = {.events = events, .data.ptr = data};
    if (epoll_ctl(epoll_fd, operation, fd, &event)) fail("epoll_ctl: %s", strerror(errno));
}

/* Sleep until something has happened; returns how many of the `events` (room for BATCH) are filled in. */
int wait_for_events(int epoll_fd, struct epoll_event *events) {
    int n = epoll_wait(epoll_fd, events, BATCH, -1);
    if (n < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
    return n < 0 ? 0 : n;
}

/* Receive what is there: its size, or 0 if it is not there yet. The end of the stream is a failure. */
size_t take(int fd, char *buffer, size_t size) {
    ssize_t n = recv(fd, buffer, size, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) fail("recv: %s", strerror(errno));
    if (n == 0) fail("the server closed a connection");
    return (size_t)n;
}

/* Send GREETING bytes, which are few enough never to wait; the echo is for the caller. */
void greet(int fd, const char *greeting) {
    ssize_t n = send(fd, greeting, GREETING, 0);
    if (n < 0) fail("send: %s", strerror(errno));
    if (n != GREETING) fail("a new connection did not take %d bytes at once", GREETING);
}

/* --- what is sent --- */

/* The same bytes in every run (xorshift). Random ones, so that a piece that is lost, doubled or moved is noticed. */
void fill_at_random(char *bytes, size_t size) {
    uint32_t state = 2463534242u;
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13, state ^= state >> 17, state ^= state << 5;
        bytes[i] = (char)(state >> 8);
    }
}

/* `count` random frames of `size` bytes, one after the other.
 *
 * LINES: letters, and \n at the end. PREFIXED: the first four bytes are the number of those that follow, big-endian.
 */
char *make_frames(size_t size, size_t count, enum kind kind) {
    if (size < (kind == PREFIXED ? 4 : 1)) fail("a frame of %zu bytes is too short", size);
    char *frames = allocate(count, size);
    fill_at_random(frames, count * size);
    for (char *frame = frames; frame < frames + count * size; frame += size) {
        if (kind == LINES) {
            for (size_t i = 0; i < size - 1; i++) frame[i] = (char)('a' + (unsigned char)frame[i] % 26);
            frame[size - 1] = '\n';
        } else if (kind == PREFIXED) {
            uint32_t length = htonl((uint32_t)(size - 4));
            memcpy(frame, &length, 4);
        }
    }
    return frames;
}

/* --- time --- */

/* Nanoseconds since some moment in the past. */
uint64_t now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (uint64_t)moment.tv_sec * 1000000000u + (uint64_t)moment.tv_nsec;
}

static double cpu_seconds(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* Count one request that took so long.
 *
 * Below 32 ns each nanosecond has a counter. Above, `exponent` is how far the value must be shifted to have only its
 * leading bit and the five after it: these five say which of the 32 parts of its power of two it is in.
 */
void note_latency(uint64_t nanoseconds) {
    uint64_t counter = nanoseconds;
    if (nanoseconds >= PARTS) {
        int exponent = 63 - __builtin_clzll(nanoseconds) - PARTS_BITS;
        counter = ((uint64_t)exponent << PARTS_BITS) + (nanoseconds >> exponent);
    }
    counters[counter]++;
    noted++;
}

/* The latency in seconds that `share` of the requests did not exceed: the middle of the part that it lies in. */
static double percentile(double share) {
    uint64_t seen = 0;
    for (int counter = 0; counter < COUNTERS; counter++) {
        seen += counters[counter];
        if ((double)seen < share * (double)noted) continue;
        if (counter < PARTS) return counter * 1e-9;
        int exponent = counter / PARTS - 1;
        return ((double)(counter % PARTS + PARTS) + 0.5) * (double)(UINT64_C(1) << exponent) * 1e-9;
    }
    return 0;
}

/* Say that the warm-up is over, and wait for the word. Nothing is in flight now: whoever watches the server may read
 * its clocks before giving it. The latencies of the warm-up are forgotten.
 */
void wait_for_start(void) {
    char line[64];
    puts("{\"warm\": true}");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) fail("stdin ended before the measurement");
    memset(counters, 0, sizeof counters);
    noted = 0;
    start.cpu = cpu_seconds();
    start.wall = (double)now() * 1e-9;
}

/* Print what it took since `wait_for_start`, in seconds. */
void report(void) {
    double wall = (double)now() * 1e-9 - start.wall, cpu = cpu_seconds() - start.cpu;
    printf("{\"wall\": %.9f, \"cpu\": %.9f", wall, cpu);
    if (noted) printf(", \"p50\": %.9f, \"p99\": %.9f", percentile(0.50), percentile(0.99));
    puts("}");
    fflush(stdout);
}
