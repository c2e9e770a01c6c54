/* SPDX-License-Identifier: Apache-2.0 */
/* kms-exec: gets a lease and executes the command with it, in the same process. It holds nothing
 * but the answer of the agent, in static memory that is gone with the execve, and writes nothing on
 * success. */
#include "client/call.h"
#include "client/exec_command.h"
#include "client/exec_env.h"
#include "client/exec_options.h"
#include "client/formats.h"
#include "client/grant.h"
#include "client/report.h"
#include "common/timefmt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "kms-exec"
#define REVOKE_MS 5000
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* Twice the largest answer string: a session token once as it is and once escaped. */
static char text[4 * PROTO_ANSWER_STRING_MAX];
static struct call call;

static int fail(const struct err *err)
{
    call_close(&call);
    explicit_bzero(text, sizeof text);
    report_error(PROGRAM, err);
    return EXEC_EXIT_FAILED;
}

/* The names of a secret.list answer as "a, b, c"; *ret_only is set when there is one. */
static uint32_t list_names(struct mp_cursor result, char *ret, size_t size, struct slice *ret_only)
{
    struct mp_cursor secrets;
    struct slice name;
    uint32_t count = 0;
    size_t len = 0;

    ret[0] = '\0';
    if (grant_find(result, "secrets", &secrets) || mp_get_array(&secrets, &count))
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        struct mp_cursor secret = secrets;

        if (mp_skip(&secrets))
            break;
        if (grant_find_text(secret, "name", &name) || len + name.len + 3 > size)
            continue;
        if (len > 0) {
            memcpy(ret + len, ", ", 2);
            len += 2;
        }
        memcpy(ret + len, name.text, name.len);
        len += name.len;
        ret[len] = '\0';
        *ret_only = name;
    }
    return count;
}

/* Without a name from the command line or the environment: the only secret the peer may use. */
static int choose_secret(const struct exec_options *options, char *ret, size_t size,
                         struct err *err)
{
    const char *named = options->secret ? options->secret : getenv(KMS_SECRET_ENV);
    struct mp_cursor result;
    struct slice only = {0};
    char names[400];

    if (named && *named) {
        if (strlen(named) >= size)
            return err_set(err, KMS_EUSAGE, "the name of the secret is too long");
        memcpy(ret, named, strlen(named) + 1);
        return 0;
    }
    call_begin(&call, METHOD_SECRET_LIST);
    int rc = call_run(&call, CALL_ANSWER_MS, &result, err);

    if (rc)
        return rc;
    uint32_t count = list_names(result, names, sizeof names, &only);

    if (count == 1 && only.len > 0 && only.len < size) {
        memcpy(ret, only.text, only.len);
        ret[only.len] = '\0';
        return 0;
    }
    if (count == 0) {
        err_set(err, KMS_EDENIED, "there is no secret that uid %u may use", (unsigned)getuid());
        return err_hint(err, "an administrator adds it to \"allow\" of a secret");
    }
    err_set(err, KMS_EUSAGE, "several secrets may be used: %s", names);
    return err_hint(err, "choose one with -s or $" KMS_SECRET_ENV);
}

/* A printed IAM user's key belongs to no process that could end it, so that must be wished for. */
static int check_printable(const struct exec_options *options, const char *secret, struct err *err)
{
    struct mp_cursor result;
    struct slice type;

    if (options->format == FORMAT_NONE || options->keep)
        return 0;
    call_begin(&call, METHOD_SECRET_GET);
    call_put_text(&call, "secret", secret);
    int rc = call_run(&call, CALL_ANSWER_MS, &result, err);

    if (rc)
        return rc;
    if (!grant_find_text(result, "credential_type", &type) &&
        slice_is(&type, "temporary-credentials"))
        return 0;
    err_set(err, KMS_EUSAGE, "secret %s mints IAM users, and a printed key is bound to no process",
            secret);
    return err_hint(err, "add --keep to let it live until its TTL");
}

