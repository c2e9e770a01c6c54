/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "config/config.h"

#include <getopt.h>

const char options_help[] =
    "usage: kms-agentd [OPTION]…\n"
    "  --config FILE           configuration (default " CONFIG_DEFAULT_FILE ")\n"
    "  --socket PATH           listen here instead of the configured socket\n"
    "  --state-directory DIR   lease store, instead of the configured directory\n"
    "  --check [FILE…]         check configuration files and exit: 0 good, 1 with findings\n"
    "  --print-config          print every option, its default and meaning, or with --config FILE "
    "the\n"
    "                          effective configuration, and exit\n"
    "  --debug                 log debugging lines\n"
    "  --version  --help\n"
    "Signals: SIGHUP reads the configuration again, SIGTERM stops. See kms-agentd(8).\n";

enum { OPT_CONFIG = 256, OPT_SOCKET, OPT_STATE, OPT_CHECK, OPT_PRINT, OPT_DEBUG, OPT_VERSION };

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"state-directory", required_argument, NULL, OPT_STATE},
    {"check", no_argument, NULL, OPT_CHECK},
    {"print-config", no_argument, NULL, OPT_PRINT},
    {"debug", no_argument, NULL, OPT_DEBUG},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int take_option(int option, struct options *options)
{
    switch (option) {
    case OPT_CONFIG:
        options->config_file = optarg;
        return 0;
    case OPT_SOCKET:
        options->socket = optarg;
        return 0;
    case OPT_STATE:
        options->state_directory = optarg;
        return 0;
    case OPT_CHECK:
        options->check = true;
        return 0;
    case OPT_PRINT:
        options->print_config = true;
        return 0;
    case OPT_DEBUG:
        options->debug = true;
        return 0;
    case OPT_VERSION:
        options->version = true;
        return 0;
    case 'h':
        options->help = true;
        return 0;
    default:
        return -1;
    }
}

int options_parse(int argc, char **argv, struct options *ret, struct err *err)
{
    struct options options = {0};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (take_option(option, &options) == 0)
            continue;
        err_set(err, KMS_EUSAGE, "unknown or incomplete option \"%s\"", argv[optind - 1]);
        return err_hint(err, "kms-agentd --help lists the options");
    }
    if (optind < argc && !options.check)
        return err_set(err, KMS_EUSAGE, "unexpected argument \"%s\"", argv[optind]);
    options.check_files = (const char *const *)&argv[optind];
    options.check_file_count = (size_t)(argc - optind);
    *ret = options;
    return 0;
}
