/* SPDX-License-Identifier: Apache-2.0 */
/* With whose credentials a lease is revoked: those it was made with, as frozen. An operator who
 * puts another key into the configuration and deletes the old one leaves nothing of these; then
 * with today's of the same secret, if they are of the account that the user was made in. */
#include "base/clock.h"
#include "lease/identity.h"
#include "lease/revoke_private.h"
#include "lease/today.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAUSE_SHOWN 200 /* characters of a cause: the record keeps 512 of the whole */
#define NAME_SIZE (RECIPE_REF_MAX + 64)

/* What a person calls the credentials of a recipe. */
static const char *source_name(const struct recipe *recipe, char text[NAME_SIZE])
{
    if (recipe->access_key_id[0] != '\0')
        snprintf(text, NAME_SIZE, "access_key_id \"%.100s\"", recipe->access_key_id);
    else if (recipe->role_arn[0] != '\0')
        snprintf(text, NAME_SIZE, "role %.100s", recipe->role_arn);
    else
        snprintf(text, NAME_SIZE, "the agent's own credentials");
    return text;
}

/* "credentials of account N", as far as it is known. */
static const char *wanted_name(const struct lease *lease, char text[64])
{
    if (lease->account_id[0] == '\0')
        snprintf(text, 64, "these credentials back");
    else
        snprintf(text, 64, "credentials of account %s", lease->account_id);
    return text;
}

/* The lease's error says what is gone and what to do: for `cause` alone one would have to know how
 * the lease was made. today: why today's credentials do not take its place. */
static int explain(struct revoke *revoke, const struct err *cause, const char *today)
{
    const struct lease *lease = &revoke->lease;
    char name[NAME_SIZE], wanted[64];
    struct err whole = *cause;

    snprintf(whole.message, sizeof whole.message,
             "user %s was made with %s, which does not work now: give secret \"%s\" %s and reload "
             "(%.*s; %s)",
             lease->user_name, source_name(&lease->recipe, name), lease->secret,
             wanted_name(lease, wanted), CAUSE_SHOWN, cause->message, today);
    revoke->err = whole;
    revoke->progress->explained = true;
    return whole.code;
}

/* Today's credentials of the same secret in *ret. KMS_ESOURCE: they cannot help; *ret_why says why,
 * unless what failed (instance metadata, a token file) says enough. */
static int find_today(struct revoke *revoke, struct recipe *ret, const char **ret_why)
{
    struct config *config = today_config(revoke->env->today);
    const struct secret_config *secret = config_secret(config, revoke->lease.secret);
    bool found = secret != NULL && recipe_stand_in(&revoke->lease.recipe, &secret->recipe, ret);

    if (secret == NULL)
        *ret_why = "it is not configured any more";
    else if (!found && revoke->lease.recipe.access_key_id[0] != '\0')
        *ret_why = "it has no others";
    config_unref(config);
    return found ? 0 : KMS_ESOURCE;
}

/* From now on with today's credentials; cause: how the frozen ones failed. Nothing that these
 * showed counts. */
static int begin_stand_in(struct revoke *revoke, const struct err *cause)
{
    struct revoke_progress *p = revoke->progress;
    const char *why = NULL;

    if (revoke->env->today == NULL)
        return cause->code;
    p->stand_in = malloc(sizeof *p->stand_in);
    if (p->stand_in == NULL)
        return err_set(&revoke->err, KMS_ENOMEM, "no memory for the management credentials");
    if (find_today(revoke, p->stand_in, &why) != 0) {
        free(p->stand_in);
        p->stand_in = NULL;
        if (why != NULL)
            return explain(revoke, cause, why);
        revoke->err = *cause;
        return cause->code;
    }
    p->frozen_err = *cause;
    p->verified = false;
    aws_access_done(&p->access);
    p->access = (struct aws_access){0};
    return 0;
}

/* Whether they are of the account that the user was made in. Where STS cannot be asked the calls go
 * on: GetUser shows whose the user is, and revoke.c does not believe an absence then. */
static int check_account(struct revoke *revoke)
{
    struct revoke_progress *p = revoke->progress;
    struct aws_credential *today = &p->access.credential;
    const char *made_in = revoke->lease.account_id;
    struct sts_identity identity;
    struct err ignored = {0};
    char text[96];

    if (today->account_id[0] == '\0' && made_in[0] != '\0' && !p->account_asked) {
        p->account_asked = true;
        if (identity_of(revoke->env, &p->access.target, &identity, &ignored) == 0)
            memcpy(today->account_id, identity.account_id, sizeof today->account_id);
    }
    if (made_in[0] == '\0' || today->account_id[0] == '\0' ||
        strcmp(today->account_id, made_in) == 0)
        return 0;
    snprintf(text, sizeof text, "today it has some of account %s", today->account_id);
    return explain(revoke, &p->frozen_err, text);
}

int revoke_open(struct revoke *revoke, struct lease_worker *worker)
{
    struct revoke_progress *p = revoke->progress;
    struct err refused;
    int rc = 0;

    if (p->stand_in == NULL && !p->access.open && revoke->env->today != NULL &&
        today_is_refused(revoke->env->today, &revoke->lease.recipe, &refused))
        rc = begin_stand_in(revoke, &refused);
    if (rc == 0)
        rc = aws_access_open(&p->access, revoke->env, worker,
                             p->stand_in != NULL ? p->stand_in : &revoke->lease.recipe, SOURCE_IAM,
                             &revoke->job, &revoke->err);
    if (rc == 0 && p->stand_in != NULL)
        rc = check_account(revoke);
    return rc;
}

/* Today's credentials were tried and failed as well. */
static int explain_both(struct revoke *revoke, int rc)
{
    const struct revoke_progress *p = revoke->progress;
    const struct err now = revoke->err;
    char name[NAME_SIZE], text[CAUSE_SHOWN + NAME_SIZE];

    if (rc == KMS_EAWSDENIED)
        return err_context(&revoke->err, "with %s of secret \"%s\", for want of what made it",
                           source_name(p->stand_in, name), revoke->lease.secret);
    snprintf(text, sizeof text, "nor does %s, which it has today: %.*s",
             source_name(p->stand_in, name), CAUSE_SHOWN / 2, now.message);
    return explain(revoke, &p->frozen_err, text);
}

int revoke_source_failed(struct revoke *revoke, int rc)
{
    struct revoke_progress *p = revoke->progress;
    const struct err cause = revoke->err;

    if (p->explained || (rc != KMS_ESOURCE && (p->stand_in == NULL || rc != KMS_EAWSDENIED)))
        return rc;
    if (p->stand_in != NULL)
        return explain_both(revoke, rc);
    rc = begin_stand_in(revoke, &cause);
    if (rc != 0)
        return rc;
    if (cause.aws_code[0] != '\0') /* what is not there at all costs nothing to look for */
        today_note_refused(revoke->env->today, &revoke->lease.recipe, &cause);
    revoke->job.wake_ms = clock_boot_ms();
    return KMS_EAGAIN;
}
