/* What every mode of the load stands on. Each function is described where it is written, in common.c. */

#ifndef COMMON_H
#define COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

enum {
    BATCH = 1024,       /* events taken from the kernel at once: with many connections, one system call for many */
    READ_SIZE = 1 << 18, /* bytes asked for in one recv: no request of the benchmark is larger */
    GREETING = 64,      /* bytes that `connect` and `hold` send once on every connection */
};

enum kind { BYTES, LINES, PREFIXED };

/* The modes: each is given its arguments and takes whatever time it needs. */
void run_exchange(char **arguments);
void run_fanout(char **arguments);
void run_send(char **arguments);
void run_forward(char **arguments);
void run_connect(char **arguments);
void run_hold(char **arguments);

/* Errors and arguments. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
long number(const char *text);
int port_number(const char *text);
void *allocate(size_t count, size_t size);

/* Sockets. */
int open_connection(int port, uint32_t source);
void do_not_pace(int fd);
void watch(int epoll_fd, int operation, int fd, uint32_t events, void *data);
int wait_for_events(int epoll_fd, struct epoll_event *events);
size_t take(int fd, char *buffer, size_t size);
void greet(int fd, const char *greeting);

/* What is sent. */
void fill_at_random(char *bytes, size_t size);
char *make_frames(size_t size, size_t count, enum kind kind);

/* Time. */
uint64_t now(void);
void note_latency(uint64_t nanoseconds);
void wait_for_start(void);
void report(void);

#endif
