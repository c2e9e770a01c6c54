/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"

#include "client/report.h"
#include "common/timefmt.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PROGRAM "kmsctl"
#define EXIT_REFUSED 1     /* the agent said no */
#define EXIT_USAGE 2       /* wrong command line */
#define EXIT_UNREACHABLE 3 /* the agent cannot be reached */
#define ANY_NUMBER 1000000
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* Options of single verbs; --json, --socket, --help and --version are for all. */
enum {
    TAKES_SECRET = 1,
    TAKES_STATE = 2,
    TAKES_ALL = 4,
    TAKES_LIMIT = 8,
    TAKES_TTL = 16,
    TAKES_KEEP = 32,
    TAKES_SHOW = 64,
    TAKES_LEASE = 128,
    TAKES_SINCE = 256,
    TAKES_REPORT = 512,
    TAKES_FOR = 1024,
    TAKES_ROTATE_ROOT = 2048
};

struct verb {
    const char *name, *usage, *help;
    kmsctl_fn *run;
    int min_args, max_args;
    unsigned takes;
};

static const struct verb verbs[] = {
    {"status", "", "how the agent is doing", kmsctl_status, 0, 0, 0},
    {"secrets", "", "the secrets you may use, an administrator all", kmsctl_secrets, 0, 0, 0},
    {"secret", "NAME", "one secret", kmsctl_secret, 1, 1, 0},
    {"leases", "[--secret S] [--state S] [--all] [--limit N]",
     "your leases, an administrator all; --all: ended ones too", kmsctl_leases, 0, 0,
     TAKES_SECRET | TAKES_STATE | TAKES_ALL | TAKES_LIMIT},
    {"lease", "ID", "one lease", kmsctl_lease, 1, 1, 0},
    {"issue", "SECRET [-t TTL] [--keep] [--show]",
     "a new lease with its credential; --keep: an IAM user's key that no process is bound to",
     kmsctl_issue, 1, 1, TAKES_TTL | TAKES_KEEP | TAKES_SHOW},
    {"renew", "ID [-t TTL] [--show]", "a later end for a lease", kmsctl_renew, 1, 1,
     TAKES_TTL | TAKES_SHOW},
    {"revoke", "ID… | --all --secret S", "end leases now", kmsctl_revoke, 0, ANY_NUMBER,
     TAKES_ALL | TAKES_SECRET},
    {"rotate-root", "SECRET", "replace the secret's management access key", kmsctl_rotate_root, 1,
     1, 0},
    {"audit", "[--lease ID] [--since TIME|AGO] [--limit N]", "what happened", kmsctl_audit, 0, 0,
     TAKES_LEASE | TAKES_SINCE | TAKES_LIMIT},
    {"policy", "SECRET [--for management|role|trust] [--all] [--rotate-root]",
     "the least IAM policy that a secret needs, as one document; --all: with what is optional; "
     "--rotate-root: with what rotate-root needs",
     kmsctl_policy, 1, 1, TAKES_FOR | TAKES_ALL | TAKES_ROTATE_ROOT},
    {"doctor", "[SECRET]", "what is in order and what is not; exit 1 if something fails",
     kmsctl_doctor, 0, 1, 0},
    {"sweep", "[--report]", "revoke IAM users that a lost store left behind; --report: only tell",
     kmsctl_sweep, 0, 0, TAKES_REPORT},
    {"metrics", "", "what the agent counts, as Prometheus text", kmsctl_metrics, 0, 0, 0},
    {"reload", "", "read the configuration again", kmsctl_reload, 0, 0, 0},
    {"ready", "", "exit 0 if the agent serves, else 1", kmsctl_ready, 0, 0, 0},
    {"check", "FILE…", "validate configuration files", kmsctl_check, 1, ANY_NUMBER, 0},
    {"config", "", "print every option with its default and meaning", kmsctl_config, 0, 0, 0},
};

#define VERBS (sizeof verbs / sizeof verbs[0])

