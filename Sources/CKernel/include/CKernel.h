// What Swift's importer cannot see of the C library: GNU extensions, variadics and macros.
// Header shims only: every function here is one system call or one libc macro.
#pragma once
#include <stddef.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include "Guard.h"
#include "Peer.h"

int sluice_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
ssize_t sluice_splice(int in, int out, size_t length, unsigned flags);
int sluice_pipe2(int fds[2], int flags);
int sluice_set_pipe_size(int fd, int bytes);
int sluice_unshare_network(void);  // for the calling thread alone
void sluice_name_thread(const char *name);
int sluice_unlink_if_stale(const char *path);

// Multi-datagram calls: `struct mmsghdr` is hidden behind _GNU_SOURCE.
struct sluice_datagram {
  struct msghdr header;
  unsigned int length;
};
int sluice_recvmmsg(int fd, struct sluice_datagram *messages, unsigned count, int flags);
int sluice_sendmmsg(int fd, struct sluice_datagram *messages, unsigned count, int flags);

// malloc_trim(3): free pages of all arenas go back to the kernel.
void sluice_trim_memory(void);

// Starts a program in a process group of its own: no shell, standard streams on /dev/null, no other
// descriptor, default signals. Both tables end with NULL; `extra` holds NAME=value strings, which replace
// variables of this process's environment or are added to it. Returns 0 or an errno.
int sluice_spawn(char *const arguments[], char *const extra[], pid_t *process);
int sluice_pidfd_open(pid_t process);
// The same with this process's standard streams, in its process group; `channel` becomes descriptor 3.
int sluice_spawn_successor(char *const arguments[], char *const extra[], int channel, pid_t *process);

// Messages with descriptors (SCM_RIGHTS), at most this many in one. `count` says how many came.
#define SLUICE_DESCRIPTORS 64
ssize_t sluice_send_descriptors(int channel, const void *bytes, size_t size, const int *descriptors, size_t count);
ssize_t sluice_receive_descriptors(int channel, void *bytes, size_t size, int *descriptors, size_t *count);
int sluice_memory_file(const char *name);
int sluice_duplicate(int fd);
void sluice_close_on_exec(int fd);
void sluice_make_nonblocking(int fd);  // and closed on exec

// Packet information (IP_PKTINFO, IPV6_PKTINFO): addresses are numbers in host order, IPv4 in the low 32 bits of `low`.
struct sluice_packet_info {
  uint64_t high, low;
  uint32_t interface;
  int32_t family;  // 0: there was none
};
struct sluice_packet_info sluice_get_packet_info(struct msghdr *header);
void sluice_set_packet_info(struct msghdr *header, struct sluice_packet_info info);

// Raw IP packets and Ethernet frames. Addresses are numbers in host order, IPv4 in the low 32 bits of `low`.
struct sluice_raw_packet {
  uint64_t source_high, source_low, destination_high, destination_low;
  uint64_t offset;  // of the payload in the buffer
  uint32_t hop_limit;
};
ssize_t sluice_receive_raw(int fd, int family, uint8_t *buffer, size_t size, struct sluice_raw_packet *packet);
ssize_t sluice_send_raw(
    int fd, const uint8_t *bytes, size_t size, const struct sockaddr *to, socklen_t length,
    struct sluice_packet_info from);
int sluice_packet_socket(int link, int protocol, int only_advertisements);
ssize_t sluice_receive_frame(int fd, uint8_t *buffer, size_t size);

// Listening TCP sockets: drops SYNs to these addresses (16 bytes each, IPv4 mapped), or to all when there are none; takes
// them again. 0, or an errno.
int sluice_drop_new(int fd, const unsigned char *addresses, size_t count);
int sluice_hear_new(int fd);

// For the calling thread.
int sluice_set_timer_slack(unsigned long nanoseconds);
int sluice_set_realtime(int priority);

// Bits by capability number, of the calling thread.
uint64_t sluice_effective_capabilities(void);
void sluice_keep_capabilities(uint64_t keep);
