/* SPDX-License-Identifier: Apache-2.0 */
#include "config/snapshot.h"

#include "base/digest.h"
#include "config/schema.h"
#include "config/value_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config *snapshot_new(size_t secret_size)
{
    struct config *config = calloc(1, sizeof(*config));

    if (config == NULL)
        return NULL;
    config->refs = 1;
    config->agent.socket_gid = UINT32_MAX;
    config->secrets = calloc(secret_size + 1, sizeof(*config->secrets));
    if (config->secrets == NULL) {
        free(config);
        return NULL;
    }
    return config;
}

static void section_done(enum option_section section, void *target)
{
    for (size_t i = 0; i < schema_option_count; i++)
        if (schema_options[i].section == section)
            value_done(&schema_options[i], target);
}

void snapshot_secret_done(struct secret_config *secret)
{
    section_done(SECTION_SECRET, secret);
}

void snapshot_agent_done(struct agent_config *agent)
{
    section_done(SECTION_AGENT, agent);
}

struct config *config_ref(struct config *config)
{
    __atomic_add_fetch(&config->refs, 1, __ATOMIC_RELAXED);
    return config;
}

void config_unref(struct config *config)
{
    if (config == NULL || __atomic_sub_fetch(&config->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (size_t i = 0; i < config->secret_count; i++)
        snapshot_secret_done(&config->secrets[i]);
    free(config->secrets);
    snapshot_agent_done(&config->agent);
    string_list_done(&config->warnings);
    free(config);
}

static int name_compare(const void *name, const void *secret)
{
    return strcmp(name, ((const struct secret_config *)secret)->name);
}

const struct secret_config *config_secret(const struct config *config, const char *name)
{
    return bsearch(name, config->secrets, config->secret_count, sizeof(*config->secrets),
                   name_compare);
}

int snapshot_digest(struct secret_config *secret)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int rc = KMS_ENOMEM;

    if (out == NULL)
        return KMS_ENOMEM;
    for (size_t i = 0; i < schema_option_count; i++) {
        const struct option *option = &schema_options[i];

        if (!option->shapes)
            continue;
        fprintf(out, "%s=", option->name);
        value_format(out, option, secret);
        fputc('\n', out);
    }
    if (fclose(out) == 0)
        rc = digest_sha256_hex(text, len, secret->digest);
    free(text);
    return rc;
}
