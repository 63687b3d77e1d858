#define _GNU_SOURCE
#include "CKernel.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST = SLUICE_DESCRIPTORS };

ssize_t sluice_send_descriptors(int channel, const void *bytes, size_t size, const int *descriptors, size_t count) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MOST * sizeof(int))];
  } control = {0};
  struct iovec piece = {(void *)bytes, size};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (count > MOST) {
    errno = EINVAL;
    return -1;
  }
  if (count > 0) {
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(item), descriptors, count * sizeof(int));
  }
  return sendmsg(channel, &message, MSG_NOSIGNAL);
}

ssize_t sluice_receive_descriptors(int channel, void *bytes, size_t size, int *descriptors, size_t *count) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MOST * sizeof(int))];
  } control;
  struct iovec piece = {bytes, size};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  *count = 0;
  ssize_t received = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  if (received < 0) return received;
  for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    size_t number = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (number > MOST - *count) number = MOST - *count;
    memcpy(descriptors + *count, CMSG_DATA(item), number * sizeof(int));
    *count += number;
  }
  return received;
}

int sluice_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int sluice_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }

void sluice_close_on_exec(int fd) { fcntl(fd, F_SETFD, FD_CLOEXEC); }

void sluice_make_nonblocking(int fd) {
  sluice_close_on_exec(fd);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}
