/* SPDX-License-Identifier: Apache-2.0 */
/* kms-agentd: the process hardens itself, then runs the agent or one of the checks. */
#include "agent.h"
#include "base/clock.h"
#include "common/log.h"
#include "config/config.h"
#include "options.h"
#include "service_manager.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A core that is made all the same, root can see to that, has no memory in it: the locked heap of
 * the secrets is left out by itself, but libcurl keeps the management key beside each open
 * connection. Before PR_SET_DUMPABLE, which gives the file to root. core(5) */
static void exclude_memory_from_cores(void)
{
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return; /* a kernel without cores, or /proc is not there: the limit is what holds */
    (void)!write(fd, "0", 1);
    close(fd);
}

/* No core, no ptrace by other processes of our uid, private files. Fatal when the kernel refuses.
 */
static void harden_process(void)
{
    const struct rlimit none = {0, 0};

    umask(077);
    signal(SIGPIPE, SIG_IGN);
    exclude_memory_from_cores();
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) {
        log_error("the process cannot forbid core dumps");
        exit(1);
    }
}

static void print_finding(const char *finding, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s\n", finding);
}

static void print_warning(const char *warning, void *arg)
{
    (void)arg;
    fprintf(stderr, "warning: %s\n", warning);
}

static int check_files(const struct options *options)
{
    const char *file = options->config_file != NULL ? options->config_file : CONFIG_DEFAULT_FILE;
    bool given = options->check_file_count > 0;
    size_t findings =
        config_check(given ? options->check_files : &file, given ? options->check_file_count : 1,
                     print_finding, print_warning, NULL);

    if (findings == 0)
        printf("configuration ok\n");
    return findings == 0 ? 0 : 1;
}

static int print_config(const struct options *options)
{
    struct config *config = NULL;
    struct err err = {0};
    int rc;

    if (options->config_file == NULL)
        return config_print(NULL) == 0 ? 0 : 1;
    if (config_load(options->config_file, &config, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    rc = config_print(config);
    config_unref(config);
    return rc == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options options;
    struct err err = {0};

    harden_process();
    clock_init();
    if (options_parse(argc, argv, &options, &err) != 0) {
        fprintf(stderr, "kms-agentd: %s%s%s\n", err.message, err.hint[0] ? "; " : "", err.hint);
        return 2;
    }
    if (options.help)
        return fputs(options_help, stdout) < 0;
    if (options.version)
        return printf("kms-agentd %s\n", PACKAGE_VERSION) < 0;
    if (options.check)
        return check_files(&options);
    if (options.print_config)
        return print_config(&options);
    service_manager_set_log_sink();
    if (options.debug)
        log_set_level(LOG_LEVEL_DEBUG);
    return agent_run(&options);
}
