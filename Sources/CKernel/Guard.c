#define _GNU_SOURCE
#include "Guard.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECTIONS = 1024, WORDS = 256, DISMISSED = 1, HELD = 2, RELEASED = 3 };

struct order {
  uint64_t number;
  uint32_t kind;
};

static struct {
  uint64_t number;
  int fd;
} held[CONNECTIONS];
static int count;
static unsigned char words[WORDS];
static size_t words_length;

static void release(uint64_t number) {
  for (int i = 0; i < count; i++) {
    if (held[i].number != number) continue;
    close(held[i].fd);
    held[i] = held[--count];
    return;
  }
}

// Only system calls from here on: other threads' locks were copied as they were.
static void keep(int end) {
  for (;;) {
    struct order order = {0};
    union {
      struct cmsghdr align;
      char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {&order, sizeof order};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(end, &message, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    if (order.kind == DISMISSED) _exit(0);
    release(order.number);
    struct cmsghdr *item = CMSG_FIRSTHDR(&message);
    if (order.kind != HELD || item == NULL || item->cmsg_type != SCM_RIGHTS) continue;
    int fd;
    memcpy(&fd, CMSG_DATA(item), sizeof fd);
    if (count == CONNECTIONS) {
      close(fd);
      continue;
    }
    held[count].number = order.number;
    held[count++].fd = fd;
  }
  // The other end is closed, and nobody said goodbye.
  for (int i = 0; i < count; i++) {
    send(held[i].fd, words, words_length, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(held[i].fd, SHUT_RDWR);
  }
  _exit(0);
}

int sluice_guard_start(const void *text, size_t length) {
  int ends[2];
  if (length > WORDS) return -EINVAL;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
  memcpy(words, text, length);
  words_length = length;
  pid_t child = fork();
  if (child < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return -error;
  }
  if (child == 0) {
    // Twice, so that it is nobody's child to wait for, and a session of its own, so that no terminal ends it.
    setsid();
    if (fork() != 0) _exit(0);
    prctl(PR_SET_NAME, "sluice-guard", 0, 0, 0);
    for (int number = 1; number < 32; number++) {
      if (number != SIGKILL && number != SIGSTOP) signal(number, SIG_IGN);
    }
    int end = dup2(ends[1], 3);
    // Everything else, listening sockets above all, is the node's alone.
    syscall(SYS_close_range, 4, ~0U, 0);
    close(0);
    close(1);
    close(2);
    keep(end);
  }
  close(ends[1]);
  waitpid(child, NULL, 0);
  return ends[0];
}

int sluice_guard_set(int guard, uint64_t number, int fd) {
  struct order order = {number, fd < 0 ? RELEASED : HELD};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec piece = {&order, sizeof order};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (fd >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(item), &fd, sizeof fd);
  }
  return sendmsg(guard, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

void sluice_guard_dismiss(int guard) {
  struct order order = {0, DISMISSED};
  send(guard, &order, sizeof order, MSG_NOSIGNAL);
  close(guard);
}