static int issue(const struct exec_options *options, const char *secret,
                 struct mp_cursor *ret_result, struct grant *ret, struct err *err)
{
    bool bind = options->print_env || (!options->keep && options->format == FORMAT_NONE);

    call_begin(&call, METHOD_LEASE_ISSUE);
    call_put_text(&call, "secret", secret);
    if (options->ttl_ms >= 0)
        call_put_uint(&call, "ttl_s", (uint64_t)options->ttl_ms / 1000);
    call_put_text(&call, "region", options->region);
    if (bind)
        call_put_bool(&call, "bind", true);
    int rc = call_run(&call, CALL_ANSWER_MS, ret_result, err);

    return rc ? rc : grant_read(*ret_result, ret, err);
}

/* A bound lease dies with this process and a shared one is not ours alone; any other would outlive
 * a command that never ran. Best effort: the lease has its TTL. */
static void give_up_lease(const struct grant *grant)
{
    struct mp_cursor result;
    struct err ignored;
    char lease_id[64];

    if (grant->bound || grant->shared || grant->lease_id.len >= sizeof lease_id)
        return;
    memcpy(lease_id, grant->lease_id.text, grant->lease_id.len);
    lease_id[grant->lease_id.len] = '\0';
    call_begin(&call, METHOD_LEASE_REVOKE);
    call_put_text(&call, "lease_id", lease_id);
    if (call_run(&call, REVOKE_MS, &result, &ignored))
        report_line(PROGRAM, "lease %s lives on: %s", lease_id, ignored.message);
}

/* What a shared session has left is less than what it was granted. */
static int64_t left_ms(const struct grant *grant)
{
    struct timespec now;
    int64_t end_ms, granted_ms = (int64_t)(grant->granted_ttl_s % (1u << 31)) * 1000;
    char end[TIME_TEXT_SIZE];

    if (!grant->shared || grant->expires_at.len >= sizeof end)
        return granted_ms;
    memcpy(end, grant->expires_at.text, grant->expires_at.len);
    end[grant->expires_at.len] = '\0';
    clock_gettime(CLOCK_REALTIME, &now);
    if (time_parse(end, &end_ms))
        return granted_ms;
    return end_ms - (now.tv_sec * 1000LL + now.tv_nsec / 1000000);
}

static int check_min_ttl(const struct exec_options *options, const struct grant *grant,
                         struct err *err)
{
    int64_t left = left_ms(grant);
    char have[32], want[32];

    if (left >= options->min_ttl_ms)
        return 0;
    duration_format(left > 0 ? left / 1000 * 1000 : 0, have, sizeof have);
    duration_format(options->min_ttl_ms, want, sizeof want);
    err_set(err, KMS_ETTL, "the lease lasts %s, --min-ttl asks for %s", have, want);
    return err_hint(err, "%.*s", (int)grant->clamp_reason.len,
                    grant->clamp_reason.text ? grant->clamp_reason.text : "");
}

static void tell(const struct grant *grant)
{
    char granted[32], requested[32];

    duration_format((int64_t)(grant->granted_ttl_s % (1u << 31)) * 1000, granted, sizeof granted);
    duration_format((int64_t)(grant->requested_ttl_s % (1u << 31)) * 1000, requested,
                    sizeof requested);
    report_line(
        PROGRAM, "lease %.*s of secret %.*s: %.*s, requested %s, granted %s, until %.*s%s%.*s%s",
        (int)grant->lease_id.len, grant->lease_id.text, (int)grant->secret.len, grant->secret.text,
        (int)grant->credential_type.len, grant->credential_type.text, requested, granted,
        (int)grant->expires_at.len, grant->expires_at.text, grant->clamp_reason.len ? " (" : "",
        (int)grant->clamp_reason.len, grant->clamp_reason.len ? grant->clamp_reason.text : "",
        grant->clamp_reason.len ? ")" : "");
}

