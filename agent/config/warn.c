/* SPDX-License-Identifier: Apache-2.0 */
#include "config/warn.h"

#include "config/region.h"
#include "config/value_format.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MANAGED_POLICIES_DEFAULT 10 /* AWS's quota unless it was raised */

static int warn(struct config *config, const char *format, ...) KMS_PRINTF(2, 3);

static int warn(struct config *config, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return string_list_add(&config->warnings, text);
}

static bool sessions_of_own_key(const struct secret_config *secret)
{
    return secret->recipe.method == SECRET_ACCESS_KEY && secret->recipe.type == CREDENTIAL_SESSION;
}

/* Another secret that mints with the same key. */
static const struct secret_config *same_key(const struct config *config,
                                            const struct secret_config *secret)
{
    for (size_t i = 0; i < config->secret_count; i++) {
        const struct secret_config *other = &config->secrets[i];

        if (!sessions_of_own_key(other) &&
            strcmp(other->recipe.access_key_id, secret->recipe.access_key_id) == 0)
            return other;
    }
    return NULL;
}

/* It may be one that AWS has added since. */
static int region_warn(struct config *config, const struct secret_config *secret)
{
    const char *region = secret->recipe.region, *guess = region_suggest(region);

    if (region_is_known(region))
        return 0;
    return warn(config, "secret \"%s\": region \"%s\" is not known to this version%s%s%s",
                secret->name, region, guess != NULL ? " (did you mean \"" : "",
                guess != NULL ? guess : "", guess != NULL ? "\"?)" : "");
}

static int secret_warn(struct config *config, const struct secret_config *secret)
{
    const struct secret_config *other =
        sessions_of_own_key(secret) ? same_key(config, secret) : NULL;
    int rc = 0;

    if (other != NULL)
        rc = warn(config,
                  "secret \"%s\": its temporary credentials inherit the reach of its key, which "
                  "also manages secret "
                  "\"%s\"",
                  secret->name, other->name);
    if (rc == 0 && secret->allow.count == 0)
        rc = warn(config, "secret \"%s\": allow is empty, nobody may have it", secret->name);
    if (rc == 0 && secret->policy_arns.count > MANAGED_POLICIES_DEFAULT)
        rc = warn(config,
                  "secret \"%s\": %zu policy_arns: AWS's quota is %d managed policies for a user, "
                  "unless it was raised on request (up to 20)",
                  secret->name, secret->policy_arns.count, MANAGED_POLICIES_DEFAULT);
    return rc == 0 ? region_warn(config, secret) : rc;
}

int warn_collect(struct config *config)
{
    for (size_t i = 0; i < config->secret_count; i++) {
        int rc = secret_warn(config, &config->secrets[i]);

        if (rc < 0)
            return rc;
    }
    return 0;
}
