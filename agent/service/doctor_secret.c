/* SPDX-License-Identifier: Apache-2.0 */
/* One secret at AWS: who its credentials are, what they may do, how long its sessions may be. */
#include "aws/iam_doctor.h"
#include "aws/sts.h"
#include "common/timefmt.h"
#include "lease/root_keys.h"
#include "model/partition.h"
#include "model/ttl.h"
#include "service/doctor.h"

#include <string.h>

static void say_error(struct doctor_secret *doctor, enum doctor_level level, const char *what,
                      const char *before, const struct err *err)
{
    doctor_say(doctor->lines, level, what, doctor->secret->name, "%s%s%s%s%s", before, err->message,
               err->hint[0] != '\0' ? " (" : "", err->hint, err->hint[0] != '\0' ? ")" : "");
}

/* ---- who ---- */

/* Fetching the credential assumes the role, or shows the token to AWS: that it works is half the
 * answer. */
static int check_identity(struct doctor_secret *doctor, struct lease_worker *worker,
                          struct job *job)
{
    struct sts_identity identity;
    struct aws_result result;
    struct err err = {0};
    int rc;

    doctor->recipe = doctor->secret->recipe;
    doctor->recipe.type = CREDENTIAL_IAM_USER;
    rc = aws_access_open(&doctor->manager, doctor->env, worker, &doctor->recipe, SOURCE_IAM, job,
                         &err);
    if (rc == 0)
        rc = sts_get_caller_identity(&doctor->manager.target, &identity, &result, &err);
    if (rc != 0) {
        doctor->over = true;
        say_error(doctor, DOCTOR_FAIL, "identity",
                  "the management credentials do not work: ", &err);
        return 0;
    }
    doctor_say(doctor->lines, DOCTOR_OK, "identity", doctor->secret->name, "%s", identity.arn);
    secret_facts_gather(doctor->env, worker, doctor->secret, &doctor->known, &err);
    if (strstr(identity.arn, ":root") != NULL)
        doctor_say(doctor->lines, DOCTOR_WARN, "identity", doctor->secret->name,
                   "this is the root user of the account: make a user that has what `kmsctl "
                   "policy` prints, and no more");
    return 0;
}

/* ---- permissions ---- */

static const struct doctor_part needed = {LEAST_MANAGE, "permission", DOCTOR_FAIL, "", ""},
                                optional = {LEAST_OPTIONAL, "optional", DOCTOR_INFO, "", " --all"},
                                of_base = {LEAST_BASE, "permission", DOCTOR_FAIL, "", ""},
                                rotation = {LEAST_ROTATE, "rotate-root", DOCTOR_INFO,
                                            ": `kmsctl rotate-root` needs it", " --rotate-root"};

static void cannot_tell(struct doctor_secret *doctor, const struct doctor_part *part,
                        const char *why)
{
    doctor_say(doctor->lines, DOCTOR_INFO, part->what, doctor->secret->name,
               "it cannot be told beforehand (%s); `kmsctl policy %s%s` prints what is needed", why,
               doctor->secret->name, part->policy_options);
}

/* A simulation ended: by an error, or with everything asked. */
static void say_permissions(struct doctor_secret *doctor, const struct doctor_part *part, int rc,
                            const struct err *err)
{
    if (rc == KMS_EAWSDENIED)
        cannot_tell(doctor, part, "iam:SimulatePrincipalPolicy is not allowed");
    else if (rc < 0)
        say_error(doctor, DOCTOR_WARN, part->what, "it cannot be told: ", err);
    else if (doctor->denied == 0)
        doctor_say(doctor->lines, DOCTOR_OK, part->what, doctor->secret->name,
                   "all %zu are there, IAM's simulation says", doctor->allowed);
}

/* Answers KMS_EAGAIN after a call that went well: there is more to ask, and it takes its turn.
 * KMS_EREFUSED: it cannot be told, which was said. */
static int check_part(struct doctor_secret *doctor, const struct doctor_part *part,
                      struct aws_access *access, const char *principal)
{
    struct err err = {0};
    int rc;

    if (principal[0] == '\0' || doctor->known.account[0] == '\0' || doctor->known.role_guessed) {
        cannot_tell(doctor, part, "whose policies to ask about is not known");
        return KMS_EREFUSED;
    }
    rc = doctor_simulate(doctor, part, access, principal, &err);
    if (rc == 0)
        return KMS_EAGAIN;
    say_permissions(doctor, part, rc, &err);
    return rc < 0 ? KMS_EREFUSED : 0;
}

