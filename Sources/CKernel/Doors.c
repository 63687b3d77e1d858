#include "Doors.h"
#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

int sluice_hold_newcomers(int fd, int hold) {
  // A filter of a TCP socket sees the segment from its header on; byte 13 has the flags.
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),  // SYN without ACK
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  int unused = 0;
  int result = hold ? setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program)
                    : setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
  return result == 0 ? 0 : errno;
}
