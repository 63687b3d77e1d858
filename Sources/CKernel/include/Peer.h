// Sockets to one known neighbour, as routing protocols need them: one call each, an errno (0: fine) where nothing else is said.
#pragma once
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

// An address in host order (IPv4 in the low 32 bits of `low`), a port, and the interface of a link-local one.
struct sluice_peer {
  uint64_t high, low;
  uint32_t scope;
  uint16_t port;
  uint8_t family;  // 4 or 6
};

int sluice_peer_bind(int fd, struct sluice_peer local);
int sluice_peer_connect(int fd, struct sluice_peer remote);
int sluice_peer_accept(int listener, struct sluice_peer *remote);  // a descriptor, or -errno
int sluice_peer_local(int fd, struct sluice_peer *local);
int sluice_peer_md5(int fd, struct sluice_peer remote, uint8_t prefix, const void *key, uint16_t length);
int sluice_peer_ttl(int fd, uint8_t family, int send, int least);
int sluice_peer_traffic_class(int fd, uint8_t family, int value);
int sluice_peer_want_ttl(int fd, uint8_t family);
// A datagram with its TTL or hop limit (-1: unknown), sender and interface; bytes, or -errno.
ssize_t sluice_peer_receive(int fd, void *memory, size_t length, struct sluice_peer *remote, int *ttl, uint32_t *interface);
ssize_t sluice_peer_send(int fd, const void *memory, size_t length);
uint32_t sluice_interface_index(const char *name);
// The first link-local IPv6 address of an interface; 0 when there is one.
int sluice_link_local(uint32_t interface, uint64_t *high, uint64_t *low);
// The calling thread runs before all ordinary ones, and its timers are not rounded; best effort.
int sluice_be_prompt(int priority);
