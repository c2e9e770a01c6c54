/* SPDX-License-Identifier: Apache-2.0 */
#include "config/load.h"

#include "config/cross.h"
#include "config/drop_ins.h"
#include "config/grant.h"
#include "config/machine_id.h"
#include "config/parse.h"
#include "config/snapshot.h"
#include "config/value_format.h"
#include "config/warn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRETS_MAX 10000

/* A load under way: the parsed files and what they become. */
struct load {
    struct loader loader;
    struct parsed *files;
    size_t file_count;
    struct config *config;
    bool has_agent;
};

static void load_done(struct load *load)
{
    for (size_t i = 0; i < load->file_count; i++)
        parsed_done(&load->files[i]);
    free(load->files);
    resolver_done(&load->loader.resolver);
    config_unref(load->config);
}

static void memory_finding(struct load *load, const char *file)
{
    finding_add(&load->loader.findings, file, 0, "out of memory");
}

static void agent_build(struct load *load, const char *file, const struct parsed_section *section)
{
    static const struct parsed_section nothing = {.name = NULL};
    struct draft draft = {&load->loader,
                          file,
                          section != NULL ? section : &nothing,
                          SECTION_AGENT,
                          &load->config->agent,
                          {0},
                          {0}};

    draft_fill(&draft);
}

static void secret_build(struct load *load, const char *file, const struct parsed_section *section)
{
    struct secret_config *secret = &load->config->secrets[load->config->secret_count++];
    struct draft draft = {&load->loader, file, section, SECTION_SECRET, secret, {0}, {0}};

    snprintf(secret->name, sizeof(secret->name), "%s", section->name);
    snprintf(secret->source_file, sizeof(secret->source_file), "%s", file);
    secret->source_line = section->line;
    draft_fill(&draft);
    cross_check_secret(&draft, secret, load->has_agent ? &load->config->agent : NULL);
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(((const struct secret_config *)a)->name, ((const struct secret_config *)b)->name);
}

static void duplicates_check(struct load *load)
{
    struct config *config = load->config;

    qsort(config->secrets, config->secret_count, sizeof(*config->secrets), name_compare);
    for (size_t i = 1; i < config->secret_count; i++) {
        const struct secret_config *a = &config->secrets[i - 1], *b = &config->secrets[i];

        if (strcmp(a->name, b->name) == 0)
            finding_add(&load->loader.findings, b->source_file, b->source_line,
                        "secret \"%s\" is there twice (also at %s:%d)", b->name, a->source_file,
                        a->source_line);
    }
}

/* Builds config from the files; the agent section may stand in one of them. */
static int load_build(struct load *load)
{
    const struct parsed *agent_file = NULL;
    size_t secrets = 0;

    for (size_t i = 0; i < load->file_count; i++) {
        secrets += load->files[i].secret_count;
        if (load->files[i].agent != NULL && agent_file != NULL)
            finding_add(&load->loader.findings, load->files[i].path, load->files[i].agent->line,
                        "the agent section is in %s already", agent_file->path);
        else if (load->files[i].agent != NULL)
            agent_file = &load->files[i];
    }
    if (secrets > SECRETS_MAX) {
        finding_add(&load->loader.findings, load->files[0].path, 0,
                    "there are %zu secrets, at most %d are possible", secrets, SECRETS_MAX);
        return 0;
    }
    load->config = snapshot_new(secrets);
    if (load->config == NULL)
        return KMS_ENOMEM;
    if (agent_file != NULL)
        agent_build(load, agent_file->path, agent_file->agent);
    else if (load->has_agent)
        finding_add(&load->loader.findings, load->files[0].path, 0,
                    "there is no agent section; an empty one takes the defaults: agent: { };");
    load->has_agent = load->has_agent || agent_file != NULL;
    for (size_t i = 0; i < load->file_count; i++)
        for (size_t j = 0; j < load->files[i].secret_count; j++)
            secret_build(load, load->files[i].path, &load->files[i].secrets[j]);
    duplicates_check(load);
    return 0;
}

static int load_parse(struct load *load, const char *const *paths, size_t count)
{
    load->files = calloc(count + 1, sizeof(*load->files));
    if (load->files == NULL)
        return KMS_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        /* findings were reported; the other files are looked at all the same */
        int rc = parse_file(paths[i], &load->loader.findings, &load->files[load->file_count++]);

        (void)rc;
    }
    return 0;
}

