/* SPDX-License-Identifier: Apache-2.0 */
#include "client/exec_command.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH "/bin:/usr/bin" /* glibc's, confstr(_CS_PATH) */
#define SHELL "/bin/sh"

/* Tries one file; returns 0 or an errno value. */
typedef int try_fn(const char *file, void *arg);

/* Whether the search goes on after this error of one candidate, as in glibc's posix/execvpe.c. */
static bool goes_on(int error)
{
    switch (error) {
    case EACCES:
    case ENOENT:
    case ESTALE:
    case ENOTDIR:
    case ENODEV:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

/* Tries command in each directory of path (an empty one is the current directory) until one answers
 * 0 or an error that ends the search. EACCES of any candidate is remembered and told at the end. */
static int search(const char *command, const char *path, try_fn *try, void *arg)
{
    char file[PATH_MAX];
    size_t command_len = strlen(command);
    int error = ENOENT;
    bool denied = false;

    if (!*command)
        return ENOENT;
    if (strchr(command, '/'))
        return try(command, arg);
    for (const char *p = path ? path : DEFAULT_PATH;;) {
        size_t len = strcspn(p, ":");

        if (len + 1 + command_len < sizeof file) {
            memcpy(file, p, len);
            file[len] = '/';
            memcpy(file + len + (len > 0), command, command_len + 1);
            error = try(file, arg);
            if (error == 0 || !goes_on(error))
                return error;
            denied = denied || error == EACCES;
        }
        if (!p[len])
            return denied ? EACCES : error;
        p += len + 1;
    }
}

static int try_access(const char *file, void *arg)
{
    (void)arg;
    return access(file, X_OK) == 0 ? 0 : errno;
}

int exec_command_check(const char *command, const char *path)
{
    int error = search(command, path, try_access, NULL);

    /* access() knows less than execve(): only what it is sure of counts. */
    return error == ENOENT || error == ENOTDIR || error == EACCES ? error : 0;
}

struct run {
    char **argv;
    char *const *environment;
};

static int try_run(const char *file, void *arg)
{
    const struct run *run = arg;
    char **argv = run->argv, *shell = argv[-1], *command = argv[0];

    execve(file, argv, run->environment);
    if (errno == ENOENT && access(file, F_OK) == 0)
        return ELIBBAD; /* the file is there, its interpreter is not */
    if (errno != ENOEXEC)
        return errno;
    argv[-1] = (char *)SHELL;
    argv[0] = (char *)file;
    execve(SHELL, argv - 1, run->environment);
    int error = errno;

    argv[-1] = shell;
    argv[0] = command;
    return error;
}

int exec_command_run(char **argv, char *const *environment, const char *path)
{
    struct run run = {argv, environment};

    return search(argv[0], path, try_run, &run);
}

int exec_command_exit_code(int error)
{
    return error == ENOENT || error == ENOTDIR ? EXEC_EXIT_NOT_FOUND : EXEC_EXIT_NOT_EXECUTABLE;
}

const char *exec_command_reason(int error)
{
    if (exec_command_exit_code(error) == EXEC_EXIT_NOT_FOUND)
        return "command not found";
    return error == ELIBBAD ? "its interpreter was not found" : strerror(error);
}
