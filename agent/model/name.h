/* SPDX-License-Identifier: Apache-2.0 */
/* Names made from templates. Pure. */
#ifndef KMS_AGENT_MODEL_NAME_H
#define KMS_AGENT_MODEL_NAME_H

#include "common/err.h"
#include "common/uuid7.h"
#include "model/recipe.h"

#include <stddef.h>

#define NAME_DEFAULT_USER_TEMPLATE "kms-{secret}-{lease}"
#define NAME_DEFAULT_SESSION_TEMPLATE "kms-{secret}-{uid}"

struct name_facts {
    const char *secret;
    struct uuid lease_id;
    uint32_t uid;
    int32_t pid;
};

/* Checks a template at load: known placeholders ({secret}, {lease}, {uid}, {pid}), characters IAM takes
 * ([A-Za-z0-9_+=,.@-]), {lease} present when lease_mandatory, a result of ≤ 64 with {secret} cut. KMS_ECONFIG. */
int name_template_check(const char *template_text, int lease_mandatory, struct err *err) KMS_MUST_CHECK;
/* Renders into ret (≤ 64 characters): {secret} is cut to fit, characters IAM refuses become "_". */
void name_render(const char *template_text, const struct name_facts *facts, char ret[IAM_USER_NAME_MAX + 1]);

#endif
