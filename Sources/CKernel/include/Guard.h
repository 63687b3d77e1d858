// A process of its own that holds connections and speaks on them when this process dies.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Forks it; `words` (at most 256 bytes) are what it says then. The descriptor to talk to it, or -errno.
int sluice_guard_start(const void *words, size_t length);
// Gives it a connection under a number, or takes it back (fd -1); 0, or an errno.
int sluice_guard_set(int guard, uint64_t number, int fd);
// It ends without a word.
void sluice_guard_dismiss(int guard);
