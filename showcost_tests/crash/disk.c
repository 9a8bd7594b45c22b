/* Fails calls that change files below a folder, for showcost_tests.crash.disk; loaded with LD_PRELOAD.

   disk_arm(folder, point, error, stays) numbers the calls from 1, and lets the call `point` fail with `error`;
   with `stays`, every later call that needs space fails as well, as on a full disk. Point 0 fails none.
   disk_trace(file) lists the calls. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char prefix[4096];
static size_t prefix_length;
static long chosen;
static int failure, sticky;
static atomic_long count;
static atomic_int armed, fired;
static FILE *trace;

void disk_arm(const char *folder, long point, int error, int stays) {
    snprintf(prefix, sizeof prefix, "%s", folder);
    prefix_length = strlen(prefix);
    chosen = point, failure = error, sticky = stays;
    atomic_store(&count, 0), atomic_store(&fired, 0), atomic_store(&armed, 1);
}
void disk_trace(const char *file) { trace = fopen(file, "w"); }

/* Count a call on a path; return whether it fails. */
static int fails(const char *call, const char *path, int needs_space) {
    if (!atomic_load(&armed) || path == NULL || strncmp(path, prefix, prefix_length) != 0) return 0;
    long number = atomic_fetch_add(&count, 1) + 1;
    if (trace) fprintf(trace, "%s %s\n", call, path + prefix_length), fflush(trace);
    int now = chosen && number == chosen;
    int full = sticky && atomic_load(&fired) && needs_space;
    if (now) {
        atomic_store(&fired, 1);
        /* A full disk still renames, removes and syncs. */
        if (sticky && !needs_space) return 0;
    }
    if (!now && !full) return 0;
    errno = failure;
    return 1;
}

static int fails_on(const char *call, int descriptor, int needs_space) {
    char link[64], path[4096];
    if (!atomic_load(&armed)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path, needs_space);
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t write(int d, const void *b, size_t n) { REAL(write); return fails_on("write", d, 1) ? -1 : real(d, b, n); }
ssize_t pwrite(int d, const void *b, size_t n, off_t o) { REAL(pwrite); return fails_on("pwrite", d, 1) ? -1 : real(d, b, n, o); }
ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) { REAL(pwrite64); return fails_on("pwrite", d, 1) ? -1 : real(d, b, n, o); }
ssize_t writev(int d, const struct iovec *v, int n) { REAL(writev); return fails_on("writev", d, 1) ? -1 : real(d, v, n); }
int fsync(int d) { REAL(fsync); return fails_on("fsync", d, 0) ? -1 : real(d); }
int fdatasync(int d) { REAL(fdatasync); return fails_on("fdatasync", d, 0) ? -1 : real(d); }
int ftruncate(int d, off_t n) { REAL(ftruncate); return fails_on("ftruncate", d, n > 0) ? -1 : real(d, n); }
int ftruncate64(int d, off64_t n) { REAL(ftruncate64); return fails_on("ftruncate", d, n > 0) ? -1 : real(d, n); }
int fallocate(int d, int m, off_t o, off_t n) { REAL(fallocate); return fails_on("fallocate", d, 1) ? -1 : real(d, m, o, n); }
int posix_fallocate(int d, off_t o, off_t n) { REAL(posix_fallocate); return fails_on("fallocate", d, 1) ? failure : real(d, o, n); }
int rename(const char *a, const char *b) { REAL(rename); return fails("rename", b, 0) ? -1 : real(a, b); }
int unlink(const char *a) { REAL(unlink); return fails("unlink", a, 0) ? -1 : real(a); }
int mkdir(const char *a, mode_t m) { REAL(mkdir); return fails("mkdir", a, 1) ? -1 : real(a, m); }

#define OPENING(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
        if ((flags & O_CREAT) && access(path, F_OK) != 0 && fails("create", path, 1)) return -1; \
        return real(path, flags, mode); \
    }
OPENING(open)
OPENING(open64)
