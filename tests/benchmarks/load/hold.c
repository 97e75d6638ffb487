/* load hold PORT CONNECTIONS SECONDS
 *
 * Connections that are there: each is opened, has 64 bytes echoed once, so that the server has really made whatever
 * it makes for a connection, and stays open and silent. When all are, "warm" is said, and the server's memory can be
 * looked at. The line that other modes begin to measure at is here the end: if all connections are still open, the
 * answer is how long that took.
 */

#include "common.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { PLACES = 1024 };

static void check_echo(int fd, const char *greeting) {
    char input[GREETING];
    ssize_t n = recv(fd, input, sizeof input, MSG_WAITALL);
    if (n < 0) fail("recv: %s", strerror(errno));
    if (n < GREETING) fail("the server closed a connection");
    if (memcmp(input, greeting, GREETING)) fail("the server sent something else than it was given");
}

static void check_silence(int fd) {
    char byte;
    if (take(fd, &byte, 1)) fail("the server sent more than it was given");
}

void run_hold(char **arguments) {
    static char pool[PLACES + GREETING];
    int port = port_number(arguments[0]);
    long count = number(arguments[1]);
    int *sockets = allocate((size_t)count, sizeof *sockets);
    fill_at_random(pool, sizeof pool);
    for (long i = 0; i < count; i++) {
        sockets[i] = open_connection(port, 0);
        greet(sockets[i], pool + i % PLACES);
        check_echo(sockets[i], pool + i % PLACES);
    }
    wait_for_start();
    for (long i = 0; i < count; i++) check_silence(sockets[i]);
    report();
}
