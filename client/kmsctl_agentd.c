/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl_agentd.h"

#include "client/kmsctl_print.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef KMS_AGENTD_PATH
#define KMS_AGENTD_PATH "/usr/sbin/kms-agentd"
#endif
#define OUTPUT_MAX (1u << 20)

/* The agent of the same build if it lies beside this program, else the installed one. Nothing from
 * the environment takes part: administrators run this as root. */
static void find_program(char ret[PATH_MAX])
{
    static const char name[] = "/kms-agentd";
    ssize_t len = readlink("/proc/self/exe", ret, PATH_MAX - sizeof name);
    char *slash;

    ret[len > 0 ? len : 0] = '\0';
    slash = strrchr(ret, '/');
    if (slash) {
        memcpy(slash, name, sizeof name);
        if (access(ret, X_OK) == 0)
            return;
    }
    memcpy(ret, KMS_AGENTD_PATH, sizeof KMS_AGENTD_PATH);
}

/* Returns only on failure. */
static int execute(struct kmsctl *ctl, const char *option, struct err *err)
{
    char program[PATH_MAX];
    char **argv = calloc((size_t)ctl->argc + 3, sizeof *argv);

    if (!argv)
        return err_set(err, KMS_ENOMEM, "out of memory");
    find_program(program);
    argv[0] = program;
    argv[1] = (char *)option;
    memcpy(argv + 2, ctl->argv, (size_t)ctl->argc * sizeof *argv);
    execv(program, argv);
    err_set(err, KMS_EINTERNAL, "cannot run %s: %s", program, strerror(errno));
    free(argv);
    return err->code;
}

/* Everything up to OUTPUT_MAX; the rest is read and dropped, so that the writer can end. */
static size_t read_all(int fd, char *ret)
{
    char rest[4096];
    size_t len = 0;
    ssize_t n;

    do {
        n = len < OUTPUT_MAX ? read(fd, ret + len, OUTPUT_MAX - len) : read(fd, rest, sizeof rest);
        if (n > 0 && len < OUTPUT_MAX)
            len += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    return len;
}

static json_t *lines_of(char *text, size_t len)
{
    json_t *lines = json_array();
    char *save = NULL;

    text[len] = '\0';
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        json_array_append_new(lines, json_string(line));
    return lines;
}

static int print_result(struct kmsctl *ctl, int fd, pid_t child, struct err *err)
{
    char *text = malloc(OUTPUT_MAX + 1);
    int status = 0;

    if (!text)
        return err_set(err, KMS_ENOMEM, "out of memory");
    size_t len = read_all(fd, text);

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    json_auto_t *answer = json_pack("{s:b, s:i, s:o}", "ok", code == 0, "exit_code", code, "lines",
                                    lines_of(text, len));

    free(text);
    if (!answer)
        return err_set(err, KMS_ENOMEM, "out of memory");
    int rc = kmsctl_print_json(ctl, answer, err);

    return rc ? rc : code;
}

int kmsctl_agentd(struct kmsctl *ctl, const char *option, struct err *err)
{
    int fds[2];

    if (!ctl->json)
        return execute(ctl, option, err);
    if (pipe(fds))
        return err_set(err, KMS_EINTERNAL, "pipe: %s", strerror(errno));
    pid_t child = fork();

    if (child == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        execute(ctl, option, err);
        dprintf(STDERR_FILENO, "%s\n", err->message);
        _exit(1);
    }
    close(fds[1]);
    int rc = child < 0 ? err_set(err, KMS_EINTERNAL, "fork: %s", strerror(errno))
                       : print_result(ctl, fds[0], child, err);

    close(fds[0]);
    return rc;
}