static int check_needed(struct doctor_secret *doctor, struct lease_worker *worker, struct job *job)
{
    int rc;

    (void)worker;
    (void)job;
    if (doctor->secret->recipe.type != CREDENTIAL_IAM_USER)
        return 0;
    rc = check_part(doctor, &needed, &doctor->manager, doctor->known.manager_arn);
    if (rc == KMS_EREFUSED)
        doctor->step++; /* the optional ones cannot be told either */
    return rc;
}

static int check_optional(struct doctor_secret *doctor, struct lease_worker *worker,
                          struct job *job)
{
    (void)worker;
    (void)job;
    if (doctor->secret->recipe.type != CREDENTIAL_IAM_USER)
        return 0;
    return check_part(doctor, &optional, &doctor->manager, doctor->known.manager_arn);
}

static bool has_base(const struct doctor_secret *doctor)
{
    return doctor->secret->recipe.method == SECRET_ASSUME_ROLE;
}

static int open_base(struct doctor_secret *doctor, struct lease_worker *worker, struct job *job,
                     struct err *err)
{
    return aws_access_open(&doctor->base, doctor->env, worker, &doctor->recipe, SOURCE_BASE, job,
                           err);
}

/* The role was assumed above, so only what a session is tagged with is left to ask. */
static int check_session_tags(struct doctor_secret *doctor, struct lease_worker *worker,
                              struct job *job)
{
    struct err err = {0};

    if (!has_base(doctor) || doctor->secret->recipe.type != CREDENTIAL_SESSION ||
        doctor->secret->session_tag_count == 0 || open_base(doctor, worker, job, &err) != 0)
        return 0;
    return check_part(doctor, &of_base, &doctor->base, doctor->known.base_arn);
}

/* What only rotate-root needs: a note, whatever comes out. */
static int check_rotation(struct doctor_secret *doctor, struct lease_worker *worker,
                          struct job *job)
{
    const struct least_facts *facts = &doctor->known.facts;
    struct aws_access *access = has_base(doctor) ? &doctor->base : &doctor->manager;
    struct least_need needs[LEAST_NEEDS_MAX];
    struct err err = {0};

    if (least_needs(facts, LEAST_ROTATE, needs) == 0)
        return 0;
    if (root_key_check_seal(doctor->env, &err) != 0) {
        say_error(doctor, DOCTOR_INFO, rotation.what,
                  "`kmsctl rotate-root` is not possible: ", &err);
        return 0;
    }
    if (has_base(doctor) && open_base(doctor, worker, job, &err) != 0)
        return 0;
    return check_part(doctor, &rotation, access, least_key_owner(facts));
}

/* ---- how long ---- */

/* Name of the role at the end of its ARN. */
static const char *role_name(const struct doctor_secret *doctor)
{
    const char *name = strrchr(doctor->known.role_arn, '/');

    return name != NULL ? name + 1 : "";
}

/* GetRole takes a name, not an ARN. The path of a guessed role is not known. */
static bool is_the_role(const struct doctor_secret *doctor, const struct iam_role *role)
{
    char have[AWS_ACCOUNT_MAX + 1], want[AWS_ACCOUNT_MAX + 1];

    if (!doctor->known.role_guessed)
        return strcmp(role->arn, doctor->known.role_arn) == 0;
    return arn_account(role->arn, have) == 0 && arn_account(doctor->known.role_arn, want) == 0 &&
           strcmp(have, want) == 0;
}

/* Another account's roles cannot be asked about, and its own may have the same name. */
static void say_foreign(struct doctor_secret *doctor)
{
    doctor_say(doctor->lines, DOCTOR_INFO, "ttl", doctor->secret->name,
               "the role's MaxSessionDuration cannot be told: the role is in another account than "
               "the base credentials, and iam:GetRole sees its own account only");
}

static void say_foreign_name(struct doctor_secret *doctor, const struct iam_role *role)
{
    doctor_say(doctor->lines, DOCTOR_INFO, "ttl", doctor->secret->name,
               "the role's MaxSessionDuration cannot be told: iam:GetRole answers with another "
               "role of the same name, %s",
               role->arn);
}