static int print(const struct exec_options *options, const struct grant *grant,
                 struct mp_cursor result, struct err *err)
{
    struct text_out out = {.buf = text, .size = sizeof text};
    struct exec_env_plan plan;

    if (options->print_env) {
        exec_env_plan(grant, &plan);
        formats_print_env(&plan, environ, &out);
    } else {
        formats_write(options->format, grant, result, &out);
    }
    if (out.overflow)
        return err_set(err, KMS_ETOOBIG, "the output is too large");
    return report_output(out.buf, out.len, err);
}

/* Returns an exit code, on failure only. */
static int execute(const struct exec_options *options, const struct grant *grant, struct err *err)
{
    struct exec_env_plan plan;
    size_t size = exec_env_entries(environ) * sizeof(char *);
    char **entries = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (entries == MAP_FAILED) {
        err_set(err, KMS_ENOMEM, "out of memory");
        return EXEC_EXIT_FAILED;
    }
    exec_env_plan(grant, &plan);
    if (exec_env_build(&plan, environ, entries, text, sizeof text, err))
        return EXEC_EXIT_FAILED;
    int error = exec_command_run(options->command, entries, exec_env_get(entries, "PATH"));

    err_set(err, KMS_EUSAGE, "%s: %s", options->command[0], exec_command_reason(error));
    return exec_command_exit_code(error);
}

/* The lease is there: use it. */
static int use(const struct exec_options *options, const struct grant *grant,
               struct mp_cursor result, struct err *err)
{
    int code = EXEC_EXIT_FAILED;

    if (check_min_ttl(options, grant, err) == 0) {
        if (options->verbose)
            tell(grant);
        if (options->print_env || options->format != FORMAT_NONE)
            code = print(options, grant, result, err) ? EXEC_EXIT_FAILED : 0;
        else
            code = execute(options, grant, err);
    }
    if (code != 0)
        give_up_lease(grant);
    return code;
}

/* What needs no agent: 0 to go on, else an exit code with err filled. */
static int check_first(const struct exec_options *options, struct err *err)
{
    if (options->format != FORMAT_NONE && !options->show && isatty(STDOUT_FILENO)) {
        err_set(err, KMS_EUSAGE, "standard output is a terminal, the secret is not printed there");
        err_hint(err, "redirect it, or add --show");
        return EXEC_EXIT_FAILED;
    }
    if (!options->command || options->print_env)
        return 0;
    int error = exec_command_check(options->command[0], exec_env_get(environ, "PATH"));

    if (error == 0)
        return 0;
    err_set(err, KMS_EUSAGE, "%s: %s", options->command[0], exec_command_reason(error));
    return exec_command_exit_code(error);
}

static int run(const struct exec_options *options, struct err *err)
{
    struct mp_cursor result;
    struct grant grant;
    char secret[256];
    int code = check_first(options, err);

    if (code != 0)
        return code;
    if (call_open(&call, call_socket_path(options->socket), options->wait_ms, err) ||
        choose_secret(options, secret, sizeof secret, err) ||
        check_printable(options, secret, err) || issue(options, secret, &result, &grant, err))
        return EXEC_EXIT_FAILED;
    return use(options, &grant, result, err);
}

int main(int argc, char **argv)
{
    struct exec_options options;
    struct err err;

    call.fd = -1;
    err_clear(&err);
    /* No core, no ptrace by the same user while the secret is here; execve gives the command its
     * own. */
    prctl(PR_SET_DUMPABLE, 0);
    if (exec_options_parse(argc, argv, &options, &err))
        return fail(&err);
    if (options.help || options.version) {
        const char *output = options.help ? exec_options_help : "kms-exec " PACKAGE_VERSION "\n";

        return report_output(output, strlen(output), &err) ? fail(&err) : 0;
    }
    int code = run(&options, &err);

    if (code != 0)
        fail(&err);
    call_close(&call);
    explicit_bzero(text, sizeof text);
    return code;
}
