#define _GNU_SOURCE
#include "CKernel.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static int overridden(const char *variable, char *const extra[], size_t count) {
  for (size_t index = 0; index < count; index++) {
    size_t name = strcspn(extra[index], "=");
    if (strncmp(variable, extra[index], name) == 0 && variable[name] == '=') return 1;
  }
  return 0;
}

static char **merged(char *const extra[]) {
  size_t own = 0, inherited = 0;
  while (extra[own]) own++;
  while (environ && environ[inherited]) inherited++;
  char **all = malloc((own + inherited + 1) * sizeof *all);
  if (!all) return NULL;
  size_t count = own;
  memcpy(all, extra, own * sizeof *all);
  for (size_t index = 0; index < inherited; index++)
    if (!overridden(environ[index], extra, own)) all[count++] = environ[index];
  all[count] = NULL;
  return all;
}

static int prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  int error = 0;
  for (int fd = 0; fd < 3 && !error; fd++)
    error = posix_spawn_file_actions_addopen(files, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
  if (!error) error = posix_spawn_file_actions_addclosefrom_np(files, 3);
  if (!error) error = posix_spawnattr_setsigmask(attributes, &none);
  if (!error) error = posix_spawnattr_setsigdefault(attributes, &all);
  if (!error) error = posix_spawnattr_setpgroup(attributes, 0);
  if (!error)
    error = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  return error;
}

int sluice_spawn(char *const arguments[], char *const extra[], pid_t *process) {
  char **environment = merged(extra);
  if (!environment) return ENOMEM;
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&files);
  if (!error) {
    error = posix_spawnattr_init(&attributes);
    if (!error) {
      error = prepare(&files, &attributes);
      if (!error) error = posix_spawn(process, arguments[0], &files, &attributes, arguments, environment);
      posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
  }
  free(environment);
  return error;
}

int sluice_spawn_successor(char *const arguments[], char *const extra[], int channel, pid_t *process) {
  char **environment = merged(extra);
  if (!environment) return ENOMEM;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&files);
  if (!error) {
    error = posix_spawnattr_init(&attributes);
    if (!error) {
      error = posix_spawn_file_actions_adddup2(&files, channel, 3);
      if (!error) error = posix_spawn_file_actions_addclosefrom_np(&files, 4);
      if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
      if (!error) error = posix_spawnattr_setsigdefault(&attributes, &all);
      if (!error) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
      if (!error) error = posix_spawn(process, arguments[0], &files, &attributes, arguments, environment);
      posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
  }
  free(environment);
  return error;
}

int sluice_pidfd_open(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }
