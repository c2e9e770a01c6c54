/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/source.h"

#include "config/validate_aws.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *file_fault(const struct stat *st, size_t max, bool private_file)
{
    if (!S_ISREG(st->st_mode))
        return "it is not a regular file";
    if (st->st_size > (off_t)max)
        return "it is too large";
    if (!private_file)
        return NULL;
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "it must belong to root or the agent's user";
    if ((st->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return "group and others must have no access to it (chmod 600)";
    return NULL;
}

static ssize_t read_whole(int fd, char *buf, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t n = read(fd, buf + len, size - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

/* What is one line of printable text, newline cut; 0 when it is not. */
static size_t text_length(const char *buf, size_t len)
{
    while (len > 0 && (buf[len - 1] == '\n' || buf[len - 1] == '\r'))
        len--;
    for (size_t i = 0; i < len; i++)
        if (buf[i] <= ' ' || buf[i] > '~')
            return 0;
    return len;
}

static int read_open_file(int fd, size_t max, bool text, const char *what, struct secret *ret,
                          struct err *err)
{
    char *buf = wiping_malloc(max + 1);
    ssize_t n = buf != NULL ? read_whole(fd, buf, max + 1) : 0;
    int rc;

    if (buf == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    if (n < 0) {
        rc = err_set(err, KMS_ESOURCE, "%s: %s", what, strerror(errno));
    } else if ((size_t)n > max) {
        rc = err_set(err, KMS_ESOURCE, "%s: it is too large", what);
    } else {
        size_t len = text ? text_length(buf, (size_t)n) : (size_t)n;

        rc = len > 0 ? secret_set(ret, buf, len) : KMS_ESOURCE;
        if (rc != 0)
            err_set(err, rc, "%s: %s", what,
                    len > 0 ? "no locked memory left"
                    : text  ? "it is not one line of printable text"
                            : "it is empty");
    }
    wiping_free(buf);
    return rc;
}

static int read_file(const char *path, size_t max, bool private_file, bool text, const char *what,
                     struct secret *ret, struct err *err)
{
    const char *fault;
    struct stat st;
    int rc,
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hold us */

    if (fd < 0)
        return err_set(err, KMS_ESOURCE, "%s: %s", what, strerror(errno));
    if (fstat(fd, &st) != 0)
        fault = strerror(errno);
    else
        fault = file_fault(&st, max, private_file);
    rc = fault != NULL ? err_set(err, KMS_ESOURCE, "%s: %s", what, fault)
                       : read_open_file(fd, max, text, what, ret, err);
    close(fd);
    return rc;
}

int source_read_file(const char *path, size_t max, bool private_file, const char *what,
                     struct secret *ret, struct err *err)
{
    return read_file(path, max, private_file, true, what, ret, err);
}

/* systemd makes the files and gives the access, by an access list that shows as group bits: no
 * check of the mode. */
static int read_credential(const char *directory, const char *reference, bool text,
                           struct secret *ret, struct err *err)
{
    const char *name = reference + strlen("credential:");
    char path[4096 + RECIPE_REF_MAX];
    int n;

    if (directory == NULL)
        return err_set(err, KMS_ESOURCE,
                       "%s: there is no $CREDENTIALS_DIRECTORY (LoadCredential= in the unit)",
                       reference);
    if (name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return err_set(err, KMS_ESOURCE, "%s: not a credential name", reference);
    n = snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, KMS_ESOURCE, "%s: the path is too long", reference);
    return read_file(path, SOURCE_FILE_MAX, false, text, reference, ret, err);
}

int source_read_credential_bytes(const struct source_environment *environment, const char *name,
                                 struct secret *ret, struct err *err)
{
    char reference[RECIPE_REF_MAX + 1];

    snprintf(reference, sizeof(reference), "credential:%s", name);
    return read_credential(environment->credentials_directory, reference, false, ret, err);
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

int source_read_reference(struct source_environment *environment, const char *reference,
                          struct secret *ret, struct err *err)
{
    if (has_prefix(reference, "credential:"))
        return read_credential(environment->credentials_directory, reference, true, ret, err);
    if (has_prefix(reference, "file:/"))
        return source_read_file(reference + strlen("file:"), SOURCE_FILE_MAX, true, reference, ret,
                                err);
    if (has_prefix(reference, "env:"))
        return source_environment_take(environment, reference + strlen("env:"), ret, err);
    /* It may be the value itself, put there by mistake: not repeated. */
    return err_set(err, KMS_ESOURCE,
                   "a secret must be given as \"credential:NAME\", \"file:/PATH\" or \"env:NAME\"");
}

static bool is_key_id(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

    return text[len] == '\0' && len >= 16 && len <= AWS_KEY_ID_MAX;
}

static int read_key_id(struct source_environment *environment, const char *text,
                       char ret[AWS_KEY_ID_MAX + 1], struct err *err)
{
    SECRET_CLEANUP struct secret value = {0};
    int rc;

    if (is_key_id(text)) {
        strcpy(ret, text);
        return 0;
    }
    rc = source_read_reference(environment, text, &value, err);
    if (rc != 0)
        return rc;
    if (!is_key_id(secret_text(&value)))
        return err_set(err, KMS_ESOURCE, "%s: not an access key id", text);
    if (strncmp(secret_text(&value), "ASIA", 4) == 0)
        return err_set(err, KMS_ESOURCE, "%s: it is %s", text, ACCESS_KEY_OF_SESSION);
    strcpy(ret, secret_text(&value));
    return 0;
}

int source_static_key_id(struct source_environment *environment, const struct recipe *recipe,
                         char ret[AWS_KEY_ID_MAX + 1], struct err *err)
{
    return read_key_id(environment, recipe->access_key_id, ret, err);
}

int source_static_key(struct source_environment *environment, const struct recipe *recipe,
                      struct aws_credential *ret, struct err *err)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential read = {0};
    int rc;

    if (recipe->access_key_id[0] == '\0' || recipe->secret_access_key[0] == '\0')
        return err_set(err, KMS_ESOURCE, "access_key_id and secret_access_key must both be given");
    rc = read_key_id(environment, recipe->access_key_id, read.access_key_id, err);
    if (rc == 0)
        rc = source_read_reference(environment, recipe->secret_access_key, &read.secret_access_key,
                                   err);
    if (rc != 0)
        return rc;
    aws_credential_done(ret);
    *ret = read;
    read = (struct aws_credential){0};
    return 0;
}
