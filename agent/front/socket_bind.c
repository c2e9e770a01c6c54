/* SPDX-License-Identifier: Apache-2.0 */
#include "front/socket_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024 /* as in the unit; a client that does not wait is refused when it is full */

static int make_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path[0] != '/')
        return err_set(err, KMS_ECONFIG, "socket %s: the path must be absolute", path);
    if (strlen(path) >= sizeof ret->sun_path)
        return err_set(err, KMS_ECONFIG, "socket %s: the path is longer than %zu bytes", path,
                       sizeof ret->sun_path - 1);
    strcpy(ret->sun_path, path);
    return 0;
}

/* Whether somebody listens there. A full backlog (EAGAIN) is somebody, too. */
static bool is_answered(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answered = true;

    if (fd < 0)
        return true;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        answered = errno != ECONNREFUSED && errno != ENOENT;
    close(fd);
    return answered;
}

static int clear_path(const struct sockaddr_un *address, struct err *err)
{
    const char *path = address->sun_path;
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0
                               : err_set(err, KMS_ECONFIG, "socket %s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, KMS_ECONFIG, "socket %s: something that is no socket is in the way",
                       path);
    if (is_answered(address)) {
        err_set(err, KMS_ECONFIG, "socket %s: somebody answers there", path);
        return err_hint(err, "another agent is running; stop it, or choose another socket");
    }
    if (unlink(path) != 0)
        return err_set(err, KMS_ECONFIG, "socket %s: cannot remove the old one: %s", path,
                       strerror(errno));
    return 0;
}

/* By the file itself: chmod(2) of the path would follow a link that came meanwhile. Not by the
 * umask, which is that of all threads. */
static int set_mode(const char *path, uint32_t mode)
{
    char self[64];
    int rc, fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -1;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    rc = chmod(self, mode);
    close(fd);
    return rc;
}

/* Nobody can connect before listen(), so the group and the mode are in time. */
static int open_for_peers(int fd, const char *path, uint32_t mode, uint32_t gid, struct err *err)
{
    if (gid != SOCKET_GROUP_UNCHANGED && lchown(path, (uid_t)-1, (gid_t)gid) != 0)
        return err_set(err, KMS_ECONFIG, "socket %s: cannot give it to group %u: %s", path, gid,
                       strerror(errno));
    if (set_mode(path, mode) != 0)
        return err_set(err, KMS_ECONFIG, "socket %s: cannot set its mode: %s", path,
                       strerror(errno));
    if (listen(fd, BACKLOG) != 0)
        return err_set(err, KMS_ECONFIG, "socket %s: cannot listen: %s", path, strerror(errno));
    return 0;
}

static int bind_file(int fd, const struct sockaddr_un *address, uint32_t mode, uint32_t gid,
                     struct err *err)
{
    const char *path = address->sun_path;
    struct socket_file file;

    if (bind(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        int error = errno;

        err_set(err, KMS_ECONFIG, "socket %s: cannot bind: %s", path, strerror(error));
        return error == ENOENT ? err_hint(err, "its directory must exist") : KMS_ECONFIG;
    }
    if (socket_file_of(path, &file) != 0)
        return err_set(err, KMS_ECONFIG, "socket %s: %s", path, strerror(errno));
    if (open_for_peers(fd, path, mode, gid, err) == 0)
        return 0;
    socket_unlink(path, &file);
    return KMS_ECONFIG;
}

int socket_bind(const char *path, uint32_t mode, uint32_t gid, int *ret, struct err *err)
{
    struct sockaddr_un address;
    int fd;

    if (make_address(path, &address, err) != 0 || clear_path(&address, err) != 0)
        return KMS_ECONFIG;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, KMS_ECONFIG, "socket: %s", strerror(errno));
    if (bind_file(fd, &address, mode, gid, err) != 0) {
        close(fd);
        return KMS_ECONFIG;
    }
    *ret = fd;
    return 0;
}

int socket_file_of(const char *path, struct socket_file *ret)
{
    struct statx stx;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_INO | STATX_BTIME, &stx) != 0)
        return -1;
    if (!S_ISSOCK(stx.stx_mode)) {
        errno = ENOTSOCK;
        return -1;
    }
    *ret = (struct socket_file){
        .dev_major = stx.stx_dev_major, .dev_minor = stx.stx_dev_minor, .ino = stx.stx_ino};
    if (stx.stx_mask & STATX_BTIME) {
        ret->born_s = stx.stx_btime.tv_sec;
        ret->born_ns = stx.stx_btime.tv_nsec;
    }
    return 0;
}

bool socket_file_is(const char *path, const struct socket_file *file)
{
    struct socket_file now;

    return socket_file_of(path, &now) == 0 && now.ino == file->ino &&
           now.dev_major == file->dev_major && now.dev_minor == file->dev_minor &&
           now.born_s == file->born_s && now.born_ns == file->born_ns;
}

void socket_unlink(const char *path, const struct socket_file *file)
{
    if (socket_file_is(path, file))
        unlink(path);
}
