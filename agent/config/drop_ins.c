/* SPDX-License-Identifier: Apache-2.0 */
#include "config/drop_ins.h"

#include "config/ownership.h"
#include "config/value_format.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_text(char **text)
{
    free(*text);
}
#define TEXT_CLEANUP __attribute__((cleanup(free_text)))

static bool is_drop_in(const char *name)
{
    size_t length = strlen(name);

    return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(DIR *directory, const char *path, struct findings *findings,
                      struct string_list *ret)
{
    const struct dirent *entry;
    size_t first = ret->count;

    while ((entry = readdir(directory)) != NULL) {
        char *name TEXT_CLEANUP = NULL;

        if (!is_drop_in(entry->d_name))
            continue;
        if (ret->count - first == DROP_INS_MAX) {
            finding_add(findings, path, 0, "holds more than %d files", DROP_INS_MAX);
            break;
        }
        if (asprintf(&name, "%s/%s", path, entry->d_name) < 0 || string_list_add(ret, name) < 0)
            return KMS_ENOMEM;
    }
    qsort(ret->items + first, ret->count - first, sizeof(*ret->items), text_compare);
    return 0;
}

int drop_ins_list(const char *file, struct findings *findings, struct string_list *ret)
{
    char *copy TEXT_CLEANUP = strdup(file), *path TEXT_CLEANUP = NULL;
    struct err err;
    DIR *directory;
    int rc;

    if (copy == NULL || asprintf(&path, "%s/" DROP_INS_DIRECTORY, dirname(copy)) < 0)
        return KMS_ENOMEM;
    directory = opendir(path);
    if (directory == NULL && errno == ENOENT)
        return 0;
    if (directory == NULL) {
        finding_add(findings, path, 0, "cannot be read: %s", strerror(errno));
        return 0;
    }
    if (ownership_check_directory(path, &err) < 0) {
        finding_add(findings, path, 0, "%s", err.message);
        rc = 0;
    } else {
        rc = names_read(directory, path, findings, ret);
    }
    closedir(directory);
    return rc;
}
