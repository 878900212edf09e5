// Preloaded into the host (LD_PRELOAD) by the crash tests: stands between it and its disk and sockets. Test only.
//
// IOT_TEST_SHIM names a folder; a file in it switches something on:
//   clock   the wall clock is ahead by the number of seconds that stands in it
// and for the files under $Data__Directory/ingest:
//   fail    fdatasync answers EIO, and what was written last is gone, as kernels drop pages that could not be written
//   lie     what is written to segments is kept in this process only: it reads it back, fdatasync succeeds, and a kill loses it
//   slow    fdatasync takes a quarter of a second
//   trace   the file itself grows by one line, in the order of events:
//             W fd hex      bytes were written to a segment
//             B fd          an fdatasync of a segment begins
//             F fd result   it has ended
//             S fd hex      bytes are about to go to a socket
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char control[512], ingest[512];
static void *(*next_dlsym)(void *, const char *);
static ssize_t (*next_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*next_pread)(int, void *, size_t, off64_t);
static int (*next_fdatasync)(int);
static ssize_t (*next_send)(int, const void *, size_t, int);
static ssize_t (*next_sendmsg)(int, const struct msghdr *, int);
static int (*next_clock_gettime)(clockid_t, struct timespec *);

// Writes that the disk has only seemed to take.
struct held { ino_t file; off64_t offset; size_t length; struct held *next; char bytes[]; };
static struct held *held_first, **held_last = &held_first;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static off64_t last_offset;
static size_t last_length;

__attribute__((constructor)) static void begin(void) {
    const char *versions[] = { "GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5" };
    for (int i = 0; i < 3 && !next_dlsym; i++)
        next_dlsym = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    if (!next_dlsym)
        abort();
    next_pwrite = next_dlsym(RTLD_NEXT, "pwrite64");
    next_pread = next_dlsym(RTLD_NEXT, "pread64");
    next_fdatasync = next_dlsym(RTLD_NEXT, "fdatasync");
    next_send = next_dlsym(RTLD_NEXT, "send");
    next_sendmsg = next_dlsym(RTLD_NEXT, "sendmsg");
    next_clock_gettime = next_dlsym(RTLD_NEXT, "clock_gettime");
    const char *folder = getenv("IOT_TEST_SHIM"), *data = getenv("Data__Directory");
    if (folder && data) {
        snprintf(control, sizeof control, "%s", folder);
        snprintf(ingest, sizeof ingest, "%s/ingest/", data);
    }
    unsetenv("LD_PRELOAD"); // Not for what the host starts.
}

static int on(const char *what) {
    char path[600];
    if (!*control)
        return 0;
    snprintf(path, sizeof path, "%s/%s", control, what);
    int error = errno, found = access(path, F_OK) == 0;
    errno = error;
    return found;
}

static int is_segment(int fd) {
    char link[64], path[1024];
    if (!*ingest)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int error = errno;
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = error;
    if (length < 4)
        return 0;
    path[length] = 0;
    return strncmp(path, ingest, strlen(ingest)) == 0 && strcmp(path + length - 4, ".log") == 0;
}

// One write with O_APPEND a line: lines of several threads stand in the order of the events.
static void trace(char kind, int fd, const struct iovec *parts, size_t count, const char *text) {
    char path[600];
    size_t bytes = 0;
    if (!on("trace"))
        return;
    int error = errno;
    for (size_t i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    char *line = malloc(bytes * 2 + 64), *at = line;
    at += sprintf(at, "%c %d %s", kind, fd, text);
    for (size_t i = 0; i < count; i++)
        for (size_t b = 0; b < parts[i].iov_len; b++) {
            unsigned char byte = ((unsigned char *)parts[i].iov_base)[b];
            *at++ = "0123456789abcdef"[byte >> 4];
            *at++ = "0123456789abcdef"[byte & 15];
        }
    *at++ = '\n';
    snprintf(path, sizeof path, "%s/trace", control);
    int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file >= 0) {
        if (syscall(SYS_write, file, line, at - line) != at - line)
            abort();
        close(file);
    }
    free(line);
    errno = error;
}

static ino_t inode(int fd) {
    struct stat state;
    return fstat(fd, &state) == 0 ? state.st_ino : 0;
}

static ssize_t hold(int fd, const void *bytes, size_t length, off64_t offset) {
    struct held *entry = malloc(sizeof *entry + length);
    *entry = (struct held){ inode(fd), offset, length, NULL };
    memcpy(entry->bytes, bytes, length);
    pthread_mutex_lock(&gate);
    *held_last = entry;
    held_last = &entry->next;
    pthread_mutex_unlock(&gate);
    return (ssize_t)length;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    if (!is_segment(fd))
        return next_pwrite(fd, bytes, length, offset);
    last_offset = offset;
    last_length = length;
    ssize_t written = on("lie") ? hold(fd, bytes, length, offset) : next_pwrite(fd, bytes, length, offset);
    if (written > 0)
        trace('W', fd, &(struct iovec){ (void *)bytes, (size_t)written }, 1, "");
    return written;
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
    ssize_t read = next_pread(fd, bytes, length, offset);
    if (read <= 0 || !held_first || !is_segment(fd))
        return read;
    ino_t file = inode(fd);
    pthread_mutex_lock(&gate);
    for (struct held *entry = held_first; entry; entry = entry->next) {
        off64_t from = entry->offset > offset ? entry->offset : offset;
        off64_t to = entry->offset + (off64_t)entry->length < offset + read ? entry->offset + (off64_t)entry->length : offset + read;
        if (entry->file == file && from < to)
            memcpy((char *)bytes + (from - offset), entry->bytes + (from - entry->offset), (size_t)(to - from));
    }
    pthread_mutex_unlock(&gate);
    return read;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }
ssize_t pread(int fd, void *bytes, size_t length, off_t offset) { return pread64(fd, bytes, length, offset); }

int fdatasync(int fd) {
    if (!is_segment(fd))
        return next_fdatasync(fd);
    trace('B', fd, NULL, 0, "");
    int result;
    if (on("fail")) {
        char *zeros = calloc(1, last_length);
        if (next_pwrite(fd, zeros, last_length, last_offset) != (ssize_t)last_length)
            abort();
        free(zeros);
        result = -1;
        errno = EIO;
    } else {
        if (on("slow"))
            nanosleep(&(struct timespec){ 0, 250 * 1000 * 1000 }, NULL);
        result = next_fdatasync(fd);
    }
    trace('F', fd, NULL, 0, result == 0 ? "0" : "-1");
    return result;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    trace('S', fd, &(struct iovec){ (void *)bytes, length }, 1, "");
    return next_send(fd, bytes, length, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    trace('S', fd, message->msg_iov, message->msg_iovlen, "");
    return next_sendmsg(fd, message, flags);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = next_clock_gettime ? next_clock_gettime(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);
    if (result != 0 || clock != CLOCK_REALTIME || !*control)
        return result;
    char path[600], text[32] = "";
    int error = errno;
    snprintf(path, sizeof path, "%s/clock", control);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        if (syscall(SYS_read, file, text, sizeof text - 1) > 0)
            now->tv_sec += atol(text);
        close(file);
    }
    errno = error;
    return 0;
}

// The runtime asks the C library by its handle, past everything that is preloaded.
void *dlsym(void *handle, const char *name) {
    return strcmp(name, "fdatasync") == 0 ? (void *)fdatasync : next_dlsym(handle, name);
}
