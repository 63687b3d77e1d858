#define _GNU_SOURCE
#include <malloc.h>
#include "CKernel.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(struct sluice_datagram) == sizeof(struct mmsghdr), "layout of mmsghdr");
_Static_assert(offsetof(struct sluice_datagram, length) == offsetof(struct mmsghdr, msg_len), "layout of mmsghdr");

int sluice_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  return accept4(fd, address, length, flags);
}

ssize_t sluice_splice(int in, int out, size_t length, unsigned flags) {
  return splice(in, NULL, out, NULL, length, flags | SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

int sluice_pipe2(int fds[2], int flags) { return pipe2(fds, flags); }

int sluice_set_pipe_size(int fd, int bytes) { return fcntl(fd, F_SETPIPE_SZ, bytes); }

int sluice_unshare_network(void) { return unshare(CLONE_NEWNET); }

void sluice_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

// Removes a Unix socket that nobody listens on; 0 when the path is free now, else an errno.
int sluice_unlink_if_stale(const char *path) {
  struct stat info;
  if (lstat(path, &info) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISSOCK(info.st_mode)) return EEXIST;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return ENAMETOOLONG;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  int result = connect(fd, (struct sockaddr *)&address, sizeof address);
  int why = errno;
  close(fd);
  if (result == 0 || why == EAGAIN) return EADDRINUSE;
  if (why != ECONNREFUSED && why != EPROTOTYPE) return why == ENOENT ? 0 : why;
  return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

int sluice_recvmmsg(int fd, struct sluice_datagram *messages, unsigned count, int flags) {
  return recvmmsg(fd, (struct mmsghdr *)messages, count, flags, NULL);
}

int sluice_sendmmsg(int fd, struct sluice_datagram *messages, unsigned count, int flags) {
  return sendmmsg(fd, (struct mmsghdr *)messages, count, flags);
}

// Where a datagram was sent to. A group's or broadcast's address cannot be a source: for IPv4 the kernel names a local
// address instead, for IPv6 there is none.
struct sluice_packet_info sluice_get_packet_info(struct msghdr *header) {
  struct sluice_packet_info result = {0};
  for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item != NULL; item = CMSG_NXTHDR(header, item)) {
    if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      result.low = ntohl(info.ipi_spec_dst.s_addr);
      result.interface = (uint32_t)info.ipi_ifindex;
      result.family = AF_INET;
    } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      uint64_t words[2];
      memcpy(&info, CMSG_DATA(item), sizeof info);
      if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) continue;
      memcpy(words, &info.ipi6_addr, sizeof words);
      result.high = be64toh(words[0]);
      result.low = be64toh(words[1]);
      result.interface = info.ipi6_ifindex;
      result.family = AF_INET6;
    }
  }
  return result;
}

// Makes a datagram leave from an address. `msg_control` has room for one item of either family.
void sluice_set_packet_info(struct msghdr *header, struct sluice_packet_info info) {
  struct cmsghdr *item = header->msg_control;
  if (info.family == AF_INET) {
    struct in_pktinfo value = {.ipi_ifindex = (int)info.interface, .ipi_spec_dst = {htonl((uint32_t)info.low)}};
    *item = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof value), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
    memcpy(CMSG_DATA(item), &value, sizeof value);
    header->msg_controllen = CMSG_SPACE(sizeof value);
  } else {
    struct in6_pktinfo value = {.ipi6_ifindex = info.interface};
    uint64_t words[2] = {htobe64(info.high), htobe64(info.low)};
    memcpy(&value.ipi6_addr, words, sizeof words);
    *item = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof value), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
    memcpy(CMSG_DATA(item), &value, sizeof value);
    header->msg_controllen = CMSG_SPACE(sizeof value);
  }
}

void sluice_trim_memory(void) { malloc_trim(0); }