enum {
    OPT_JSON = 256,
    OPT_SOCKET,
    OPT_HELP,
    OPT_VERSION,
    OPT_SECRET,
    OPT_STATE,
    OPT_ALL,
    OPT_LIMIT,
    OPT_KEEP,
    OPT_SHOW,
    OPT_LEASE,
    OPT_SINCE,
    OPT_REPORT,
    OPT_FOR,
    OPT_ROTATE_ROOT
};

static const struct option long_options[] = {
    {"json", no_argument, NULL, OPT_JSON},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {"secret", required_argument, NULL, OPT_SECRET},
    {"state", required_argument, NULL, OPT_STATE},
    {"all", no_argument, NULL, OPT_ALL},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"ttl", required_argument, NULL, 't'},
    {"keep", no_argument, NULL, OPT_KEEP},
    {"show", no_argument, NULL, OPT_SHOW},
    {"lease", required_argument, NULL, OPT_LEASE},
    {"since", required_argument, NULL, OPT_SINCE},
    {"report", no_argument, NULL, OPT_REPORT},
    {"for", required_argument, NULL, OPT_FOR},
    {"rotate-root", no_argument, NULL, OPT_ROTATE_ROOT},
    {NULL, 0, NULL, 0},
};

static struct call call;

static void print_help(void)
{
    printf("Usage: kmsctl VERB [ARG…] [--json] [--socket PATH]\n\nVerbs:\n");
    for (size_t i = 0; i < VERBS; i++)
        printf("  %s %s\n        %s\n", verbs[i].name, verbs[i].usage, verbs[i].help);
    printf(
        "\nOptions of all verbs:\n"
        "  --json         JSON with the names of the protocol instead of tables\n"
        "  --socket PATH  socket of the agent; else $" KMS_SOCKET_ENV ", else\n"
        "                 " KMS_DEFAULT_SOCKET "\n"
        "  --help, --version\n"
        "\nTimes are 90s, 15m, 1h30m, 2d; --since also takes 2026-01-02T03:04:05Z.\n"
        "Secrets are printed on a terminal only with --show.\n"
        "\nExit status: 0 done, 1 the agent said no, 2 wrong usage, 3 the agent cannot be reached\n"
        "(of ready: 1).\n");
}

static int usage_error(struct err *err, const char *what, const char *value)
{
    err_set(err, KMS_EUSAGE, "%s%s", what, value);
    return err_hint(err, "see kmsctl --help");
}

static int read_ttl(struct kmsctl *ctl, struct err *err)
{
    int64_t ms;

    if (duration_parse(optarg, &ms) || ms % 1000 != 0)
        return usage_error(err, "-t: not a duration of whole seconds: ", optarg);
    ctl->ttl_s = ms / 1000;
    return 0;
}

static int read_limit(struct kmsctl *ctl, struct err *err)
{
    char *end;
    unsigned long long limit = strtoull(optarg, &end, 10);

    if (*optarg < '0' || *optarg > '9' || *end || limit == 0 || limit > KMSCTL_LIST_MAX)
        return usage_error(err, "--limit: not a number from 1 to 100000: ", optarg);
    ctl->limit = limit;
    return 0;
}

