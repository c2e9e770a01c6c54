/* SPDX-License-Identifier: Apache-2.0 */
#include "config/ownership.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void free_text(char **text)
{
    free(*text);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static int owner_check(const struct stat *st, const char *what, struct err *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return err_set(err, KMS_ECONFIG,
                       "%s belongs to uid %u, it must belong to root or the agent's user", what,
                       st->st_uid);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(err, KMS_ECONFIG, "%s is writable by its group or others (mode %04o)", what,
                       st->st_mode & 07777u);
    return 0;
}

/* The directory that holds path: who may write there may replace the file. */
static int parent_check(const char *path, struct err *err)
{
    char *copy __attribute__((cleanup(free_text))) = strdup(path);
    struct stat st;

    if (copy == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    if (stat(dirname(copy), &st) < 0)
        return err_set(err, KMS_ECONFIG, "its directory cannot be read: %s", strerror(errno));
    /* In a sticky directory of root (/tmp) only the owner can rename a file away. */
    if (st.st_uid == 0 && (st.st_mode & S_ISVTX) != 0)
        return 0;
    return owner_check(&st, "its directory", err);
}

static int directories_check(const char *path, struct err *err)
{
    char *resolved __attribute__((cleanup(free_text))) = realpath(path, NULL);
    int rc = parent_check(path, err);

    if (rc < 0)
        return rc;
    if (resolved == NULL)
        return err_set(err, KMS_ECONFIG, "cannot be resolved: %s", strerror(errno));
    return parent_check(resolved, err);
}

/* O_NONBLOCK: a FIFO in the place of the file must not hang the agent. */
static int file_open(const char *path, struct stat *st, int *ret_fd, struct err *err)
{
    int fd __attribute__((cleanup(close_fd))) =
        open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int rc;

    if (fd < 0 || fstat(fd, st) < 0)
        return err_set(err, KMS_ECONFIG, "cannot be read: %s", strerror(errno));
    if (!S_ISREG(st->st_mode))
        return err_set(err, KMS_ECONFIG, "is not a regular file");
    rc = owner_check(st, "it", err);
    if (rc < 0)
        return rc;
    rc = directories_check(path, err);
    if (rc < 0)
        return rc;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static int bytes_read(int fd, char *buf, size_t max, size_t *ret_len, struct err *err)
{
    size_t len = 0;

    for (;;) {
        ssize_t n = read(fd, buf + len, max + 1 - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, KMS_ECONFIG, "cannot be read: %s", strerror(errno));
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > max)
            return err_set(err, KMS_ECONFIG, "is larger than %zu bytes", max);
    }
    if (memchr(buf, '\0', len) != NULL)
        return err_set(err, KMS_ECONFIG, "holds a NUL byte");
    *ret_len = len;
    return 0;
}

int ownership_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
    int fd __attribute__((cleanup(close_fd))) = -1;
    char *buf __attribute__((cleanup(free_text))) = NULL;
    struct stat st;
    size_t len = 0;
    int rc = file_open(path, &st, &fd, err);

    if (rc < 0)
        return rc;
    if (st.st_size < 0 || (size_t)st.st_size > max)
        return err_set(err, KMS_ECONFIG, "is larger than %zu bytes", max);
    buf = malloc(max + 2);
    if (buf == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    rc = bytes_read(fd, buf, max, &len, err);
    if (rc < 0)
        return rc;
    buf[len] = '\0';
    *ret = buf;
    *ret_len = len;
    buf = NULL;
    return 0;
}

int ownership_check_file(const char *path, struct err *err)
{
    int fd __attribute__((cleanup(close_fd))) = -1;
    struct stat st;

    return file_open(path, &st, &fd, err);
}

int ownership_check_directory(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_set(err, KMS_ECONFIG, "cannot be read: %s", strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(err, KMS_ECONFIG, "is not a directory");
    return owner_check(&st, "it", err);
}
