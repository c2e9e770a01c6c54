/* SPDX-License-Identifier: Apache-2.0 */
/* Judge: glibc's execvpe(3), which must come to the same end in each case. */
#include "client/exec_command.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/kms-exec-XXXXXX";

static void make_file(const char *name, const char *content, mode_t mode)
{
    char path[64];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
    char path[64];
    (void)state;

    assert_non_null(mkdtemp(directory));
    make_file("kms-script", "echo \"script $0 $1 $VALUE\"\nexit 7\n", 0755);
    make_file("shebang", "#!/bin/sh\necho \"shebang $1 $VALUE\"\nexit 8\n", 0755);
    make_file("orphan", "#!/nonexistent/interpreter\n", 0755);
    make_file("plain", "text\n", 0644);
    snprintf(path, sizeof path, "%s/folder", directory);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/second", directory);
    assert_int_equal(mkdir(path, 0755), 0);
    make_file("second/plain", "#!/bin/sh\necho second\nexit 9\n", 0755);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"kms-script", "shebang", "orphan", "plain", "second/plain"};
    char path[64];
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/second", directory);
    rmdir(path);
    snprintf(path, sizeof path, "%s/folder", directory);
    rmdir(path);
    return rmdir(directory);
}

/* Exit status, or 100 + errno of a failed execution; the output goes to ret. */
static int run(const char *command, const char *path, bool judge, char *ret, size_t size)
{
    int fds[2], status;

    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();

    if (child == 0) {
        char *argv[] = {"kms-exec", (char *)command, "argument", NULL};
        char *environment[] = {"VALUE=value", NULL};

        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        if (chdir(directory))
            _exit(99);
        if (judge) {
            if (path)
                setenv("PATH", path, 1);
            else
                unsetenv("PATH");
            execvpe(command, argv + 1, environment);
            _exit(100 + errno);
        }
        int error = exec_command_run(argv + 1, environment, path);

        if (strcmp(argv[0], "kms-exec") != 0 || argv[1] != command)
            _exit(98);
        _exit(100 + (error == ELIBBAD ? ENOENT : error));
    }
    close(fds[1]);
    ssize_t n, len = 0;

    while ((n = read(fds[0], ret + len, size - 1 - (size_t)len)) > 0)
        len += n;
    ret[len] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void same_as_execvpe(void **state)
{
    char both[160], missing[300];
    (void)state;

    snprintf(both, sizeof both, "/nonexistent:%s:%s/second", directory, directory);
    memset(missing, 'n', sizeof missing);
    missing[sizeof missing - 1] = '\0';
    const char *const commands[] = {"kms-script", "shebang",      "orphan",   "plain",
                                    "folder",     "missing",      "true",     "./kms-script",
                                    "./plain",    "./folder",     "./orphan", "",
                                    missing,      "plain/inside", "./shebang"};
    const char *const paths[] = {both, directory, "", ":", "/bin:", NULL, "/etc/passwd", "/bin"};

    for (size_t c = 0; c < sizeof commands / sizeof commands[0]; c++) {
        for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
            char ours[256], theirs[256];
            int got = run(commands[c], paths[p], false, ours, sizeof ours);
            int want = run(commands[c], paths[p], true, theirs, sizeof theirs);

            if (got != want || strcmp(ours, theirs) != 0)
                fail_msg("%s in %s: %d \"%s\", glibc %d \"%s\"", commands[c],
                         paths[p] ? paths[p] : "no PATH", got, ours, want, theirs);
        }
    }
}

static void check_foresees(void **state)
{
    char path[96], file[96];
    (void)state;

    snprintf(path, sizeof path, "%s:%s/second", directory, directory);
    assert_int_equal(exec_command_check("missing", path), ENOENT);
    assert_int_equal(exec_command_check("", path), ENOENT);
    assert_int_equal(exec_command_check("kms-script", path), 0);
    assert_int_equal(exec_command_check("plain", path), 0);
    assert_int_equal(exec_command_check("plain", directory), EACCES);
    assert_int_equal(exec_command_check("sh", NULL), 0);
    snprintf(file, sizeof file, "%s/plain", directory);
    assert_int_equal(exec_command_check(file, NULL), EACCES);
    snprintf(file, sizeof file, "%s/none", directory);
    assert_int_equal(exec_command_check(file, path), ENOENT);
}

static void exit_codes(void **state)
{
    (void)state;

    assert_int_equal(exec_command_exit_code(ENOENT), 127);
    assert_int_equal(exec_command_exit_code(ENOTDIR), 127);
    assert_int_equal(exec_command_exit_code(EACCES), 126);
    assert_int_equal(exec_command_exit_code(ELIBBAD), 126);
    assert_int_equal(exec_command_exit_code(E2BIG), 126);
    assert_string_equal(exec_command_reason(ENOENT), "command not found");
    assert_string_equal(exec_command_reason(ELIBBAD), "its interpreter was not found");
    assert_string_equal(exec_command_reason(EACCES), strerror(EACCES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_execvpe),
        cmocka_unit_test(check_foresees),
        cmocka_unit_test(exit_codes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