/* The agent section belongs into the main file: a drop-in is about secrets. */
static void drop_in_agents_refuse(struct load *load)
{
    for (size_t i = 1; i < load->file_count; i++)
        if (load->files[i].agent != NULL)
            finding_add(&load->loader.findings, load->files[i].path, load->files[i].agent->line,
                        "the agent section belongs into %s, drop-ins hold secrets",
                        load->files[0].path);
}

static int load_files(struct load *load, const char *file)
{
    struct string_list paths __attribute__((cleanup(string_list_done))) = {0};
    int rc = string_list_add(&paths, file);

    if (rc == 0)
        rc = drop_ins_list(file, &load->loader.findings, &paths);
    if (rc == 0)
        rc = load_parse(load, (const char *const *)paths.items, paths.count);
    if (rc < 0)
        return rc;
    drop_in_agents_refuse(load);
    return load->loader.findings.count == 0 ? load_build(load) : 0;
}

static int load_finish(struct load *load, const char *file)
{
    struct config *config = load->config;
    char id[MACHINE_AGENT_ID_SIZE];
    struct err err;
    int rc = 0;

    if (config->agent.agent_id == NULL) {
        if (machine_agent_id(MACHINE_ID_FILE, id, &err) < 0) {
            finding_add(&load->loader.findings, file, 0, "%s", err.message);
            return 0;
        }
        config->agent.agent_id = strdup(id);
        if (config->agent.agent_id == NULL)
            return KMS_ENOMEM;
    }
    for (size_t i = 0; i < config->secret_count && rc == 0; i++)
        rc = snapshot_digest(&config->secrets[i]);
    for (size_t i = 0; i < config->secret_count && rc == 0; i++)
        rc = grant_digest(&config->secrets[i]);
    return rc < 0 ? rc : warn_collect(config);
}

static void first_finding(const char *finding, void *arg)
{
    struct err *err = arg;

    if (err->code == 0)
        err_set(err, KMS_ECONFIG, "%s", finding);
}

int config_load(const char *file, struct config **ret, struct err *err)
{
    struct err first = {0};
    struct load load __attribute__((cleanup(load_done))) = {
        .loader.findings = {first_finding, &first, 0}, .has_agent = true};
    int rc = load_files(&load, file);

    if (rc == 0 && load.loader.findings.count == 0)
        rc = load_finish(&load, file);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", file,
                       rc == KMS_ENOMEM ? "out of memory" : "SHA-256 is not available");
    if (load.loader.findings.count > 0) {
        if (err != NULL)
            *err = first;
        if (load.loader.findings.count > 1)
            err_hint(err, "%zu more findings: kms-agentd --check names them all",
                     load.loader.findings.count - 1);
        return KMS_ECONFIG;
    }
    *ret = load.config;
    load.config = NULL;
    return 0;
}

size_t config_check(const char *const *files, size_t count,
                    void (*report)(const char *finding, void *arg),
                    void (*warn)(const char *warning, void *arg), void *arg)
{
    struct load load __attribute__((cleanup(load_done))) = {.loader.findings = {report, arg, 0}};
    int rc;

    if (count == 1) { /* as the agent reads it: with the drop-ins beside it */
        rc = load_files(&load, files[0]);
    } else {
        rc = load_parse(&load, files, count);
        if (rc == 0)
            rc = load_build(&load);
    }
    if (rc == 0 && warn != NULL && load.loader.findings.count == 0 && load.config != NULL)
        rc = warn_collect(load.config);
    if (rc < 0)
        memory_finding(&load, count > 0 ? files[0] : "");
    for (size_t i = 0; load.config != NULL && i < load.config->warnings.count; i++)
        warn(load.config->warnings.items[i], arg);
    return load.loader.findings.count;
}

size_t load_check_text(const char *path, const char *text, size_t len,
                       void (*report)(const char *finding, void *arg), void *arg)
{
    struct load load __attribute__((cleanup(load_done))) = {
        .loader = {.findings = {report, arg, 0}, .resolver.offline = true, .offline = true}};

    load.files = calloc(1, sizeof(*load.files));
    if (load.files == NULL) {
        memory_finding(&load, path);
        return load.loader.findings.count;
    }
    load.file_count = 1;
    if (parse_text(path, text, len, &load.loader.findings, &load.files[0]) == 0 &&
        load_build(&load) < 0)
        memory_finding(&load, path);
    return load.loader.findings.count;
}
