/* SPDX-License-Identifier: Apache-2.0 */
#include "model/name.h"

#include <stdio.h>
#include <string.h>

enum part { PART_SECRET, PART_LEASE, PART_UID, PART_PID, PART_COUNT };

static const struct {
    const char *text;
    size_t min, max; /* characters it can become; PART_SECRET is cut to what is left */
} parts[PART_COUNT] = {
    [PART_SECRET] = {"{secret}", 1, 1},
    [PART_LEASE] = {"{lease}", 32, 32},
    [PART_UID] = {"{uid}", 1, 10},
    [PART_PID] = {"{pid}", 1, 10},
};

#define SESSION_NAME_MIN 2 /* RoleSessionName of AssumeRole */

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_+=,.@-", c) != NULL);
}

/* The placeholder that p starts with, or -1. */
static int part_at(const char *p)
{
    for (int i = 0; i < PART_COUNT; i++)
        if (strncmp(p, parts[i].text, strlen(parts[i].text)) == 0)
            return i;
    return -1;
}

static int template_bad(const char *text, const char *p, struct err *err)
{
    if (*p == '{')
        return err_set(err, KMS_ECONFIG,
                       "unknown placeholder at \"%.40s\" (there are {secret}, {lease}, {uid} and "
                       "{pid})",
                       p);
    return err_set(
        err, KMS_ECONFIG,
        "character %zu is not one that IAM takes in a name (letters, digits and _+=,.@-)",
        (size_t)(p - text) + 1);
}

int name_template_check(const char *template_text, int lease_mandatory, struct err *err)
{
    size_t min = 0, max = 0, count[PART_COUNT] = {0};

    for (const char *p = template_text; *p != '\0';) {
        int part = part_at(p);

        if (part < 0 && !name_char(*p))
            return template_bad(template_text, p, err);
        min += part < 0 ? 1 : parts[part].min;
        max += part < 0 ? 1 : parts[part].max;
        p += part < 0 ? 1 : strlen(parts[part].text);
        if (part >= 0)
            count[part]++;
    }
    if (lease_mandatory && count[PART_LEASE] == 0)
        return err_set(err, KMS_ECONFIG, "{lease} is missing: user names must be unique");
    if (max > IAM_USER_NAME_MAX)
        return err_set(err, KMS_ECONFIG, "it can give %zu characters, IAM takes %d", max,
                       IAM_USER_NAME_MAX);
    if (min < SESSION_NAME_MIN)
        return err_set(err, KMS_ECONFIG, "it can give %zu characters, AWS wants at least %d", min,
                       SESSION_NAME_MIN);
    return 0;
}

struct rendering {
    char lease[UUID_HEX_SIZE], uid[12], pid[12];
    const char *value[PART_COUNT];
};

/* Length of all but {secret}; *ret_secrets is how often that occurs. */
static size_t fixed_length(const char *text, const struct rendering *rendering, size_t *ret_secrets)
{
    size_t length = 0;

    *ret_secrets = 0;
    while (*text != '\0') {
        int part = part_at(text);

        if (part == PART_SECRET)
            ++*ret_secrets;
        else
            length += part < 0 ? 1 : strlen(rendering->value[part]);
        text += part < 0 ? 1 : strlen(parts[part].text);
    }
    return length;
}

static void rendering_init(struct rendering *rendering, const struct name_facts *facts)
{
    uuid_format_hex(&facts->lease_id, rendering->lease);
    snprintf(rendering->uid, sizeof(rendering->uid), "%u", facts->uid);
    snprintf(rendering->pid, sizeof(rendering->pid), "%d", facts->pid);
    rendering->value[PART_SECRET] = facts->secret;
    rendering->value[PART_LEASE] = rendering->lease;
    rendering->value[PART_UID] = rendering->uid;
    rendering->value[PART_PID] = rendering->pid;
}

void name_render(const char *template_text, const struct name_facts *facts,
                 char ret[IAM_USER_NAME_MAX + 1])
{
    struct rendering rendering;
    size_t secrets, length = 0, fixed, secret_max = 0;

    rendering_init(&rendering, facts);
    fixed = fixed_length(template_text, &rendering, &secrets);
    if (secrets > 0 && fixed < IAM_USER_NAME_MAX)
        secret_max = (IAM_USER_NAME_MAX - fixed) / secrets;
    for (const char *p = template_text; *p != '\0';) {
        int part = part_at(p);
        const char *value = part < 0 ? p : rendering.value[part];
        size_t n = part < 0 ? 1 : strlen(value);

        if (part == PART_SECRET && n > secret_max)
            n = secret_max;
        for (size_t i = 0; i < n && length < IAM_USER_NAME_MAX; i++)
            ret[length++] = name_char(value[i]) ? value[i] : '_';
        p += part < 0 ? 1 : strlen(parts[part].text);
    }
    ret[length] = '\0';
}
