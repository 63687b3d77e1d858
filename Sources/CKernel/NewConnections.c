#include "CKernel.h"
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>

#ifndef SO_ATTACH_FILTER
#define SO_ATTACH_FILTER 26
#define SO_DETACH_FILTER 27
#endif

enum { most = 64 };

// A listening TCP socket takes SYNs again. 0, or an errno.
int sluice_hear_new(int fd) {
  int none = 0;
  return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none) == 0 || errno == ENOENT ? 0 : errno;
}

// A listening TCP socket drops SYNs to these addresses (16 bytes each, IPv4 mapped), or all when there are none, without a
// word, so that clients try again; handshakes that are under way go on, and all else. 0, or an errno.
int sluice_drop_new(int fd, const unsigned char *addresses, size_t count) {
  if (count > most) return E2BIG;
  static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  struct sock_filter code[8 + most * 10];
  unsigned short n = 0;
#define PUT(...) (code[n++] = (struct sock_filter)__VA_ARGS__)
#define ACCEPT PUT(BPF_STMT(BPF_RET | BPF_K, 0xffffffff))
#define DROP PUT(BPF_STMT(BPF_RET | BPF_K, 0))
#define WORD(at) ((uint32_t)(at)[0] << 24 | (uint32_t)(at)[1] << 16 | (uint32_t)(at)[2] << 8 | (at)[3])
  // The packet begins with the TCP header: only a SYN without ACK is of interest.
  PUT(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13));
  PUT(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12));
  PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 1, 0));
  ACCEPT;
  if (count == 0) DROP;
  PUT(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF));
  PUT(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0));
  unsigned short version = n;
  PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 0));
  PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 16));
  for (size_t i = 0; i < count; i++) {
    const unsigned char *address = addresses + 16 * i;
    if (memcmp(address, mapped, 12) != 0) continue;
    PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD(address + 12), 0, 1));
    DROP;
  }
  ACCEPT;
  code[version].jf = n - version - 1;
  for (size_t i = 0; i < count; i++) {
    const unsigned char *address = addresses + 16 * i;
    if (memcmp(address, mapped, 12) == 0) continue;
    for (unsigned char part = 0; part < 4; part++) {
      PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 24 + 4 * part));
      // To behind this address's DROP.
      PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD(address + 4 * part), 0, 7 - 2 * part));
    }
    DROP;
  }
  ACCEPT;
  struct sock_fprog program = {.len = n, .filter = code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0 : errno;
}