static void judge_duration(struct doctor_secret *doctor, int64_t sts_s, int64_t role_s)
{
    char want[32], have[32];

    duration_format(sts_s * 1000, want, sizeof(want));
    duration_format(role_s * 1000, have, sizeof(have));
    if (sts_s > role_s)
        doctor_say(doctor->lines, DOCTOR_WARN, "ttl", doctor->secret->name,
                   "sessions of up to %s may be asked for, and the role's MaxSessionDuration is "
                   "%s: longer ones become 1h",
                   want, have);
    else
        doctor_say(doctor->lines, DOCTOR_OK, "ttl", doctor->secret->name,
                   "sessions last up to %s, the role's MaxSessionDuration is %s", want, have);
}

/* What the longest request would get. */
static int longest_grant(struct doctor_secret *doctor, struct ttl_grant *ret)
{
    const struct secret_config *secret = doctor->secret;
    struct ttl_request request = {
        .recipe = &secret->recipe,
        .requested_s = secret->recipe.max_ttl_s,
        .max_session_s = secret->max_session_duration_s,
        .caller_is_session = strstr(doctor->known.base_arn, ":role/") != NULL,
        .allow_longer = secret->allow_longer,
    };
    struct err err = {0};

    if (ttl_grant(&request, ret, &err) != 0) {
        say_error(doctor, DOCTOR_WARN, "ttl", "", &err);
        return -1;
    }
    if (ret->reason[0] != '\0')
        doctor_say(doctor->lines, DOCTOR_INFO, "ttl", secret->name,
                   "the longest lease is clamped: %s", ret->reason);
    return 0;
}

static int check_ttl(struct doctor_secret *doctor, struct lease_worker *worker, struct job *job)
{
    struct aws_access *access = has_base(doctor) ? &doctor->base : &doctor->manager;
    struct ttl_grant grant;
    struct aws_result result;
    struct iam_role role;
    struct err err = {0};
    int rc;

    if (doctor->secret->recipe.type != CREDENTIAL_SESSION || longest_grant(doctor, &grant) != 0 ||
        doctor->secret->recipe.method == SECRET_ACCESS_KEY)
        return 0;
    if (has_base(doctor) && least_role_is_foreign(&doctor->known.facts)) {
        say_foreign(doctor);
        return 0;
    }
    rc = has_base(doctor) ? open_base(doctor, worker, job, &err) : 0;
    if (rc == 0)
        rc = iam_get_role(&access->target, role_name(doctor), &role, &result, &err);
    if (rc == 0 && !is_the_role(doctor, &role))
        say_foreign_name(doctor, &role);
    else if (rc == 0)
        judge_duration(doctor, grant.sts_s, role.max_session_s);
    else if (rc == KMS_EAWSDENIED)
        doctor_say(doctor->lines, DOCTOR_INFO, "ttl", doctor->secret->name,
                   "the role's MaxSessionDuration cannot be told: iam:GetRole is not allowed");
    else
        say_error(doctor, DOCTOR_WARN, "ttl",
                  "the role's MaxSessionDuration cannot be told: ", &err);
    return 0;
}

/* ---- in turn ---- */

/* Each answers 0 when it has said all, or KMS_EAGAIN to be called once more; one call at AWS each
 * time, for which the budget was asked. */
static int (*const checks[])(struct doctor_secret *doctor, struct lease_worker *worker,
                             struct job *job) = {
    check_identity, check_needed, check_optional, check_session_tags, check_rotation, check_ttl,
};
#define CHECKS (sizeof(checks) / sizeof(checks[0]))

static void next_check(struct doctor_secret *doctor)
{
    doctor->step++;
    doctor->need = doctor->item = doctor->allowed = doctor->denied = 0;
}

int doctor_secret_run(struct doctor_secret *doctor, struct lease_worker *worker, struct job *job)
{
    while (doctor->step < CHECKS && !doctor->over) {
        struct aws_access *manager = &doctor->manager;
        int rc = 0;

        if (doctor->step > 0) {
            /* Another worker may have taken over: the calls go out by its client. */
            manager->target.http = doctor->base.target.http = worker->http;
            rc = aws_access_take(manager, doctor->env, AWS_IAM, BUDGET_MINT, job);
        }
        if (rc != 0)
            return rc;
        if (checks[doctor->step](doctor, worker, job) != KMS_EAGAIN)
            next_check(doctor);
        if (atomic_load(&job->canceled))
            return 0;
    }
    return 0;
}

void doctor_secret_done(struct doctor_secret *doctor)
{
    aws_access_done(&doctor->manager);
    aws_access_done(&doctor->base);
}
