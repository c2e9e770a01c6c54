/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "service/access.h"
#include "service/cold.h"
#include "service/doctor.h"
#include "service/ops.h"

#include <stdlib.h>
#include <string.h>

#define OVERDUE_WARN_MS 120000
#define SKEW_WARN_MS 5000
#define HEAP_WARN_PERCENT 80

struct doctor {
    struct doctor_lines lines;
    struct doctor_secret secret; /* the one being asked about */
    size_t next;
    int64_t deadline_ms;
};

/* ---- what the service knows; loop ---- */

static void say_peer(struct doctor_lines *lines, const struct peer *peer, bool admin)
{
    if (!access_is_known(peer)) {
        doctor_say(lines, DOCTOR_FAIL, "peer", NULL,
                   "you are uid %u, which is nobody: the agent runs in a user namespace that does "
                   "not map your uid",
                   peer->uid);
        return;
    }
    doctor_say(lines, DOCTOR_OK, "peer", NULL, "the agent sees uid %u, gid %u%s%s%s%s", peer->uid,
               peer->gid, peer->pid == 0 ? ", no pid (another pid namespace)" : "",
               peer->unit[0] != '\0' ? ", unit " : "", peer->unit,
               admin ? "; you are an administrator" : "");
}

/* Without asking AWS: how the last check in the background went. */
static void say_last_check(struct doctor_lines *lines, const struct service *service,
                           const char *secret)
{
    for (size_t i = 0; i < service->identity_count; i++) {
        if (strcmp(service->identities[i].secret, secret) != 0)
            continue;
        if (service->identities[i].ok)
            doctor_say(lines, DOCTOR_OK, "identity", secret,
                       "the management credentials worked when last tried");
        else
            doctor_say(lines, DOCTOR_FAIL, "identity", secret,
                       "the management credentials did not work: ask an administrator");
    }
}

/* What the peer may use, and why; admin: the others are named as well. */
static void say_secrets(struct doctor_lines *lines, struct request *request, bool admin)
{
    const struct config *config = request->config;
    const char *only = request->params.secret;
    size_t allowed = 0;

    for (size_t i = 0; i < config->secret_count; i++) {
        const struct secret_config *secret = &config->secrets[i];
        const struct rule *rule = access_match(secret, request->peer);

        allowed += rule != NULL;
        if (only[0] != '\0' && strcmp(only, secret->name) != 0)
            continue;
        if (rule != NULL)
            doctor_say(lines, DOCTOR_OK, "access", secret->name, "you may use it, by the rule %s",
                       rule->text);
        else if (admin)
            doctor_say(lines, DOCTOR_INFO, "access", secret->name,
                       "no rule of its allow list is about you");
        if (rule != NULL && !admin)
            say_last_check(lines, request->service, secret->name);
    }
    if (allowed == 0)
        doctor_say(lines, DOCTOR_WARN, "access", NULL,
                   "there is no secret that you may use: an administrator has to name you in its "
                   "allow list");
}

static void say_store(struct doctor_lines *lines, const struct service *service)
{
    struct store *store = service->options.env->store;
    struct store_stats stats = {0};
    struct err err = {0};

    if (store_stats(store, &stats, &err) != 0) {
        doctor_say(lines, DOCTOR_FAIL, "store", NULL, "%s", err.message);
        return;
    }
    doctor_say(lines, stats.issuing_allowed ? DOCTOR_OK : DOCTOR_FAIL, "store", NULL,
               "%llu MiB free%s", (unsigned long long)(stats.free_bytes >> 20),
               stats.issuing_allowed ? "" : ": too little, nothing is issued");
    if (store_is_volatile(store))
        doctor_say(lines, DOCTOR_WARN, "store", NULL,
                   "the lease store is lost at a reboot, and with it what must be revoked");
    if (stats.stuck > 0)
        doctor_say(lines, DOCTOR_FAIL, "leases", NULL,
                   "%llu cannot be revoked until somebody acts: see `kmsctl leases`",
                   (unsigned long long)stats.stuck);
    else
        doctor_say(lines, DOCTOR_OK, "leases", NULL, "%llu live, none stuck",
                   (unsigned long long)stats.live);
}

static void say_overdue(struct doctor_lines *lines, const struct service *service)
{
    struct schedule_stats stats = {0};

    schedule_stats(service->options.schedule, &stats);
    if (stats.oldest_overdue_ms > OVERDUE_WARN_MS)
        doctor_say(lines, DOCTOR_WARN, "leases", NULL, "revocations are %lld s late",
                   (long long)(stats.oldest_overdue_ms / 1000));
}

static void say_clock(struct doctor_lines *lines)
{
    int64_t offset, size;

    if (!clock_offset(&offset)) {
        doctor_say(lines, DOCTOR_INFO, "clock", NULL, "AWS has not told the time yet");
        return;
    }
    size = offset < 0 ? -offset : offset;
    doctor_say(lines,
               size > CLOCK_MINT_SKEW_MAX_MS ? DOCTOR_FAIL
               : size > SKEW_WARN_MS         ? DOCTOR_WARN
                                             : DOCTOR_OK,
               "clock", NULL, "%lld.%03lld s %s AWS%s", (long long)(size / 1000),
               (long long)(size % 1000), offset > 0 ? "behind" : "ahead of",
               size > CLOCK_MINT_SKEW_MAX_MS ? ": nothing is minted" : "");
}

/* ---- for admins ---- */

static void say_heap(struct doctor_lines *lines)
{
    size_t size, used = secret_heap_used(&size);

    doctor_say(lines, used > size / 100 * HEAP_WARN_PERCENT ? DOCTOR_WARN : DOCTOR_OK, "memory",
               NULL, "%zu of %zu KiB of locked memory for secrets in use", used / 1024,
               size / 1024);
}

