/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and executing the command as glibc's execvpe(3) does, whatever libc this is linked to: a script
 * without #! is run by /bin/sh. Libc only, no allocation.
 */
#ifndef KMS_CLIENT_EXEC_COMMAND_H
#define KMS_CLIENT_EXEC_COMMAND_H

#define EXEC_EXIT_FAILED 125         /* kms-exec itself failed */
#define EXEC_EXIT_NOT_EXECUTABLE 126 /* the command was found but cannot be executed */
#define EXEC_EXIT_NOT_FOUND 127      /* the command was not found */

/* Tells before a lease is asked for whether execution is bound to fail: 0 if not, else an errno value
 * (ENOENT, EACCES). path: value of PATH or NULL. */
int exec_command_check(const char *command, const char *path);
/* Executes argv[0]. argv[-1] must exist and be writable: it becomes the shell of a script without #!.
 * Returns only on failure, an errno value; argv is as it was. */
int exec_command_run(char **argv, char *const *environment, const char *path);
/* Exit code for an errno value of the two above. */
int exec_command_exit_code(int error);
/* What the error means for a command: "command not found" or the system's text. */
const char *exec_command_reason(int error);

#endif
