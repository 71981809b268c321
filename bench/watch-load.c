/*
 * Makes connections on loopback, for benchmarks in a network namespace of their own.
 *   watch-load handshakes PORT SECONDS   connects and closes again and again
 *   watch-load compare PORT SECONDS WARM-UP FILE FILE   does it in two network namespaces by turns of 20 ms, so that whatever else the machine
 *                                        does hits both alike; prints "warm", and then {"connections":[N,N],"cpuSeconds":[S,S]}
 *   watch-load hold LISTENERS SOCKETS    opens so many listeners, and connections with so many ends; prints "held", waits for the end of its input
 *   watch-load refused PORT COUNT        connects in vain
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PORT 10000
#define PER_PROCESS 4000

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static double cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static struct sockaddr_in address(uint32_t host, int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
  at.sin_addr.s_addr = htonl(host);
  return at;
}

static int listener(uint32_t host, int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in at = address(host, port);
  if (bind(fd, (void *)&at, sizeof at) || listen(fd, 4096)) die("listen");
  return fd;
}

/* Connects, sends a little both ways, and closes, for so long. */
static long connect_for(int server, int port, double seconds) {
  struct sockaddr_in at = address(INADDR_LOOPBACK, port);
  struct linger abort = {1, 0};
  char bytes[64] = {0};
  long count = 0;
  for (double end = now() + seconds; now() < end; count++) {
    int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (void *)&at, sizeof at)) die("connect");
    int accepted = accept(server, NULL, NULL);
    if (accepted < 0) die("accept");
    if (write(client, bytes, sizeof bytes) < 0 || read(accepted, bytes, sizeof bytes) < 0) die("data");
    if (write(accepted, bytes, sizeof bytes) < 0 || read(client, bytes, sizeof bytes) < 0) die("data");
    /* No TIME-WAIT: the ports would run out. */
    setsockopt(client, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(accepted);
    close(client);
  }
  return count;
}

static int handshakes(int port, double seconds) {
  connect_for(listener(INADDR_LOOPBACK, port), port, seconds);
  return 0;
}

static int compare(int port, double seconds, double warmUp, char **files) {
  int space[2], server[2];
  long connections[2] = {0};
  double spent[2] = {0}, start = now() + warmUp;
  for (int i = 0; i < 2; i++) {
    space[i] = open(files[i], O_RDONLY | O_CLOEXEC);
    if (space[i] < 0 || setns(space[i], CLONE_NEWNET)) die(files[i]);
    server[i] = listener(INADDR_LOOPBACK, port);
  }
  int warm = 0;
  for (int i = 0; now() < start + seconds; i ^= 1) {
    if (!warm && now() >= start) {
      warm = 1;
      puts("warm");
      fflush(stdout);
    }
    if (setns(space[i], CLONE_NEWNET)) die("setns");
    double before = cpu();
    long count = connect_for(server[i], port, 0.02);
    if (!warm) continue;
    spent[i] += cpu() - before;
    connections[i] += count;
  }
  printf("{\"connections\":[%ld,%ld],\"cpuSeconds\":[%.6f,%.6f]}\n", connections[0], connections[1], spent[0], spent[1]);
  return 0;
}

static void hold_part(int part, int sockets, int ready) {
  uint32_t host = INADDR_LOOPBACK + 1 + part;
  int server = listener(host, 9000);
  for (int i = 0; i < sockets / 2; i++) {
    int client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = address(host, 9000);
    if (client < 0 || connect(client, (void *)&at, sizeof at)) die("connect");
    if (accept(server, NULL, NULL) < 0) die("accept");
  }
  if (write(ready, "r", 1) != 1) die("pipe");
  pause();
}

static int hold(int listeners, int sockets) {
  struct rlimit limit = {1 << 20, 1 << 20};
  if (setrlimit(RLIMIT_NOFILE, &limit)) {
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  for (int i = 0; i < listeners; i++) listener(INADDR_LOOPBACK, FIRST_PORT + i);
  int ready[2], parts = (sockets + PER_PROCESS - 1) / PER_PROCESS;
  pid_t children[64];
  if (pipe(ready)) die("pipe");
  for (int part = 0; part < parts; part++) {
    children[part] = fork();
    if (children[part] == 0) hold_part(part, sockets / parts, ready[1]);
  }
  char byte;
  close(ready[1]);
  for (int part = 0; part < parts; part++)
    if (read(ready[0], &byte, 1) != 1) die("ready");
  puts("held");
  fflush(stdout);
  while (read(0, &byte, 1) > 0) {
  }
  for (int part = 0; part < parts; part++) kill(children[part], 9);
  return 0;
}

static int refused(int port, int count) {
  struct sockaddr_in at = address(INADDR_LOOPBACK, port);
  for (int i = 0; i < count; i++) {
    int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (void *)&at, sizeof at) == 0 || errno != ECONNREFUSED) die("not refused");
    close(client);
  }
  return 0;
}

int main(int count, char **argv) {
  if (count == 4 && strcmp(argv[1], "handshakes") == 0) return handshakes(atoi(argv[2]), atof(argv[3]));
  if (count == 7 && strcmp(argv[1], "compare") == 0) return compare(atoi(argv[2]), atof(argv[3]), atof(argv[4]), argv + 5);
  if (count == 4 && strcmp(argv[1], "hold") == 0) return hold(atoi(argv[2]), atoi(argv[3]));
  if (count == 4 && strcmp(argv[1], "refused") == 0) return refused(atoi(argv[2]), atoi(argv[3]));
  fprintf(stderr, "usage: watch-load handshakes PORT SECONDS | compare PORT SECONDS WARM-UP FILE FILE | hold LISTENERS SOCKETS | refused PORT COUNT\n");
  return 2;
}