static void say_credentials(struct doctor_lines *lines, const struct config *config)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    size_t count = 0;

    for (size_t i = 0; i < config->secret_count; i++) {
        const struct recipe *recipe = &config->secrets[i].recipe;

        count += strncmp(recipe->access_key_id, "credential:", 11) == 0;
        count += strncmp(recipe->secret_access_key, "credential:", 11) == 0;
    }
    if (count == 0)
        doctor_say(lines, DOCTOR_INFO, "credentials", NULL, "no systemd credentials are used");
    else if (directory == NULL)
        doctor_say(lines, DOCTOR_FAIL, "credentials", NULL,
                   "%zu settings name systemd credentials, and the agent has none: see "
                   "LoadCredential= in its unit",
                   count);
    else
        doctor_say(lines, DOCTOR_OK, "credentials", NULL, "%zu settings from %s", count, directory);
}

static void say_warnings(struct doctor_lines *lines, const struct config *config)
{
    for (size_t i = 0; i < config->warnings.count; i++)
        doctor_say(lines, DOCTOR_WARN, "configuration", NULL, "%s", config->warnings.items[i]);
    if (config->warnings.count == 0)
        doctor_say(lines, DOCTOR_OK, "configuration", NULL, "%zu secrets, no warnings",
                   config->secret_count);
}

/* ---- at AWS; worker ---- */

static void say_time_is_up(struct doctor *doctor, const struct cold *cold)
{
    for (; doctor->next < cold->secret_count; doctor->next++)
        doctor_say(&doctor->lines, DOCTOR_INFO, "doctor", cold->secrets[doctor->next]->name,
                   "not all was asked, the time is up: `kmsctl doctor %s`",
                   cold->secrets[doctor->next]->name);
}

static int ask_aws(struct cold *cold, struct doctor *doctor)
{
    while (doctor->next < cold->secret_count && !cold_is_over(cold)) {
        int rc;

        if (clock_boot_ms() >= doctor->deadline_ms)
            break;
        doctor->secret.lines = &doctor->lines;
        doctor->secret.env = cold->env;
        doctor->secret.secret = cold->secrets[doctor->next];
        rc = doctor_secret_run(&doctor->secret, cold->worker, &cold->job);
        if (rc == KMS_EAGAIN && cold->job.wake_ms < doctor->deadline_ms)
            return rc;
        if (rc == KMS_EAGAIN)
            break;
        doctor_secret_done(&doctor->secret);
        doctor->secret = (struct doctor_secret){0};
        doctor->next++;
    }
    say_time_is_up(doctor, cold);
    return 0;
}

static int work(struct cold *cold)
{
    struct doctor *doctor = cold->arg;
    int rc;

    http_client_limit(cold->worker->http, doctor->deadline_ms);
    rc = ask_aws(cold, doctor);
    http_client_limit(cold->worker->http, 0);
    if (rc != 0)
        return rc;
    doctor_leases(&doctor->lines, cold);
    say_clock(&doctor->lines);
    doctor_put(&cold->writer, &doctor->lines);
    return 0;
}

static void doctor_free(void *arg)
{
    struct doctor *doctor = arg;

    if (doctor == NULL)
        return;
    doctor_secret_done(&doctor->secret);
    doctor_lines_done(&doctor->lines);
    free(doctor);
}

static int choose_secrets(struct cold *cold, const struct request *request)
{
    const struct config *config = request->config;
    const char *only = request->params.secret;

    cold->secrets = calloc(config->secret_count + 1, sizeof(struct secret_config *));
    for (size_t i = 0; i < config->secret_count && cold->secrets != NULL; i++)
        if (only[0] == '\0' || strcmp(only, config->secrets[i].name) == 0)
            cold->secrets[cold->secret_count++] = &config->secrets[i];
    return cold->secrets != NULL ? 0 : KMS_ENOMEM;
}

/* Only admins make the agent ask AWS. */
static void ask_as_admin(struct request *request, struct doctor *doctor)
{
    struct cold *cold;

    say_heap(&doctor->lines);
    say_credentials(&doctor->lines, request->config);
    say_warnings(&doctor->lines, request->config);
    cold = cold_new(request, work, true);
    if (cold == NULL) {
        doctor_free(doctor);
        return;
    }
    cold->arg = doctor;
    cold->arg_free = doctor_free;
    if (choose_secrets(cold, request) != 0)
        cold_fail(cold, KMS_ENOMEM);
    else
        cold_start(cold);
}

static void answer(struct request *request, struct doctor *doctor)
{
    struct wire_writer writer = {0};

    say_clock(&doctor->lines);
    wire_begin_result(&writer, request->msgid);
    doctor_put(&writer, &doctor->lines);
    doctor_free(doctor);
    request_answer(request, &writer, NULL, NULL);
}

void op_agent_doctor(struct request *request)
{
    bool known = access_is_known(request->peer);
    bool admin = known && access_is_admin(request->config, request->peer);
    struct doctor *doctor;
    struct err err = {0};

    if (request->params.secret[0] != '\0' &&
        access_visible_secret(request, request->params.secret) == NULL)
        return;
    doctor = calloc(1, sizeof(*doctor));
    if (doctor == NULL) {
        err_set(&err, KMS_ENOMEM, "out of memory");
        request_fail(request, KMS_ENOMEM, &err);
        return;
    }
    doctor->deadline_ms = clock_boot_ms() + DOCTOR_TIME_MS;
    say_peer(&doctor->lines, request->peer, admin);
    if (known)
        say_secrets(&doctor->lines, request, admin);
    say_store(&doctor->lines, request->service);
    say_overdue(&doctor->lines, request->service);
    if (admin)
        ask_as_admin(request, doctor);
    else
        answer(request, doctor);
}
