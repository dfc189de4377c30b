/*
 * The clock of a replay, put before the C library's (LD_PRELOAD): a server under it sees the time that the replay writes
 * into a file, eight bytes of nanoseconds since 1970. So a server lives through an hour of accesses in minutes, and
 * each run through the same hour.
 *
 * REPLAY_CLOCK names the file. With REPLAY_CLOCK_STEADY set the monotonic clock follows as well: right for a server
 * whose periodic work is to come in that time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *now_ns;
static int steady_too;

static int is_replayed(clockid_t id) {
  static int opened;
  if (!opened) {
    opened = 1;
    const char *path = getenv("REPLAY_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(0, sizeof *now_ns, PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (page != MAP_FAILED) now_ns = page;
    steady_too = getenv("REPLAY_CLOCK_STEADY") != 0;
  }
  if (!now_ns) return 0;
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) return 1;
  return steady_too && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE);
}

int clock_gettime(clockid_t id, struct timespec *out) {
  if (!is_replayed(id)) return syscall(SYS_clock_gettime, id, out);
  long long ns = *now_ns;
  out->tv_sec = ns / 1000000000;
  out->tv_nsec = ns % 1000000000;
  return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
