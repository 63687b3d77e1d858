#define _GNU_SOURCE
#include "Peer.h"
#include <endian.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>

static socklen_t to_name(struct sluice_peer peer, struct sockaddr_storage *name) {
  memset(name, 0, sizeof *name);
  if (peer.family == 4) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)name;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(peer.port);
    v4->sin_addr.s_addr = htonl((uint32_t)peer.low);
    return sizeof *v4;
  }
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)name;
  uint64_t words[2] = {htobe64(peer.high), htobe64(peer.low)};
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(peer.port);
  memcpy(&v6->sin6_addr, words, sizeof words);
  v6->sin6_scope_id = peer.scope;
  return sizeof *v6;
}

static void from_name(const struct sockaddr_storage *name, struct sluice_peer *peer) {
  memset(peer, 0, sizeof *peer);
  if (name->ss_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)name;
    peer->family = 4;
    peer->port = ntohs(v4->sin_port);
    peer->low = ntohl(v4->sin_addr.s_addr);
  } else if (name->ss_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)name;
    uint64_t words[2];
    memcpy(words, &v6->sin6_addr, sizeof words);
    peer->family = 6;
    peer->port = ntohs(v6->sin6_port);
    peer->high = be64toh(words[0]);
    peer->low = be64toh(words[1]);
    peer->scope = v6->sin6_scope_id;
  }
}

static int result_of(int returned) { return returned < 0 ? errno : 0; }

static int set(int fd, int level, int option, int value) { return result_of(setsockopt(fd, level, option, &value, sizeof value)); }

int sluice_peer_bind(int fd, struct sluice_peer local) {
  struct sockaddr_storage name;
  socklen_t length = to_name(local, &name);
  return result_of(bind(fd, (struct sockaddr *)&name, length));
}

int sluice_peer_connect(int fd, struct sluice_peer remote) {
  struct sockaddr_storage name;
  socklen_t length = to_name(remote, &name);
  return result_of(connect(fd, (struct sockaddr *)&name, length));
}

int sluice_peer_accept(int listener, struct sluice_peer *remote) {
  struct sockaddr_storage name = {0};
  socklen_t length = sizeof name;
  int fd = accept4(listener, (struct sockaddr *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return -errno;
  from_name(&name, remote);
  return fd;
}

int sluice_peer_local(int fd, struct sluice_peer *local) {
  struct sockaddr_storage name = {0};
  socklen_t length = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &length) != 0) return errno;
  from_name(&name, local);
  return 0;
}

// RFC 2385. A length of 0 takes the key away; a prefix of 0 or 255 means the whole address.
int sluice_peer_md5(int fd, struct sluice_peer remote, uint8_t prefix, const void *key, uint16_t length) {
  struct tcp_md5sig option = {0};
  struct sockaddr_storage name;
  if (length > sizeof option.tcpm_key) return EINVAL;
  remote.port = 0;
  to_name(remote, &name);
  memcpy(&option.tcpm_addr, &name, sizeof name);
  option.tcpm_keylen = length;
  if (length > 0) memcpy(option.tcpm_key, key, length);
  if (prefix == 255) return result_of(setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &option, sizeof option));
  option.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
  option.tcpm_prefixlen = prefix;
  return result_of(setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &option, sizeof option));
}

// What is sent with, and the least that is taken (RFC 5082; 0: any).
int sluice_peer_ttl(int fd, uint8_t family, int send, int least) {
  if (family == 4) {
    int failed = set(fd, IPPROTO_IP, IP_TTL, send);
    return failed ? failed : set(fd, IPPROTO_IP, IP_MINTTL, least);
  }
  int failed = set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, send);
  return failed ? failed : set(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, least);
}

int sluice_peer_traffic_class(int fd, uint8_t family, int value) {
  return family == 4 ? set(fd, IPPROTO_IP, IP_TOS, value) : set(fd, IPPROTO_IPV6, IPV6_TCLASS, value);
}

int sluice_peer_want_ttl(int fd, uint8_t family) {
  int failed = family == 4 ? set(fd, IPPROTO_IP, IP_RECVTTL, 1) : set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
  if (failed) return failed;
  return family == 4 ? set(fd, IPPROTO_IP, IP_PKTINFO, 1) : set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

ssize_t sluice_peer_receive(int fd, void *memory, size_t length, struct sluice_peer *remote, int *ttl, uint32_t *interface) {
  struct sockaddr_storage name = {0};
  union {
    struct cmsghdr align;
    char bytes[256];
  } control;
  struct iovec piece = {memory, length};
  struct msghdr message = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t count = recvmsg(fd, &message, 0);
  if (count < 0) return -errno;
  from_name(&name, remote);
  *ttl = -1;
  *interface = 0;
  for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item != NULL; item = CMSG_NXTHDR(&message, item)) {
    if ((item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_TTL) ||
        (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_HOPLIMIT)) {
      memcpy(ttl, CMSG_DATA(item), sizeof *ttl);
    } else if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      *interface = (uint32_t)info.ipi_ifindex;
    } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      *interface = info.ipi6_ifindex;
    }
  }
  return count;
}

ssize_t sluice_peer_send(int fd, const void *memory, size_t length) {
  ssize_t count = send(fd, memory, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  return count < 0 ? -errno : count;
}

uint32_t sluice_interface_index(const char *name) { return if_nametoindex(name); }

int sluice_link_local(uint32_t interface, uint64_t *high, uint64_t *low) {
  struct ifaddrs *list;
  if (getifaddrs(&list) != 0) return errno;
  int result = ENOENT;
  for (struct ifaddrs *item = list; item != NULL && result != 0; item = item->ifa_next) {
    if (item->ifa_addr == NULL || item->ifa_addr->sa_family != AF_INET6) continue;
    const struct sockaddr_in6 *name = (const struct sockaddr_in6 *)item->ifa_addr;
    if (!IN6_IS_ADDR_LINKLOCAL(&name->sin6_addr) || name->sin6_scope_id != interface) continue;
    uint64_t words[2];
    memcpy(words, &name->sin6_addr, sizeof words);
    *high = be64toh(words[0]);
    *low = be64toh(words[1]);
    result = 0;
  }
  freeifaddrs(list);
  return result;
}

int sluice_be_prompt(int priority) {
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  struct sched_param parameters = {.sched_priority = priority};
  return pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters);
}