/* Reads an option of single verbs; *ret_takes says which. */
static int read_verb_option(int option, struct kmsctl *ctl, unsigned *ret_takes, struct err *err)
{
    switch (option) {
    case 't':
        *ret_takes |= TAKES_TTL;
        return read_ttl(ctl, err);
    case OPT_LIMIT:
        *ret_takes |= TAKES_LIMIT;
        return read_limit(ctl, err);
    case OPT_SECRET:
        *ret_takes |= TAKES_SECRET;
        ctl->secret = optarg;
        return 0;
    case OPT_STATE:
        *ret_takes |= TAKES_STATE;
        ctl->state = optarg;
        return 0;
    case OPT_ALL:
        *ret_takes |= TAKES_ALL;
        ctl->all = true;
        return 0;
    case OPT_KEEP:
        *ret_takes |= TAKES_KEEP;
        ctl->keep = true;
        return 0;
    case OPT_SHOW:
        *ret_takes |= TAKES_SHOW;
        ctl->show = true;
        return 0;
    case OPT_LEASE:
        *ret_takes |= TAKES_LEASE;
        ctl->lease = optarg;
        return 0;
    case OPT_SINCE:
        *ret_takes |= TAKES_SINCE;
        ctl->since = optarg;
        return 0;
    case OPT_REPORT:
        *ret_takes |= TAKES_REPORT;
        ctl->report = true;
        return 0;
    case OPT_FOR:
        *ret_takes |= TAKES_FOR;
        ctl->holder = optarg;
        return 0;
    case OPT_ROTATE_ROOT:
        *ret_takes |= TAKES_ROTATE_ROOT;
        ctl->rotate_root = true;
        return 0;
    case ':':
        return usage_error(err, "a value is missing after ", ctl->argv[optind - 1]);
    default:
        return usage_error(err, "unknown option ", ctl->argv[optind - 1]);
    }
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* getopt_long() has moved what is no option to the end, in its order: the verb and its arguments.
 */
static int find_arguments(struct kmsctl *ctl, unsigned taken, const struct verb **ret,
                          struct err *err)
{
    const struct verb *verb;

    ctl->argc -= optind + 1;
    ctl->argv += optind + 1;
    if (ctl->argc < 0)
        return usage_error(err, "no verb given", "");
    verb = find_verb(ctl->argv[-1]);
    if (!verb)
        return usage_error(err, "no such verb: ", ctl->argv[-1]);
    if (ctl->argc < verb->min_args || ctl->argc > verb->max_args || (taken & ~verb->takes)) {
        err_set(err, KMS_EUSAGE, "usage: kmsctl %s %s", verb->name, verb->usage);
        return err_hint(err, "see kmsctl --help");
    }
    *ret = verb;
    return 0;
}

/* *ret_verb stays NULL when --help or --version has been served. */
static int parse(struct kmsctl *ctl, const struct verb **ret_verb, struct err *err)
{
    unsigned taken = 0;
    int option, rc = 0;

    opterr = 0;
    while (rc == 0 &&
           (option = getopt_long(ctl->argc, ctl->argv, ":t:", long_options, NULL)) != -1) {
        if (option == OPT_JSON) {
            ctl->json = true;
        } else if (option == OPT_SOCKET) {
            ctl->socket = optarg;
        } else if (option == OPT_HELP) {
            print_help();
            return 0;
        } else if (option == OPT_VERSION) {
            puts("kmsctl " PACKAGE_VERSION);
            return 0;
        } else {
            rc = read_verb_option(option, ctl, &taken, err);
        }
    }
    return rc ? rc : find_arguments(ctl, taken, ret_verb, err);
}

static int exit_code(int rc)
{
    if (rc >= 0)
        return rc;
    return rc == KMS_EUSAGE ? EXIT_USAGE : rc == KMS_ECONNECT ? EXIT_UNREACHABLE : EXIT_REFUSED;
}

int main(int argc, char **argv)
{
    struct kmsctl ctl = {
        .call = &call, .ttl_s = -1, .limit = KMSCTL_LIST_MAX, .argc = argc, .argv = argv};
    const struct verb *verb = NULL;
    struct err err;

    call.fd = -1;
    err_clear(&err);
    signal(SIGPIPE,
           SIG_IGN); /* a reader that went away is an error: the lease must not outlive it */
    prctl(PR_SET_DUMPABLE, 0); /* answers may hold secrets: no core */
    int rc = parse(&ctl, &verb, &err);

    if (rc == 0 && verb) {
        ctl.hide = !ctl.show && isatty(STDOUT_FILENO);
        rc = verb->run(&ctl, &err);
    }
    call_close(&call);
    if (rc < 0)
        report_error(PROGRAM, &err);
    return exit_code(rc);
}
