#define _GNU_SOURCE
#include "CKernel.h"
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

uint64_t sluice_effective_capabilities(void) {
  struct __user_cap_data_struct data[2] = {0};
  if (syscall(SYS_capget, &header, data) != 0) return 0;
  return (uint64_t)data[1].effective << 32 | data[0].effective;
}

// Best effort: whoever has nothing to drop needs no permission to.
void sluice_keep_capabilities(uint64_t keep) {
  for (int number = 0; number < 64; number++) {
    if (keep >> number & 1) continue;
    if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1) prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0, 0) == 1)
      prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, number, 0, 0);
  }
  struct __user_cap_data_struct data[2] = {0};
  if (syscall(SYS_capget, &header, data) != 0) return;
  for (int half = 0; half < 2; half++) {
    uint32_t mask = (uint32_t)(keep >> 32 * half);
    data[half].effective &= mask;
    data[half].permitted &= mask;
    data[half].inheritable &= mask;
  }
  syscall(SYS_capset, &header, data);
}
