/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files in a scratch directory, for the tests of agent/config. Include after
 * cmocka.h. */
#ifndef KMS_TESTS_UNIT_CONFIG_FILES_H
#define KMS_TESTS_UNIT_CONFIG_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char files_directory[64];

/* Makes the directory (cmocka setup and teardown). */
static inline int files_setup(void **state)
{
    (void)state;
    umask(022);
    strcpy(files_directory, "/tmp/kms-config-XXXXXX");
    return mkdtemp(files_directory) == NULL ? -1 : 0;
}

static inline int files_teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", files_directory);
    return system(command);
}

/* Path of a name in it; valid until the next 8 calls. */
static inline const char *files_path(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", files_directory, name);
    return path;
}

/* Writes a file there, making secrets.d when the name is in it. */
static inline void files_write_bytes(const char *name, const void *bytes, size_t len)
{
    FILE *file;

    if (strncmp(name, "secrets.d/", 10) == 0)
        mkdir(files_path("secrets.d"), 0755);
    file = fopen(files_path(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline void files_write(const char *name, const char *text)
{
    files_write_bytes(name, text, strlen(text));
}

/* text with every "~/" replaced by the directory's path and "/"; valid until the next call. */
static inline const char *files_expand(const char *text)
{
    static char expanded[4096];
    size_t len = 0;

    for (; *text != '\0' && len < sizeof(expanded) - 80; text++)
        if (text[0] == '~' && text[1] == '/')
            len += (size_t)snprintf(expanded + len, sizeof(expanded) - len, "%s", files_directory);
        else
            expanded[len++] = *text;
    expanded[len] = '\0';
    return expanded;
}

#endif
