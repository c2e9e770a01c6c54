/* SPDX-License-Identifier: Apache-2.0 */
#include "client/exec_options.h"

#include "common/proto.h"
#include "common/timefmt.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

#define DURATION_MAX_MS (10LL * 365 * 86400 * 1000) /* nobody means more */

const char exec_options_help[] =
    "Usage: kms-exec [OPTION…] [--] COMMAND [ARG…]\n"
    "       kms-exec [OPTION…] --format credential-process|json|env|dotenv\n"
    "       kms-exec [OPTION…] --print-env [-- COMMAND…]\n"
    "\n"
    "Gets a lease on a secret from kms-agent, puts the credential into the environment\n"
    "and executes COMMAND in this process. The lease ends when COMMAND ends.\n"
    "\n"
    "  -s, --secret NAME   secret to lease; else $KMS_SECRET, else the only one there is\n"
    "  -t, --ttl TIME      how long the lease is to last: 90s, 15m, 1h30m, 2d\n"
    "      --region NAME   AWS region to set instead of the secret's\n"
    "      --keep          let the lease live until its TTL, whoever exits\n"
    "      --min-ttl TIME  fail unless the lease lasts at least this long\n"
    "      --wait TIME     try this long to reach an agent that is not up yet\n"
    "      --format F      print the credential instead of executing; a secret that mints\n"
    "                      IAM users needs --keep, a terminal needs --show\n"
    "      --print-env     print what would be set and unset, secrets masked; executes nothing\n"
    "      --show          let --format print secrets on a terminal\n"
    "      --socket PATH   socket of the agent; else $" KMS_SOCKET_ENV ", else\n"
    "                      " KMS_DEFAULT_SOCKET "\n"
    "  -v, --verbose       one line on stderr about the lease\n"
    "      --help          this text\n"
    "      --version       the version\n"
    "\n"
    "Exit status: that of COMMAND, or 125 when kms-exec failed, 126 when COMMAND cannot be\n"
    "executed, 127 when it was not found.\n";

enum {
    OPT_REGION = 256,
    OPT_KEEP,
    OPT_MIN_TTL,
    OPT_WAIT,
    OPT_FORMAT,
    OPT_PRINT_ENV,
    OPT_SHOW,
    OPT_SOCKET,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"secret", required_argument, NULL, 's'},
    {"ttl", required_argument, NULL, 't'},
    {"region", required_argument, NULL, OPT_REGION},
    {"keep", no_argument, NULL, OPT_KEEP},
    {"min-ttl", required_argument, NULL, OPT_MIN_TTL},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"print-env", no_argument, NULL, OPT_PRINT_ENV},
    {"show", no_argument, NULL, OPT_SHOW},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static int usage(struct err *err, const char *what, const char *value)
{
    err_set(err, KMS_EUSAGE, "%s%s", what, value);
    return err_hint(err, "see kms-exec --help");
}

static int read_duration(const char *option, int64_t *ret_ms, struct err *err)
{
    int64_t ms;

    if (duration_parse(optarg, &ms) || ms > DURATION_MAX_MS) {
        err_set(err, KMS_EUSAGE, "%s: not a duration: %s", option, optarg);
        return err_hint(err, "90s, 15m, 1h30m, 2d");
    }
    *ret_ms = ms;
    return 0;
}

static int read_ttl(int64_t *ret_ms, struct err *err)
{
    int64_t ms;
    int rc = read_duration("-t", &ms, err);

    if (rc)
        return rc;
    if (ms % 1000 != 0)
        return usage(err, "-t takes whole seconds: ", optarg);
    *ret_ms = ms;
    return 0;
}

static int read_option(int option, char **argv, struct exec_options *options, struct err *err)
{
    switch (option) {
    case 's':
        options->secret = optarg;
        return 0;
    case 't':
        return read_ttl(&options->ttl_ms, err);
    case 'v':
        options->verbose = true;
        return 0;
    case OPT_REGION:
        options->region = optarg;
        return 0;
    case OPT_KEEP:
        options->keep = true;
        return 0;
    case OPT_MIN_TTL:
        return read_duration("--min-ttl", &options->min_ttl_ms, err);
    case OPT_WAIT:
        return read_duration("--wait", &options->wait_ms, err);
    case OPT_FORMAT:
        options->format = format_find(optarg);
        return options->format != FORMAT_NONE ? 0 : usage(err, "no such format: ", optarg);
    case OPT_PRINT_ENV:
        options->print_env = true;
        return 0;
    case OPT_SHOW:
        options->show = true;
        return 0;
    case OPT_SOCKET:
        options->socket = optarg;
        return 0;
    case OPT_HELP:
        options->help = true;
        return 0;
    case OPT_VERSION:
        options->version = true;
        return 0;
    case ':':
        return usage(err, "a value is missing after ", argv[optind - 1]);
    default:
        /* getopt has moved on from "--long", but not from the rest of "-xyz". */
        if (optopt > 0 && optopt < 128) {
            const char letter[] = {'-', (char)optopt, '\0'};

            return usage(err, "unknown option ", letter);
        }
        return usage(err, optopt ? "no value is taken by " : "unknown option ", argv[optind - 1]);
    }
}

static int check(const struct exec_options *options, struct err *err)
{
    if (options->help || options->version)
        return 0;
    if (options->format != FORMAT_NONE && options->print_env)
        return usage(err, "--format and --print-env exclude each other", "");
    if (options->format != FORMAT_NONE && options->command)
        return usage(err, "--format takes no command: ", options->command[0]);
    if (options->format == FORMAT_NONE && !options->print_env && !options->command)
        return usage(err, "no command given", "");
    if (options->command && !*options->command[0])
        return usage(err, "the command is empty", "");
    if (options->secret && !*options->secret)
        return usage(err, "-s: the name is empty", "");
    if (options->ttl_ms >= 0 && options->ttl_ms < options->min_ttl_ms)
        return usage(err, "-t is less than --min-ttl", "");
    return 0;
}

int exec_options_parse(int argc, char **argv, struct exec_options *ret, struct err *err)
{
    struct exec_options options = {.ttl_ms = -1};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:s:t:v", long_options, NULL)) != -1) {
        int rc = read_option(option, argv, &options, err);

        if (rc)
            return rc;
    }
    if (optind < argc)
        options.command = argv + optind;
    int rc = check(&options, err);

    if (rc == 0)
        *ret = options;
    return rc;
}
