/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor_local.h"

#include "client/exec_env.h"
#include "common/err.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_SIZE 1024
#define GROUPS_MAX 64        /* shown */
#define FILE_BYTES_MAX 65536 /* of a credentials file, looked at */

struct report {
    doctor_local_fn *say;
    void *arg;
};

static void say(const struct report *report, const char *level, const char *what,
                const char *format, ...) KMS_PRINTF(4, 5);

static void say(const struct report *report, const char *level, const char *what,
                const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report->say(report->arg, level, what, text);
}

/* "1000 (app)", or the number alone. */
static void user_text(uid_t uid, char *ret, size_t size)
{
    const struct passwd *entry = getpwuid(uid);

    snprintf(ret, size, entry ? "%u (%s)" : "%u", uid, entry ? entry->pw_name : "");
}

static void group_text(gid_t gid, char *ret, size_t size)
{
    const struct group *entry = getgrgid(gid);

    snprintf(ret, size, entry ? "%u (%s)" : "%u", gid, entry ? entry->gr_name : "");
}

static void check_socket(const struct report *report, const char *path)
{
    char owner[160], group[160];
    struct stat info;

    if (stat(path, &info)) {
        say(report, "fail", "socket", "%s: %s", path, strerror(errno));
        return;
    }
    if (!S_ISSOCK(info.st_mode)) {
        say(report, "fail", "socket", "%s is no socket", path);
        return;
    }
    user_text(info.st_uid, owner, sizeof owner);
    group_text(info.st_gid, group, sizeof group);
    /* connect(2) asks for write permission */
    if (access(path, W_OK))
        say(report, "fail", "socket", "%s, uid %s, gid %s, mode %04o: you may not connect", path,
            owner, group, info.st_mode & 07777u);
    else
        say(report, "ok", "socket", "%s, uid %s, gid %s, mode %04o", path, owner, group,
            info.st_mode & 07777u);
}

static void check_self(const struct report *report)
{
    char user[160], text[TEXT_SIZE - 200] = "";
    gid_t groups[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX, groups);

    user_text(getuid(), user, sizeof user);
    for (int i = 0; i < count; i++) {
        size_t used = strlen(text);
        char group[160];

        group_text(groups[i], group, sizeof group);
        snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", group);
    }
    say(report, "ok", "you", "uid %s, groups %s", user,
        count < 0 ? "more than are shown"
        : *text   ? text
                  : "none");
}

/* Whether a file of the AWS tools has keys in its section "default". */
static bool has_default_keys(const char *path)
{
    char line[1024];
    bool in_default = false, found = false;
    long left = FILE_BYTES_MAX;
    FILE *file = fopen(path, "re");

    while (file && !found && left > 0 && fgets(line, sizeof line, file)) {
        const char *start = line + strspn(line, " \t");

        left -= (long)strlen(line);
        if (*start == '[')
            in_default = strncmp(start, "[default]", 9) == 0;
        else
            found = in_default && strncmp(start, "aws_access_key_id", 17) == 0;
    }
    if (file)
        fclose(file);
    return found;
}

static void check_files(const struct report *report)
{
    const char *home = getenv("HOME"), *file = getenv("AWS_SHARED_CREDENTIALS_FILE");
    char path[TEXT_SIZE / 2];

    if (file && *file)
        snprintf(path, sizeof path, "%s", file);
    else
        snprintf(path, sizeof path, "%s/.aws/credentials", home ? home : "");
    if (has_default_keys(path))
        say(report, "warn", "files",
            "%s has keys under [default]: some SDKs (Go, Python) take them before those of "
            "kms-exec --refresh",
            path);
    else
        say(report, "ok", "files", "no [default] keys in %s", path);
}

static void check_environment(const struct report *report, char *const *environment)
{
    static const char *const set[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"};
    char names[TEXT_SIZE / 2] = "";

    for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
        if (exec_env_get(environment, set[i]))
            snprintf(names + strlen(names), sizeof names - strlen(names), " %s", set[i]);
    for (size_t i = 0; exec_env_removed[i].name; i++)
        if (exec_env_get(environment, exec_env_removed[i].name))
            snprintf(names + strlen(names), sizeof names - strlen(names), " %s",
                     exec_env_removed[i].name);
    if (*names)
        say(report, "info", "environment", "kms-exec removes or replaces:%s", names);
    else
        say(report, "ok", "environment", "nothing in it that kms-exec would have to remove");
}

void doctor_local(const char *socket, doctor_local_fn *say_fn, void *arg)
{
    const struct report report = {say_fn, arg};

    check_socket(&report, socket);
    check_self(&report);
    check_files(&report);
    check_environment(&report, environ);
}
