/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/source.h"

#include "common/timefmt.h"

#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_MAX 65536

static void json_done(json_t **json)
{
    json_decref(*json);
}

/* Ordinary blocks, so that what json_dumps() gives away may still go to free(). */
static void wiping_json_free(void *p)
{
    if (p == NULL)
        return;
    secret_wipe(p, malloc_usable_size(p));
    free(p);
}

void source_json_init(void)
{
    json_set_alloc_funcs(malloc, wiping_json_free);
}

static const char *member(const json_t *document, const char *name)
{
    const char *text = json_string_value(json_object_get(document, name));

    return text != NULL ? text : "";
}

/* An error document comes with status 200 from IMDS. Its code is a word; anything else is not
 * repeated. */
static int judge_code(const json_t *document, const char *what, struct err *err)
{
    const char *code = member(document, "Code");

    if (code[0] == '\0' || strcmp(code, "Success") == 0)
        return 0;
    if (strlen(code) > 64 ||
        strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.") !=
            strlen(code))
        code = "an error";
    return err_set(err, KMS_ESOURCE, "%s answered %s instead of credentials", what, code);
}

static int read_times(const json_t *document, struct aws_credential *read)
{
    const char *expiration = member(document, "Expiration"),
               *account = member(document, "AccountId");

    if (strlen(account) == AWS_ACCOUNT_MAX && strspn(account, "0123456789") == AWS_ACCOUNT_MAX)
        strcpy(read->account_id, account);
    if (json_object_get(document, "Expiration") == NULL)
        return 0;
    /* 0 would say that it never ends */
    return time_parse(expiration, &read->expires_ms) == 0 && read->expires_ms > 0 ? 0 : -1;
}

static int read_document(const json_t *document, const char *what, struct aws_credential *ret,
                         struct err *err)
{
    const char *id = member(document, "AccessKeyId"), *token = member(document, "Token");
    const char *secret = member(document, "SecretAccessKey");
    AWS_CREDENTIAL_CLEANUP struct aws_credential read = {0};
    int rc = judge_code(document, what, err);

    if (rc != 0)
        return rc;
    if (id[0] == '\0' || strlen(id) > AWS_KEY_ID_MAX || secret[0] == '\0' || token[0] == '\0' ||
        read_times(document, &read) != 0)
        return err_set(err, KMS_ESOURCE, "%s gave a document without a whole credential", what);
    if (secret_set(&read.secret_access_key, secret, strlen(secret)) != 0 ||
        secret_set(&read.session_token, token, strlen(token)) != 0)
        return err_set(err, KMS_ENOMEM, "no locked memory left for a management credential");
    strcpy(read.access_key_id, id);
    aws_credential_done(ret);
    *ret = read;
    read = (struct aws_credential){0};
    return 0;
}

int source_json_credential(const char *text, size_t len, const char *what,
                           struct aws_credential *ret, struct err *err)
{
    __attribute__((cleanup(json_done))) json_t *document = NULL;

    if (len > DOCUMENT_MAX)
        return err_set(err, KMS_ESOURCE, "%s gave too large a document", what);
    /* jansson's error text quotes the input, hence none of it is shown. */
    document = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(document))
        return err_set(err, KMS_ESOURCE, "%s gave something that is no JSON object", what);
    return read_document(document, what, ret, err);
}

int source_json_claims(const char *text, size_t len, struct web_identity_claims *ret)
{
    __attribute__((cleanup(json_done))) json_t *document =
        json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *audience = json_object_get(document, "aud");
    struct web_identity_claims read = {0};

    if (!json_is_object(document))
        return -1;
    if (json_is_array(audience))
        audience = json_array_get(audience, 0);
    snprintf(read.issuer, sizeof(read.issuer), "%s", member(document, "iss"));
    snprintf(read.subject, sizeof(read.subject), "%s", member(document, "sub"));
    if (json_is_string(audience))
        snprintf(read.audience, sizeof(read.audience), "%s", json_string_value(audience));
    *ret = read;
    return 0;
}
