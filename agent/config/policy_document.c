/* SPDX-License-Identifier: Apache-2.0 */
#include "config/policy_document.h"

#include "config/policy_grammar.h"
#include "config/unicode_class.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void json_done(json_t **json)
{
    json_decref(*json);
}
#define JSON_CLEANUP __attribute__((cleanup(json_done)))

static void free_text(char **text)
{
    free(*text);
}
#define TEXT_CLEANUP __attribute__((cleanup(free_text)))

static bool is_one_of(const char *key, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, key) == 0)
            return true;
    return false;
}

/* Keys of an object that the policy grammar does not have. */
static int keys_check(json_t *object, const char *const *names, const char *what, struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) if (!is_one_of(key, names)) return err_set(
        err, KMS_ECONFIG, "%sthe unknown element \"%.64s\"", what, key);
    return 0;
}

/* ---- actions and resources ---- */

/* Each string of a value that is one, or a list of them. */
static int strings_check(const json_t *value, int (*check)(const char *text, struct err *err),
                         struct err *err)
{
    if (json_is_string(value))
        return check(json_string_value(value), err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        int rc = check(json_string_value(json_array_get(value, i)), err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* A string or a list of one string or more. */
static bool is_strings(const json_t *value)
{
    if (json_is_string(value))
        return true;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return json_array_size(value) > 0;
}

/* Exactly one of the two elements, holding strings that pass. */
static int either_check(json_t *statement, const char *one, const char *other,
                        int (*check)(const char *text, struct err *err), struct err *err)
{
    json_t *a = json_object_get(statement, one), *b = json_object_get(statement, other);

    if ((a == NULL) == (b == NULL))
        return err_set(err, KMS_ECONFIG, "must have one of \"%s\" and \"%s\"", one, other);
    if (!is_strings(a != NULL ? a : b))
        return err_set(err, KMS_ECONFIG, "\"%s\" must be a string or a list of strings",
                       a != NULL ? one : other);
    return strings_check(a != NULL ? a : b, check, err);
}

/* ---- conditions ---- */

static bool is_scalar(const json_t *value)
{
    return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

static int condition_values_check(const char *key, const json_t *value, struct err *err)
{
    bool good = is_scalar(value) || json_is_array(value);

    for (size_t i = 0; i < json_array_size(value); i++)
        good = good && is_scalar(json_array_get(value, i));
    if (!good)
        return err_set(err, KMS_ECONFIG,
                       "condition key \"%.64s\" must have a string, a number, true or false, or a "
                       "list of these",
                       key);
    return 0;
}

static int condition_keys_check(const char *name, json_t *keys, struct err *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(keys) || json_object_size(keys) == 0)
        return err_set(err, KMS_ECONFIG,
                       "\"%.64s\" of \"Condition\" must be an object that names a condition key",
                       name);
    json_object_foreach(keys, key, value)
    {
        int rc = policy_condition_key_check(key, err);

        if (rc == 0)
            rc = condition_values_check(key, value, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int condition_check(json_t *condition, struct err *err)
{
    const char *name;
    json_t *keys;

    if (condition == NULL)
        return 0;
    if (!json_is_object(condition))
        return err_set(err, KMS_ECONFIG, "\"Condition\" must be an object");
    json_object_foreach(condition, name, keys)
    {
        int rc = policy_operator_check(name, err);

        if (rc == 0)
            rc = condition_keys_check(name, keys, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- statements ---- */

static int statement_shape_check(json_t *statement, struct err *err)
{
    static const char *const names[] = {"Sid",      "Effect",      "Action",    "NotAction",
                                        "Resource", "NotResource", "Condition", NULL};
    const char *effect = json_string_value(json_object_get(statement, "Effect"));
    const json_t *sid = json_object_get(statement, "Sid");
    int rc;

    if (!json_is_object(statement))
        return err_set(err, KMS_ECONFIG, "must be an object");
    if (json_object_get(statement, "Principal") != NULL ||
        json_object_get(statement, "NotPrincipal") != NULL)
        return err_set(err, KMS_ECONFIG, "a policy of a user or a session takes no \"Principal\"");
    rc = keys_check(statement, names, "has ", err);
    if (rc < 0)
        return rc;
    if (effect == NULL || (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0))
        return err_set(err, KMS_ECONFIG, "\"Effect\" must be \"Allow\" or \"Deny\"");
    if (sid != NULL &&
        (!json_is_string(sid) ||
         strspn(json_string_value(sid), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789") != json_string_length(sid)))
        return err_set(err, KMS_ECONFIG, "\"Sid\" takes letters and digits only");
    return 0;
}

static int statement_check(json_t *statement, struct err *err)
{
    int rc = statement_shape_check(statement, err);

    if (rc == 0)
        rc = either_check(statement, "Action", "NotAction", policy_action_check, err);
    if (rc == 0)
        rc = either_check(statement, "Resource", "NotResource", policy_resource_check, err);
    return rc < 0 ? rc : condition_check(json_object_get(statement, "Condition"), err);
}

/* Statement ids are unique within a policy; an empty one is none. */
static int sids_check(json_t *statements, struct err *err)
{
    json_t *seen JSON_CLEANUP = json_object();

    for (size_t i = 0; i < json_array_size(statements); i++) {
        const char *sid = json_string_value(json_object_get(json_array_get(statements, i), "Sid"));

        if (sid == NULL || sid[0] == '\0')
            continue;
        if (json_object_get(seen, sid) != NULL)
            return err_set(err, KMS_ECONFIG, "two statements have the \"Sid\" \"%.64s\"", sid);
        if (json_object_set_new(seen, sid, json_true()) < 0)
            return err_set(err, KMS_ENOMEM, "out of memory");
    }
    return 0;
}

/* ---- documents ---- */

static json_t *statement_at(json_t *policy, size_t i)
{
    json_t *statements = json_object_get(policy, "Statement");

    return json_is_object(statements) ? statements : json_array_get(statements, i);
}

static size_t statement_count(json_t *policy)
{
    json_t *statements = json_object_get(policy, "Statement");

    return json_is_object(statements) ? 1 : json_array_size(statements);
}

/* Puts "statement N: " before the reason; returns rc. */
static int at_statement(size_t i, int rc, struct err *err)
{
    return rc == KMS_ECONFIG ? err_context(err, "statement %zu", i + 1) : rc;
}

static int policy_check(json_t *policy, struct err *err)
{
    static const char *const names[] = {"Version", "Id", "Statement", NULL};
    const json_t *version = json_object_get(policy, "Version"), *id = json_object_get(policy, "Id");
    int rc;

    if (!json_is_object(policy))
        return err_set(err, KMS_ECONFIG, "a policy must be a JSON object");
    rc = keys_check(policy, names, "the policy has ", err);
    if (rc < 0)
        return rc;
    if (version != NULL &&
        (!json_is_string(version) || (strcmp(json_string_value(version), "2012-10-17") != 0 &&
                                      strcmp(json_string_value(version), "2008-10-17") != 0)))
        return err_set(err, KMS_ECONFIG, "\"Version\" must be \"2012-10-17\" or \"2008-10-17\"");
    if (id != NULL && !json_is_string(id))
        return err_set(err, KMS_ECONFIG, "\"Id\" must be a string");
    if (statement_count(policy) == 0)
        return err_set(err, KMS_ECONFIG, "the policy has no \"Statement\"");
    for (size_t i = 0; i < statement_count(policy); i++) {
        rc = statement_check(statement_at(policy, i), err);
        if (rc < 0)
            return at_statement(i, rc, err);
    }
    return sids_check(json_object_get(policy, "Statement"), err);
}

/* AWS takes U+0009, U+000A, U+000D and U+0020 to U+00FF; minified JSON has no others below U+0020.
 */
static int characters_check(const char *document, struct err *err)
{
    uint32_t code_point;
    unsigned length;

    for (; *document != '\0'; document += length) {
        length = unicode_next(document, &code_point);
        if (length == 0 || code_point > 0xff)
            return err_set(err, KMS_ECONFIG,
                           "holds a character that AWS does not take in a policy (above U+00FF)");
    }
    return 0;
}

int policy_document_check(const char *text, char **ret, struct err *err)
{
    json_error_t error;
    json_t *policy JSON_CLEANUP = NULL;
    char *document TEXT_CLEANUP = NULL;
    int rc;

    if (strlen(text) > POLICY_DOCUMENT_MAX)
        return err_set(err, KMS_ECONFIG, "is larger than %d bytes", POLICY_DOCUMENT_MAX);
    policy = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (policy == NULL)
        return err_set(err, KMS_ECONFIG,
                       "is not valid JSON: %s (line %d, column %d of the document)", error.text,
                       error.line, error.column);
    rc = policy_check(policy, err);
    if (rc < 0)
        return rc;
    document = json_dumps(policy, JSON_COMPACT);
    if (document == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    rc = characters_check(document, err);
    if (rc < 0)
        return rc;
    *ret = document;
    document = NULL;
    return 0;
}

/* Of one statement. */
static int partition_check(json_t *statement, const char *partition, const char *region,
                           struct err *err)
{
    json_t *value = json_object_get(statement, "Resource");
    int rc = 0;

    if (value == NULL)
        value = json_object_get(statement, "NotResource");
    if (json_is_string(value))
        return policy_partition_check(json_string_value(value), partition, region, err);
    for (size_t i = 0; i < json_array_size(value) && rc == 0; i++)
        rc = policy_partition_check(json_string_value(json_array_get(value, i)), partition, region,
                                    err);
    return rc;
}

int policy_document_check_partition(const char *document, const char *partition, const char *region,
                                    struct err *err)
{
    json_t *policy JSON_CLEANUP = json_loads(document, 0, NULL);

    if (policy == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    for (size_t i = 0; i < statement_count(policy); i++) {
        int rc = partition_check(statement_at(policy, i), partition, region, err);

        if (rc < 0)
            return at_statement(i, rc, err);
    }
    return 0;
}
