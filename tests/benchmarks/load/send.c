/* load send PORT WARMUP BYTES SECONDS
 *
 * One connection that sends BYTES and then ends its side; the server answers with how many bytes it has counted, in
 * decimal, and a newline, and closes. The warm-up is the same with WARMUP bytes, on a connection of its own.
 *
 * A program that only reads is hard to keep busy: to send costs more than to receive, because the sender's system call
 * does the work of the network as well. A mebibyte in each send keeps that as small as it gets. (sendfile, which copies
 * nothing, was tried and is slower for both: it sends pages, and the receiver's copy is then in pieces of 4 KiB.)
 */

#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_SIZE = 1 << 20 };

static char bytes[SEND_SIZE];

static void check_answer(int fd, long total) {
    char expected[32], answer[sizeof expected] = "";
    int size = snprintf(expected, sizeof expected, "%ld\n", total);
    ssize_t n = recv(fd, answer, sizeof answer - 1, MSG_WAITALL); /* until the end, or more than is expected */
    if (n < 0) fail("recv: %s", strerror(errno));
    if (n == 0) fail("the server closed a connection");
    if (n == size && !strcmp(answer, expected)) return;
    answer[strcspn(answer, "\n")] = 0; /* the message is one line */
    fail("the server answered '%s' to %ld bytes", answer, total);
}

static void transfer(int port, long total) {
    int fd = open_connection(port, 0);
    do_not_pace(fd);
    for (long left = total; left > 0;) {
        ssize_t n = send(fd, bytes, (size_t)(left < SEND_SIZE ? left : SEND_SIZE), 0);
        if (n < 0) fail("send: %s", strerror(errno));
        left -= n;
    }
    shutdown(fd, SHUT_WR);
    check_answer(fd, total);
    close(fd);
}

void run_send(char **arguments) {
    int port = port_number(arguments[0]);
    long warmup = number(arguments[1]), total = number(arguments[2]);
    fill_at_random(bytes, sizeof bytes);
    transfer(port, warmup);
    wait_for_start();
    transfer(port, total);
    report();
}
