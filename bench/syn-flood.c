/*
 * Sends SYNs with ever new sources at a steady rate, and says how many the kernel took. For benchmarks in a network namespace only:
 * it needs a device, sends at most a million packets, and ends after a minute whatever happens.
 *   syn-flood DEVICE DESTINATION-MAC DESTINATION PORT COUNT PACKETS-PER-SECOND
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 50
#define FRAME 58 /* Ethernet 14, IPv4 20, TCP 20 and an MSS option of 4 */
#define MOST 1000000

static uint32_t sum16(const uint8_t *bytes, int length, uint32_t sum) {
  for (int i = 0; i < length; i += 2) sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
  return sum;
}

static void put_checksum(uint8_t *at, uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  at[0] = ~sum >> 8;
  at[1] = ~sum;
}

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* The source is a function of the number: 10.66.0.0/16 with ports from 1024 on. */
static void fill(uint8_t *frame, uint32_t number) {
  uint8_t *ip = frame + 14, *tcp = ip + 20;
  uint16_t source_port = 1024 + number / 65024 * 977 + number % 7;
  uint32_t host = number % 65024 + 256;
  ip[14] = host >> 8;
  ip[15] = host;
  ip[4] = number >> 8;
  ip[5] = number;
  ip[10] = ip[11] = 0;
  put_checksum(ip + 10, sum16(ip, 20, 0));
  tcp[0] = source_port >> 8;
  tcp[1] = source_port;
  uint32_t sequence = htonl(number * 2654435761u);
  memcpy(tcp + 4, &sequence, 4);
  tcp[16] = tcp[17] = 0;
  put_checksum(tcp + 16, sum16(tcp, 24, sum16(ip + 12, 8, 6 + 24)));
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  int device = if_nametoindex(argv[1]);
  uint32_t count = strtoul(argv[5], 0, 10), rate = strtoul(argv[6], 0, 10);
  uint16_t port = strtoul(argv[4], 0, 10);
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (device == 0 || fd < 0 || count > MOST || rate == 0) {
    perror("syn-flood");
    return 2;
  }
  int one = 1;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = device, .sll_halen = 6};
  static uint8_t frames[BATCH][FRAME];
  struct iovec vectors[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    uint8_t *f = frames[i];
    sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", f, f + 1, f + 2, f + 3, f + 4, f + 5);
    f[6] = 2;
    f[11] = 1;
    f[12] = 8;
    f[14] = 0x45;
    f[17] = 44;
    f[22] = 64;
    f[23] = 6;
    f[26] = 10;
    f[27] = 66;
    inet_pton(AF_INET, argv[3], f + 30);
    f[36] = port >> 8;
    f[37] = port;
    f[46] = 6 << 4;
    f[47] = 2;
    f[48] = 0xfa;
    f[54] = 2;
    f[55] = 4;
    f[56] = 5;
    f[57] = 0xb4;
    vectors[i] = (struct iovec){f, FRAME};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  int64_t start = now_ns();
  uint32_t sent = 0;
  while (sent < count && now_ns() - start < 60000000000LL) {
    int64_t due = start + (int64_t)sent * 1000000000LL / rate;
    struct timespec until = {due / 1000000000LL, due % 1000000000LL};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0);
    int batch = count - sent < BATCH ? count - sent : BATCH;
    for (int i = 0; i < batch; i++) fill(frames[i], sent + i);
    int done = sendmmsg(fd, messages, batch, 0);
    if (done < 0) usleep(50);
    else sent += done;
  }
  printf("{\"sent\":%u,\"seconds\":%.3f}\n", sent, (now_ns() - start) / 1e9);
  return 0;
}
