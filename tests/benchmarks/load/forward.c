/* load forward WARMUP BYTES SECONDS
 *
 * Both ends of a forwarder: one connection into it, and the connection that it makes to us for that. BYTES go in at
 * the one end and are compared where they come out. Then the first end shuts its writing side, which has to come out
 * as the end of the stream; only then does the other end answer, which has to arrive although the first direction has
 * ended long ago; and when the other end closes, that has to arrive too. The warm-up is the same with WARMUP bytes.
 *
 * First {"listening": PORT} is printed, where the forwarder has to connect to, and a line with the forwarder's own port
 * is awaited.
 *
 * The bytes are a random pool, again and again. Its size is a prime number, so that pieces of any usual size that
 * change places are noticed.
 */

#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { POOL_SIZE = 1048573, ANSWER_SIZE = 1 << 17 };

static char pool[POOL_SIZE], input[READ_SIZE];
static int listening;

static void start_listening(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 1)) {
        fail("listen: %s", strerror(errno));
    }
    getsockname(listening, (struct sockaddr *)&address, &size);
    printf("{\"listening\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
}

static int read_port(void) {
    char text[64];
    if (!fgets(text, sizeof text, stdin)) fail("stdin ended before the forwarder's port was said");
    text[strcspn(text, "\n")] = 0;
    return port_number(text);
}

/* The bytes of the stream from `position` on have to be these. */
static void compare(const char *data, size_t size, long position) {
    while (size) {
        size_t place = (size_t)(position % POOL_SIZE), piece = POOL_SIZE - place;
        if (piece > size) piece = size;
        if (memcmp(data, pool + place, piece)) fail("the forwarder sent something else than it was given");
        data += piece, size -= piece, position += (long)piece;
    }
}

/* As many bytes as the socket takes now, up to `total`, of the stream from `position` on. */
static long send_some(int fd, long position, long total) {
    long place = position % POOL_SIZE, piece = POOL_SIZE - place;
    if (piece > total - position) piece = total - position;
    ssize_t n = send(fd, pool + place, (size_t)piece, MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) fail("send: %s", strerror(errno));
    return n < 0 ? 0 : n;
}

/* What is there is compared; returns its size. The end of the stream has to be at `total`, where it is -1. */
static long receive_some(int fd, long position, long total) {
    ssize_t n = recv(fd, input, sizeof input, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) fail("recv: %s", strerror(errno));
    if (n == 0 && position < total) fail("the forwarder ended after %ld of %ld bytes", position, total);
    if (n == 0) return -1;
    if (position + n > total) fail("the forwarder sent more than it was given");
    compare(input, (size_t)n, position);
    return n;
}

/* `total` bytes in at `from`, which then ends; and out at `to`, until its end. */
static void one_direction(int from, int to, long total) {
    long sent = 0, received = 0;
    struct pollfd watched[2] = {{.fd = from, .events = POLLOUT}, {.fd = to, .events = POLLIN}};
    for (;;) {
        if (watched[0].fd >= 0 && sent == total) {
            if (shutdown(from, SHUT_WR)) fail("shutdown: %s", strerror(errno));
            watched[0].fd = -1; /* poll ignores it now */
        }
        if (poll(watched, 2, -1) < 0) fail("poll: %s", strerror(errno));
        if (watched[1].revents) {
            long n = receive_some(to, received, total);
            if (n < 0) return;
            received += n;
        }
        if (watched[0].fd >= 0 && watched[0].revents) sent += send_some(from, sent, total);
    }
}

static void transfer(int port, long total) {
    int client = open_connection(port, 0);
    do_not_pace(client);
    int server = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (server < 0) fail("accept: %s", strerror(errno));
    one_direction(client, server, total);
    one_direction(server, client, ANSWER_SIZE);
    close(client);
    close(server);
}

void run_forward(char **arguments) {
    long warmup = number(arguments[0]), total = number(arguments[1]);
    fill_at_random(pool, sizeof pool);
    start_listening();
    int port = read_port();
    transfer(port, warmup);
    wait_for_start();
    transfer(port, total);
    report();
}
