/* SPDX-License-Identifier: Apache-2.0 */
#include "store/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum verdict { FS_GOOD, FS_COPY_ON_WRITE, FS_VOLATILE, FS_REFUSED };

/* Magic numbers: linux/magic.h and statfs(2); zfs: OpenZFS, include/sys/fs/zfs.h. */
static const struct file_system {
    unsigned long magic;
    enum verdict verdict;
    const char *name;
} file_systems[] = {
    {0xEF53, FS_GOOD, "ext4"},
    {0x58465342, FS_GOOD, "xfs"},
    {0xF2F52010, FS_COPY_ON_WRITE, "f2fs"},
    {0x9123683E, FS_COPY_ON_WRITE, "btrfs"},
    {0x2FC12FC1, FS_COPY_ON_WRITE, "zfs"},
    {0x01021994, FS_VOLATILE, "tmpfs"},
    {0x858458F6, FS_VOLATILE, "ramfs"},
    {0x794C7630, FS_VOLATILE, "overlayfs"},
    {0x6969, FS_REFUSED, "NFS"},
    {0x65735546, FS_REFUSED, "FUSE"},
    {0xFF534D42, FS_REFUSED, "CIFS"},
    {0xFE534D42, FS_REFUSED, "SMB"},
    {0x517B, FS_REFUSED, "SMB"},
    {0x01021997, FS_REFUSED, "9p"},
    {0x00C36400, FS_REFUSED, "Ceph"},
};

static const struct file_system *find_file_system(unsigned long magic)
{
    for (size_t i = 0; i < sizeof file_systems / sizeof file_systems[0]; i++)
        if (file_systems[i].magic == magic)
            return &file_systems[i];
    return NULL;
}

static int check_file_system(struct directory *directory, bool allow_volatile, struct err *err)
{
    const struct file_system *found;
    struct statfs fs;
    unsigned long magic;

    if (fstatfs(directory->fd, &fs) != 0)
        return err_set(err, KMS_ESTORE, "cannot tell the file system of %s: %s", directory->path,
                       strerror(errno));
    magic = (unsigned long)fs.f_type & 0xFFFFFFFFUL;
    found = find_file_system(magic);
    if (found == NULL || found->verdict == FS_REFUSED)
        return err_set(err, KMS_ESTORE,
                       "%s is on %s (type 0x%lx), the lease store needs a local file system: ext4, "
                       "xfs, btrfs, zfs or f2fs",
                       directory->path, found != NULL ? found->name : "an unknown file system",
                       magic);
    directory->is_volatile = found->verdict == FS_VOLATILE;
    directory->copy_on_write = found->verdict == FS_COPY_ON_WRITE;
    if (!directory->is_volatile || allow_volatile)
        return 0;
    err_set(err, KMS_ESTORE, "%s is on %s, where leases would not survive a restart",
            directory->path, found->name);
    return err_hint(err, "put it on a disk, or set allow_volatile_store = true");
}

/* Makes the last component only: making more could hide a missing mount. */
static int make(const char *path, struct err *err)
{
    char *copy, *slash;
    int parent_fd;

    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? 0
                               : err_set(err, KMS_ESTORE, "cannot make the store directory %s: %s",
                                         path, strerror(errno));
    copy = strdup(path);
    if (copy == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    slash = strrchr(copy, '/');
    if (slash != NULL)
        slash[slash == copy ? 1 : 0] = 0;
    parent_fd = open(slash != NULL ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (parent_fd >= 0) {
        fsync(parent_fd); /* the new name must outlive a power cut as the leases in it do */
        close(parent_fd);
    }
    return 0;
}

static int check_owner(struct directory *directory, struct err *err)
{
    struct stat st;

    directory->fd = open(directory->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory->fd < 0)
        return err_set(err, KMS_ESTORE, "cannot open the store directory %s: %s", directory->path,
                       errno == ELOOP || errno == ENOTDIR ? "it must be a directory, not a link"
                                                          : strerror(errno));
    if (fstat(directory->fd, &st) != 0)
        return err_set(err, KMS_ESTORE, "%s: %s", directory->path, strerror(errno));
    if (st.st_uid != geteuid())
        return err_set(err, KMS_ESTORE,
                       "the store directory %s belongs to uid %u, the agent is uid %u",
                       directory->path, st.st_uid, geteuid());
    if ((st.st_mode & 0777) == 0700)
        return 0;
    err_set(err, KMS_ESTORE, "the store directory %s has mode %04o, it must be 0700",
            directory->path, st.st_mode & 07777);
    return err_hint(err, "chmod 0700 %s", directory->path);
}

/* A file of its own: closing any descriptor of LMDB's files would drop LMDB's locks. */
static int lock(struct directory *directory, struct err *err)
{
    int fd =
        openat(directory->fd, DIRECTORY_LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    directory->lock_fd = fd;
    if (fd < 0)
        return err_set(err, KMS_ESTORE, "cannot open %s/%s: %s", directory->path,
                       DIRECTORY_LOCK_NAME, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(err, KMS_ESTORE, "another agent holds the store %s", directory->path);
    return err_set(err, KMS_ESTORE, "cannot lock %s/%s: %s", directory->path, DIRECTORY_LOCK_NAME,
                   strerror(errno));
}

int directory_open(const char *path, bool allow_volatile, struct directory *ret, struct err *err)
{
    struct directory directory = {.path = strdup(path), .fd = -1, .lock_fd = -1};
    int rc;

    if (directory.path == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    rc = make(path, err);
    if (rc == 0)
        rc = check_owner(&directory, err);
    if (rc == 0)
        rc = check_file_system(&directory, allow_volatile, err);
    if (rc == 0)
        rc = lock(&directory, err);
    if (rc != 0)
        directory_close(&directory);
    else
        *ret = directory;
    return rc;
}

void directory_close(struct directory *directory)
{
    if (directory->lock_fd >= 0)
        close(directory->lock_fd);
    if (directory->fd >= 0)
        close(directory->fd);
    free(directory->path);
    directory->path = NULL;
    directory->fd = directory->lock_fd = -1;
}
