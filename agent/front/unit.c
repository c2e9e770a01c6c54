/* SPDX-License-Identifier: Apache-2.0 */
#include "front/unit.h"

#include "service_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CGROUP_MAGIC 0x63677270 /* CGROUP2_SUPER_MAGIC */
#define CGROUP_TEXT_MAX 8192

/* linux/pidfd.h of 6.13 and later, which Debian 12's headers do not have. */
struct pidfd_facts {
    uint64_t mask, cgroup_id;
    uint32_t ids[11];
    int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_facts) == 64, "PIDFD_INFO_SIZE_VER0");
#define PIDFD_FACTS_CGROUP (UINT64_C(1) << 2)
#define PIDFD_GET_FACTS _IOWR(0xFF, 11, struct pidfd_facts)

bool pidfd_has_ended(int pidfd)
{
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

    return pidfd < 0 || poll(&poll_fd, 1, 0) != 0;
}

/* A unit name has one of systemd's suffixes; only the kinds that hold processes are of use. */
static bool has_unit_suffix(const char *name, size_t len)
{
    static const char *const suffixes[] = {".service", ".scope", ".socket", ".mount", ".swap"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t suffix = strlen(suffixes[i]);

        if (len > suffix && memcmp(name + len - suffix, suffixes[i], suffix) == 0)
            return true;
    }
    return false;
}

static bool is_slice(const char *name, size_t len)
{
    return len > 6 && memcmp(name + len - 6, ".slice", 6) == 0;
}

int unit_of_cgroup(const char *path, char *ret, size_t size)
{
    const char *name = path;
    size_t len;

    if (path[0] != '/' || strstr(path, "/../") != NULL)
        return -1;
    for (;; name += len) {
        name += strspn(name, "/");
        len = strcspn(name, "/");
        if (len == 0)
            return -1;
        if (!is_slice(name, len))
            break;
    }
    if (name[0] == '_') {
        name++;
        len--;
    }
    if (!has_unit_suffix(name, len) || len >= size)
        return -1;
    memcpy(ret, name, len);
    ret[len] = '\0';
    return 0;
}

/* The path of the unified hierarchy ("0::PATH") of a process. */
static int read_cgroup(int32_t pid, char *text, size_t size, const char **ret)
{
    char file[64], *line, *end;
    ssize_t n;
    int fd;

    snprintf(file, sizeof file, "/proc/%d/cgroup", (int)pid);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (line == NULL)
        return -1;
    line = strchr(line, '/');
    end = line != NULL ? strchr(line, '\n') : NULL;
    if (end == NULL) /* cut off: not to be trusted */
        return -1;
    *end = '\0';
    *ret = line;
    return 0;
}

static int stat_cgroup(const char *path, struct stat *ret)
{
    static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char directory[CGROUP_TEXT_MAX + 64];
    struct statfs fs;

    for (size_t i = 0; i < 2; i++) {
        if (statfs(mounts[i], &fs) != 0 || fs.f_type != CGROUP_MAGIC)
            continue;
        snprintf(directory, sizeof directory, "%s%s", mounts[i], path);
        return stat(directory, ret);
    }
    return -1;
}

/* 1: the kernel cannot tell. */
static int cgroup_id_of_pidfd(int pidfd, uint64_t *ret)
{
    struct pidfd_facts facts = {.mask = PIDFD_FACTS_CGROUP};

    if (ioctl(pidfd, PIDFD_GET_FACTS, &facts) != 0)
        return errno == ENOTTY || errno == EINVAL || errno == EOPNOTSUPP ? 1 : -1;
    if ((facts.mask & PIDFD_FACTS_CGROUP) == 0)
        return -1;
    *ret = facts.cgroup_id;
    return 0;
}

static int unit_by_cgroup_id(int32_t pid, uint64_t id, char *ret, size_t size)
{
    char text[CGROUP_TEXT_MAX];
    const char *path;
    struct stat st;

    if (read_cgroup(pid, text, sizeof text, &path) != 0 || stat_cgroup(path, &st) != 0 ||
        st.st_ino != id)
        return -1;
    return unit_of_cgroup(path, ret, size);
}

int unit_of_process(int32_t pid, int pidfd, char *ret, size_t size)
{
    uint64_t id;
    int rc;

    ret[0] = '\0';
    if (pid <= 0 || pidfd_has_ended(pidfd))
        return -1;
    rc = cgroup_id_of_pidfd(pidfd, &id);
    if (rc == 0)
        rc = unit_by_cgroup_id(pid, id, ret, size);
    else if (rc > 0)
        rc = service_manager_unit_of_pid(pid, ret, size) == 0 ? 0 : -1;
    /* The pid belonged to this process all along only if it lives still. */
    if (rc == 0 && pidfd_has_ended(pidfd))
        rc = -1;
    if (rc != 0)
        ret[0] = '\0';
    return rc;
}
