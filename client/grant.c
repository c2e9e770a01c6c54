/* SPDX-License-Identifier: Apache-2.0 */
#include "client/grant.h"

#include <string.h>

bool slice_is(const struct slice *slice, const char *text)
{
    return slice->len == strlen(text) &&
           (slice->len == 0 || memcmp(slice->text, text, slice->len) == 0);
}

int grant_find(struct mp_cursor map, const char *key, struct mp_cursor *ret)
{
    uint32_t pairs, len;
    const char *name;

    if (mp_get_map(&map, &pairs))
        return -1;
    for (uint32_t i = 0; i < pairs; i++) {
        if (mp_get_str(&map, &name, &len))
            return -1;
        if (len == strlen(key) && memcmp(name, key, len) == 0) {
            *ret = map;
            return 0;
        }
        if (mp_skip(&map))
            return -1;
    }
    return -1;
}

/* These texts become environment entries and lines of output: a NUL would cut them, a newline add
 * one. */
static bool has_control(const struct slice *slice)
{
    for (uint32_t i = 0; i < slice->len; i++)
        if ((unsigned char)slice->text[i] < 0x20 || slice->text[i] == 0x7F)
            return true;
    return false;
}

int grant_find_text(struct mp_cursor map, const char *key, struct slice *ret)
{
    struct mp_cursor value;
    struct slice found;

    *ret = (struct slice){0};
    if (grant_find(map, key, &value) || mp_get_str(&value, &found.text, &found.len) ||
        has_control(&found))
        return -1;
    *ret = found;
    return 0;
}

static bool find_bool(struct mp_cursor map, const char *key)
{
    struct mp_cursor value;
    bool yes = false;

    return !grant_find(map, key, &value) && !mp_get_bool(&value, &yes) && yes;
}

int grant_read(struct mp_cursor result, struct grant *ret, struct err *err)
{
    struct grant grant = {0};
    const struct {
        const char *key;
        struct slice *value;
        bool needed;
    } texts[] = {
        {"lease_id", &grant.lease_id, true},
        {"secret", &grant.secret, true},
        {"credential_type", &grant.credential_type, true},
        {"access_key_id", &grant.access_key_id, true},
        {"secret_access_key", &grant.secret_access_key, true},
        {"session_token", &grant.session_token, false},
        {"account_id", &grant.account_id, false},
        {"region", &grant.region, false},
        {"expires_at", &grant.expires_at, true},
        {"clamp_reason", &grant.clamp_reason, false},
    };
    struct mp_cursor value;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        bool absent = grant_find(result, texts[i].key, &value) || !mp_get_nil(&value);

        if ((absent && texts[i].needed) ||
            (!absent && grant_find_text(result, texts[i].key, texts[i].value)) ||
            (texts[i].needed && texts[i].value->len == 0))
            return err_set(err, KMS_ECONNECT, "the agent's answer has no usable %s", texts[i].key);
    }
    if (grant_find(result, "granted_ttl_s", &value) || mp_get_uint(&value, &grant.granted_ttl_s))
        return err_set(err, KMS_ECONNECT, "the agent's answer has no usable granted_ttl_s");
    if (grant_find(result, "requested_ttl_s", &value) ||
        mp_get_uint(&value, &grant.requested_ttl_s))
        grant.requested_ttl_s = grant.granted_ttl_s;
    /* Session keys without their token would fail at AWS, or work with somebody else's. */
    if (slice_is(&grant.credential_type, "temporary-credentials") != (grant.session_token.len > 0))
        return err_set(err, KMS_ECONNECT, "the agent's answer mixes up the credential types");
    grant.bound = find_bool(result, "bound");
    grant.shared = find_bool(result, "shared");
    *ret = grant;
    return 0;
}

bool grant_is_session(const struct grant *grant)
{
    return grant->session_token.len > 0;
}
