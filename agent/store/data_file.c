/* SPDX-License-Identifier: Apache-2.0 */
#include "store/data_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "data.mdb"
#define DRAFT_NAME "data.mdb.new"

static bool is_there(const struct directory *directory)
{
    struct stat st;

    return fstatat(directory->fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}

/* LMDB writes the first pages as it opens, and syncs them with the first transaction only. Nobody
 * else can have the file open: no lock file. */
static int make_draft(const char *path)
{
    MDB_env *mdb;
    int rc = mdb_env_create(&mdb);

    if (rc != 0)
        return rc;
    rc = mdb_env_open(mdb, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    if (rc == 0)
        rc = mdb_env_sync(mdb, 1);
    mdb_env_close(mdb);
    return rc;
}

int data_file_make(const struct directory *directory)
{
    char path[PATH_MAX];
    int rc;

    if (is_there(directory))
        return 0;
    if ((size_t)snprintf(path, sizeof path, "%s/" DRAFT_NAME, directory->path) >= sizeof path)
        return ENAMETOOLONG;
    if (unlinkat(directory->fd, DRAFT_NAME, 0) != 0 && errno != ENOENT)
        return errno;
    rc = make_draft(path);
    if (rc != 0)
        return rc;
    return renameat(directory->fd, DRAFT_NAME, directory->fd, FILE_NAME) == 0 &&
                   fsync(directory->fd) == 0
               ? 0
               : errno;
}
