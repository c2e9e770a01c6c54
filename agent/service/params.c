/* SPDX-License-Identifier: Apache-2.0 */
#include "service/params.h"

#include "common/proto.h"
#include "common/timefmt.h"
#include "service/text.h"

#include <stdio.h>
#include <string.h>

/* Each answers false when the value is not right. Strings are copied with their NUL by copy_text().
 */
typedef bool set_fn(struct params *params, const struct wire_value *value);

static bool copy_text(const struct wire_value *value, char *ret, size_t size)
{
    if (value->str_len == 0 || value->str_len >= size)
        return false;
    for (uint32_t i = 0; i < value->str_len; i++)
        if (value->str[i] < ' ' || value->str[i] > '~')
            return false;
    memcpy(ret, value->str, value->str_len);
    ret[value->str_len] = '\0';
    return true;
}

static bool set_secret(struct params *params, const struct wire_value *value)
{
    return copy_text(value, params->secret, sizeof params->secret);
}

static bool set_lease_id(struct params *params, const struct wire_value *value)
{
    char text[UUID_TEXT_SIZE];

    return copy_text(value, text, sizeof text) && uuid_parse(text, &params->lease_id) == 0 &&
           !uuid_is_nil(&params->lease_id);
}

static bool set_ttl(struct params *params, const struct wire_value *value)
{
    params->ttl_s = value->integer;
    return value->integer > 0;
}

static bool set_region(struct params *params, const struct wire_value *value)
{
    return copy_text(value, params->region, sizeof params->region) &&
           strspn(params->region, "abcdefghijklmnopqrstuvwxyz0123456789-") == value->str_len;
}

static bool set_bind(struct params *params, const struct wire_value *value)
{
    params->bind = value->boolean;
    return true;
}

static bool set_all(struct params *params, const struct wire_value *value)
{
    params->all = value->boolean;
    return true;
}

static bool set_report_only(struct params *params, const struct wire_value *value)
{
    params->report_only = value->boolean;
    return true;
}

static bool set_state(struct params *params, const struct wire_value *value)
{
    char text[16];

    if (!copy_text(value, text, sizeof text))
        return false;
    params->any_state = strcmp(text, "any") == 0;
    return params->any_state ||
           (lease_state_parse(text, &params->state) == 0 && params->state != LEASE_NONE);
}

static bool set_limit(struct params *params, const struct wire_value *value)
{
    if (value->integer < 1 || value->integer > PROTO_LIST_LIMIT_MAX)
        return false;
    params->limit = (uint32_t)value->integer;
    return true;
}

static bool set_cursor(struct params *params, const struct wire_value *value)
{
    return copy_text(value, params->cursor, sizeof params->cursor);
}

static bool set_since(struct params *params, const struct wire_value *value)
{
    char text[64];

    return copy_text(value, text, sizeof text) && time_parse(text, &params->since_ms) == 0;
}

static const struct row {
    const char *name;
    enum wire_type type;
    set_fn *set;
    const char *expected;
} rows[PARAM_COUNT] = {
    [PARAM_SECRET] = {"secret", WIRE_STR, set_secret, "the name of a secret"},
    [PARAM_LEASE_ID] = {"lease_id", WIRE_STR, set_lease_id, "a lease id, a UUID as text"},
    [PARAM_TTL_S] = {"ttl_s", WIRE_INT, set_ttl, "a whole number of seconds above 0"},
    [PARAM_REGION] = {"region", WIRE_STR, set_region, "the name of an AWS region"},
    [PARAM_BIND] = {"bind", WIRE_BOOL, set_bind, "true or false"},
    [PARAM_ALL] = {"all", WIRE_BOOL, set_all, "true or false"},
    [PARAM_STATE] = {"state", WIRE_STR, set_state, "issuing, active, revoking, revoked or any"},
    [PARAM_LIMIT] = {"limit", WIRE_INT, set_limit, "a number from 1 to 256"},
    [PARAM_CURSOR] = {"cursor", WIRE_STR, set_cursor, "the cursor of an earlier answer"},
    [PARAM_REPORT_ONLY] = {"report_only", WIRE_BOOL, set_report_only, "true or false"},
    [PARAM_SINCE] = {"since", WIRE_STR, set_since, "a time as RFC 3339 has it"},
};
_Static_assert(PROTO_LIST_LIMIT_MAX == 256, "the text above says 256");

static int find(const struct wire_value *value)
{
    for (int i = 0; i < PARAM_COUNT; i++)
        if (strlen(rows[i].name) == value->name_len &&
            memcmp(rows[i].name, value->name, value->name_len) == 0)
            return i;
    return -1;
}

static int unknown(const struct wire_value *value, uint32_t known, struct err *err)
{
    char quote[TEXT_QUOTE_SIZE], names[ERR_HINT_MAX] = "";

    for (int i = 0; i < PARAM_COUNT; i++) {
        size_t used = strlen(names);

        if (known & PARAM_BIT(i))
            snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "", rows[i].name);
    }
    text_quote(value->name, value->name_len, quote);
    err_set(err, KMS_EINVALID, "unknown parameter \"%s\"", quote);
    return err_hint(err, "the parameters are: %s", names[0] != '\0' ? names : "none");
}

static int take(const struct wire_value *value, uint32_t known, struct params *params,
                struct err *err)
{
    int i = find(value);

    if (i < 0 || (known & PARAM_BIT(i)) == 0)
        return unknown(value, known, err);
    if (value->type != rows[i].type || !rows[i].set(params, value))
        return err_set(err, KMS_EINVALID, "%s must be %s", rows[i].name, rows[i].expected);
    params->given |= PARAM_BIT(i);
    return 0;
}

int params_parse(const struct wire_request *request, uint32_t known, uint32_t required,
                 struct params *ret, struct err *err)
{
    struct params params = {.limit = PROTO_LIST_LIMIT_DEFAULT};

    for (size_t i = 0; i < request->count; i++) {
        int rc = take(&request->values[i], known, &params, err);

        if (rc != 0)
            return rc;
    }
    for (int i = 0; i < PARAM_COUNT; i++)
        if ((required & PARAM_BIT(i)) && (params.given & PARAM_BIT(i)) == 0)
            return err_set(err, KMS_EINVALID, "parameter %s is missing: %s", rows[i].name,
                           rows[i].expected);
    if (params.ttl_s > PARAM_TTL_MAX_S)
        return err_set(err, KMS_ETTL, "ttl_s is more than ten years");
    *ret = params;
    return 0;
}
