/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

#include "config/unicode_class.h"
#include "model/fence.h"
#include "model/partition.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void json_done(json_t **json)
{
    json_decref(*json);
}

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
static int keys_check(json_t *object, const char *const *names, const char *where, struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) if (!is_one_of(key, names)) return err_set(
        err, KMS_ECONFIG, "%s has the unknown element \"%.64s\"", where, key);
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

/* Exactly one of the two elements, holding strings. */
static int either_check(json_t *statement, const char *one, const char *other, struct err *err)
{
    json_t *a = json_object_get(statement, one), *b = json_object_get(statement, other);

    if ((a == NULL) == (b == NULL))
        return err_set(err, KMS_ECONFIG, "a statement must have one of \"%s\" and \"%s\"", one,
                       other);
    if (!is_strings(a != NULL ? a : b))
        return err_set(err, KMS_ECONFIG, "\"%s\" must be a string or a list of strings",
                       a != NULL ? one : other);
    return 0;
}

static int statement_check(json_t *statement, struct err *err)
{
    static const char *const names[] = {"Sid",      "Effect",      "Action",    "NotAction",
                                        "Resource", "NotResource", "Condition", NULL};
    const char *effect = json_string_value(json_object_get(statement, "Effect"));
    const json_t *sid = json_object_get(statement, "Sid"), *condition;
    int rc;

    if (!json_is_object(statement))
        return err_set(err, KMS_ECONFIG, "a statement must be an object");
    if (json_object_get(statement, "Principal") != NULL ||
        json_object_get(statement, "NotPrincipal") != NULL)
        return err_set(err, KMS_ECONFIG, "a policy of a user or a session takes no \"Principal\"");
    rc = keys_check(statement, names, "a statement", err);
    if (rc < 0)
        return rc;
    if (effect == NULL || (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0))
        return err_set(err, KMS_ECONFIG, "\"Effect\" of a statement must be \"Allow\" or \"Deny\"");
    if (sid != NULL &&
        (!json_is_string(sid) ||
         strspn(json_string_value(sid), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789") != json_string_length(sid)))
        return err_set(err, KMS_ECONFIG, "\"Sid\" takes letters and digits only");
    condition = json_object_get(statement, "Condition");
    if (condition != NULL && !json_is_object(condition))
        return err_set(err, KMS_ECONFIG, "\"Condition\" must be an object");
    rc = either_check(statement, "Action", "NotAction", err);
    return rc < 0 ? rc : either_check(statement, "Resource", "NotResource", err);
}

/* Statement ids are unique within a policy. */
static int sids_check(json_t *statements, struct err *err)
{
    json_t *seen __attribute__((cleanup(json_done))) = json_object();

    for (size_t i = 0; i < json_array_size(statements); i++) {
        const char *sid = json_string_value(json_object_get(json_array_get(statements, i), "Sid"));

        if (sid == NULL)
            continue;
        if (json_object_get(seen, sid) != NULL)
            return err_set(err, KMS_ECONFIG, "two statements have the \"Sid\" \"%.64s\"", sid);
        if (json_object_set_new(seen, sid, json_true()) < 0)
            return err_set(err, KMS_ENOMEM, "out of memory");
    }
    return 0;
}

static int policy_check(json_t *policy, struct err *err)
{
    static const char *const names[] = {"Version", "Id", "Statement", NULL};
    const json_t *version = json_object_get(policy, "Version");
    json_t *statements = json_object_get(policy, "Statement");
    int rc;

    if (!json_is_object(policy))
        return err_set(err, KMS_ECONFIG, "a policy must be a JSON object");
    rc = keys_check(policy, names, "the policy", err);
    if (rc < 0)
        return rc;
    if (version != NULL &&
        (!json_is_string(version) || (strcmp(json_string_value(version), "2012-10-17") != 0 &&
                                      strcmp(json_string_value(version), "2008-10-17") != 0)))
        return err_set(err, KMS_ECONFIG, "\"Version\" must be \"2012-10-17\" or \"2008-10-17\"");
    if (json_is_object(statements))
        return statement_check(statements, err);
    if (json_array_size(statements) == 0)
        return err_set(err, KMS_ECONFIG, "the policy has no \"Statement\"");
    for (size_t i = 0; i < json_array_size(statements); i++) {
        rc = statement_check(json_array_get(statements, i), err);
        if (rc < 0)
            return rc;
    }
    return sids_check(statements, err);
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

int validate_document(const char *text, char **ret, struct err *err)
{
    json_error_t error;
    json_t *policy __attribute__((cleanup(json_done))) = NULL;
    char *document TEXT_CLEANUP = NULL;
    int rc;

    if (strlen(text) > VALIDATE_DOCUMENT_MAX)
        return err_set(err, KMS_ECONFIG, "is larger than %d bytes", VALIDATE_DOCUMENT_MAX);
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

int validate_tags(struct draft *draft, const char *option, const struct tag *tags, size_t count)
{
    static const char *const ours[] = {"kms-agent-id", "kms-lease-id", "kms-last-end"};

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sizeof(ours) / sizeof(ours[0]); j++)
            if (strcasecmp(tags[i].key, ours[j]) == 0) {
                draft_finding(draft, option, "tag \"%s\" is set by the agent", tags[i].key);
                return -1;
            }
        for (size_t j = 0; j < i; j++)
            if (strcasecmp(tags[i].key, tags[j].key) == 0) {
                draft_finding(draft, option,
                              "tag \"%.128s\" is there twice (AWS ignores case in keys)",
                              tags[i].key);
                return -1;
            }
    }
    return 0;
}

static void user_size_check(struct draft *draft, const struct secret_config *secret)
{
    const char *partition = partition_of_region(secret->recipe.region);
    size_t fence, size = 0;

    if (partition == NULL)
        return;
    fence = fence_user_size_max(partition, secret->recipe.path, secret->recipe.deny_role_hop);
    for (size_t i = 0; i < secret->policy_documents.count; i++)
        size += fence_policy_size(secret->policy_documents.items[i]);
    if (fence > FENCE_QUOTA)
        draft_finding(draft, "path",
                      "is so long that the fence (%zu characters) does not fit AWS's %d", fence,
                      FENCE_QUOTA);
    else if (size + fence > FENCE_QUOTA)
        draft_finding(draft, "policy_documents",
                      "the documents take %zu characters; the fence takes %zu and leaves %zu of "
                      "the %d that AWS "
                      "allows for all inline policies of a user",
                      size, fence, FENCE_QUOTA - fence, FENCE_QUOTA);
}

/* Characters, blanks too: STS counts the plain text. */
static size_t plain_size(const char *text)
{
    size_t size = 0;

    for (; *text != '\0'; text++)
        size += ((unsigned char)*text & 0xc0) != 0x80;
    return size;
}

static void session_size_check(struct draft *draft, const struct secret_config *secret)
{
    char *document TEXT_CLEANUP = NULL;
    bool has_arns = secret->session_policy_arns.count > 0;
    size_t size, arns = 0, added;
    struct err err;

    if (secret->session_policy_document == NULL && !has_arns)
        return;
    if (fence_session_document(secret->session_policy_document, has_arns, 0, &document, &err) < 0) {
        draft_finding(draft, "session_policy_document", "%s", err.message);
        return;
    }
    for (size_t i = 0; i < secret->session_policy_arns.count; i++)
        arns += plain_size(secret->session_policy_arns.items[i]);
    size =
        secret->session_policy_document != NULL ? plain_size(secret->session_policy_document) : 0;
    added = plain_size(document) - size;
    if (size + added + arns > FENCE_QUOTA)
        draft_finding(draft, size > 0 ? "session_policy_document" : "session_policy_arns",
                      "the session policies take %zu characters; the dated Deny takes %zu and "
                      "leaves %zu of the %d "
                      "that AWS allows",
                      size + arns, added, FENCE_QUOTA - added, FENCE_QUOTA);
}

void validate_sizes(struct draft *draft, const struct secret_config *secret)
{
    if (secret->recipe.type == CREDENTIAL_IAM_USER)
        user_size_check(draft, secret);
    else
        session_size_check(draft, secret);
}
