/* SPDX-License-Identifier: Apache-2.0 */
#include "front/socket_bind.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

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

/* Nobody can connect before listen(), so the group is in time; the mode is set by the umask. */
static int open_for_peers(int fd, const struct sockaddr_un *address, uint32_t mode, uint32_t gid,
                          struct err *err)
{
    const char *path = address->sun_path;
    mode_t old = umask(~(mode_t)mode & 0777);
    int rc = bind(fd, (const struct sockaddr *)address, sizeof *address);
    int error = errno;

    umask(old);
    if (rc != 0) {
        err_set(err, KMS_ECONFIG, "socket %s: cannot bind: %s", path, strerror(error));
        return error == ENOENT ? err_hint(err, "its directory must exist") : KMS_ECONFIG;
    }
    if (gid != SOCKET_GROUP_UNCHANGED && lchown(path, (uid_t)-1, (gid_t)gid) != 0)
        return err_set(err, KMS_ECONFIG, "socket %s: cannot give it to group %u: %s", path, gid,
                       strerror(errno));
    if (listen(fd, BACKLOG) != 0)
        return err_set(err, KMS_ECONFIG, "socket %s: cannot listen: %s", path, strerror(errno));
    return 0;
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
    if (open_for_peers(fd, &address, mode, gid, err) != 0) {
        socket_unlink(path, fd);
        close(fd);
        return KMS_ECONFIG;
    }
    *ret = fd;
    return 0;
}

/* The name is compared with the address of the descriptor, and the file must be refused or ours:
 * a successor that has taken the path over answers there, an own closed socket does not. */
void socket_unlink(const char *path, int fd)
{
    struct sockaddr_un address = {0};
    socklen_t len = sizeof address;
    struct stat st;

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        strncmp(address.sun_path, path, sizeof address.sun_path) != 0)
        return;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
}
