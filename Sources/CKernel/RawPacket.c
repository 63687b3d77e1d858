#define _GNU_SOURCE
#include "CKernel.h"
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// Receives a packet of a raw IP socket with what its header said; the payload's length, or -1 with errno.
// An IPv4 raw socket gives the header in the bytes, which is skipped; an IPv6 one tells by control messages.
ssize_t sluice_receive_raw(int fd, int family, uint8_t *buffer, size_t size, struct sluice_raw_packet *packet) {
  struct sockaddr_in6 name;
  char control[256];
  struct iovec part = {buffer, size};
  struct msghdr header = {
      .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
      .msg_controllen = sizeof control};
  memset(packet, 0, sizeof *packet);
  ssize_t count = recvmsg(fd, &header, 0);
  if (count < 0) return -1;
  if (header.msg_flags & MSG_TRUNC) count = 0;
  if (family == AF_INET) {
    size_t length = count >= 20 ? (buffer[0] & 15) * 4u : 0;
    if (length < 20 || length > (size_t)count) return 0;
    uint32_t source, destination;
    memcpy(&source, buffer + 12, 4);
    memcpy(&destination, buffer + 16, 4);
    packet->source_low = ntohl(source);
    packet->destination_low = ntohl(destination);
    packet->hop_limit = buffer[8];
    packet->offset = length;
    return count - (ssize_t)length;
  }
  uint64_t words[2];
  memcpy(words, &name.sin6_addr, sizeof words);
  packet->source_high = be64toh(words[0]);
  packet->source_low = be64toh(words[1]);
  for (struct cmsghdr *item = CMSG_FIRSTHDR(&header); item != NULL; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != IPPROTO_IPV6) continue;
    if (item->cmsg_type == IPV6_HOPLIMIT) {
      int limit;
      memcpy(&limit, CMSG_DATA(item), sizeof limit);
      packet->hop_limit = (uint32_t)limit;
    } else if (item->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      memcpy(words, &info.ipi6_addr, sizeof words);
      packet->destination_high = be64toh(words[0]);
      packet->destination_low = be64toh(words[1]);
    }
  }
  return count;
}

// Sends an IP payload from an address through a link.
ssize_t sluice_send_raw(
    int fd, const uint8_t *bytes, size_t size, const struct sockaddr *to, socklen_t length,
    struct sluice_packet_info from) {
  char control[64] __attribute__((aligned(8))) = {0};
  struct iovec part = {(void *)bytes, size};
  struct msghdr header = {
      .msg_name = (void *)to, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
      .msg_controllen = sizeof control};
  sluice_set_packet_info(&header, from);
  return sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// A socket for whole Ethernet frames of one link. `protocol` 0 receives nothing; otherwise what is received is of that
// EtherType, and with `only_advertisements` an ICMPv6 Neighbour Advertisement.
int sluice_packet_socket(int link, int protocol, int only_advertisements) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),  // next header
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 40),  // type
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  struct sockaddr_ll name = {
      .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = link};
  if ((only_advertisements && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) ||
      bind(fd, (struct sockaddr *)&name, sizeof name) != 0) {
    int why = errno;
    close(fd);
    errno = why;
    return -1;
  }
  return fd;
}

// A frame that came from outside; what this machine sent itself is 0 bytes.
ssize_t sluice_receive_frame(int fd, uint8_t *buffer, size_t size) {
  struct sockaddr_ll name;
  socklen_t length = sizeof name;
  ssize_t count = recvfrom(fd, buffer, size, MSG_DONTWAIT, (struct sockaddr *)&name, &length);
  return count > 0 && name.sll_pkttype == PACKET_OUTGOING ? 0 : count;
}

int sluice_set_timer_slack(unsigned long nanoseconds) { return prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0); }

int sluice_set_realtime(int priority) {
  struct sched_param parameter = {.sched_priority = priority};
  return pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter);
}
