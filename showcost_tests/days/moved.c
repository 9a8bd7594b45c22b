/* Moves the clock of all processes that load it, and fills the disk below a folder, for showcost_tests.days.

   The variable SHOWCOST_TEST_DAYS names a file with a `struct page`, which the driver writes and all others
   read. Waits until a time of the moved clock are waits until the same time of the real one. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct page {
    long long offset; /* seconds */
    long long full;   /* whether calls that need space fail */
    char folder[4096];
};
static struct page none;
static struct page *page = &none;

#define REAL(name) \
    static __typeof__(&name) real_##name; \
    if (!real_##name) real_##name = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("SHOWCOST_TEST_DAYS");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) page = mapped;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int result = real_clock_gettime(clock, now);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += page->offset;
    return result;
}
int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec moved;
    if (clock_gettime(CLOCK_REALTIME, &moved)) return -1;
    now->tv_sec = moved.tv_sec, now->tv_usec = moved.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec moved;
    clock_gettime(CLOCK_REALTIME, &moved);
    if (now) *now = moved.tv_sec;
    return moved.tv_sec;
}

/* A deadline near the moved time is one of the moved clock. */
static const struct timespec *real_deadline(const struct timespec *until, struct timespec *real) {
    struct timespec moved;
    clock_gettime(CLOCK_REALTIME, &moved);
    if (!page->offset || llabs((long long)until->tv_sec - moved.tv_sec) > 40 * 86400LL) return until;
    *real = *until, real->tv_sec -= page->offset;
    return real;
}
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
    REAL(pthread_cond_timedwait);
    struct timespec real;
    return real_pthread_cond_timedwait(cond, mutex, real_deadline(until, &real));
}
int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    REAL(sem_timedwait);
    struct timespec real;
    return real_sem_timedwait(semaphore, real_deadline(until, &real));
}
int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    REAL(pthread_mutex_timedlock);
    struct timespec real;
    return real_pthread_mutex_timedlock(mutex, real_deadline(until, &real));
}

static int is_below(const char *path) {
    return page->full && path && !strncmp(path, page->folder, strlen(page->folder));
}
static int is_full(int descriptor) {
    char link[64], path[4096];
    if (!page->full) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!is_below(path)) return 0;
    errno = ENOSPC;
    return 1;
}
ssize_t write(int file, const void *data, size_t size) {
    REAL(write);
    return is_full(file) ? -1 : real_write(file, data, size);
}
ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    return is_full(file) ? -1 : real_pwrite(file, data, size, at);
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    return is_full(file) ? -1 : real_pwrite64(file, data, size, at);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(writev);
    return is_full(file) ? -1 : real_writev(file, parts, count);
}
int fallocate(int file, int mode, off_t at, off_t size) {
    REAL(fallocate);
    return is_full(file) ? -1 : real_fallocate(file, mode, at, size);
}
int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    if (is_below(path)) { errno = ENOSPC; return -1; }
    return real_mkdir(path, mode);
}
