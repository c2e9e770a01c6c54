/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/query.h"

#include "base/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX 262144

static bool reserve(struct query *query, size_t more)
{
    size_t need = query->len + more + 1, size = query->size > 0 ? query->size : 512;
    char *grown;

    if (query->failed || more > BODY_MAX || need > BODY_MAX) {
        query->failed = true;
        return false;
    }
    if (need <= query->size)
        return true;
    while (size < need)
        size *= 2;
    grown = wiping_realloc(query->body, size);
    if (grown == NULL) {
        query->failed = true;
        return false;
    }
    query->body = grown;
    query->size = size;
    return true;
}

static bool is_bare(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static void append_encoded(struct query *query, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";

    if (!reserve(query, 3 * strlen(text)))
        return;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (is_bare(*p)) {
            query->body[query->len++] = (char)*p;
        } else if (*p == ' ') {
            query->body[query->len++] = '+';
        } else {
            query->body[query->len++] = '%';
            query->body[query->len++] = hex[*p >> 4];
            query->body[query->len++] = hex[*p & 15];
        }
    }
    query->body[query->len] = '\0';
}

static void append_char(struct query *query, char c)
{
    if (!reserve(query, 1))
        return;
    query->body[query->len++] = c;
    query->body[query->len] = '\0';
}

static void append_pair(struct query *query, const char *name, const char *value)
{
    if (query->len > 0)
        append_char(query, '&');
    append_encoded(query, name);
    append_char(query, '=');
    append_encoded(query, value);
}

void query_init(struct query *query, const char *action, const char *version)
{
    *query = (struct query){0};
    snprintf(query->action, sizeof(query->action), "%s", action);
    append_pair(query, "Action", action);
    append_pair(query, "Version", version);
}

void query_add(struct query *query, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        append_pair(query, name, value);
}

void query_add_int(struct query *query, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    append_pair(query, name, text);
}

void query_add_member(struct query *query, const char *prefix, size_t n, const char *suffix,
                      const char *value)
{
    char name[128];
    int len = snprintf(name, sizeof(name), "%s.member.%zu%s%s", prefix, n,
                       suffix != NULL ? "." : "", suffix != NULL ? suffix : "");

    if (len < 0 || (size_t)len >= sizeof(name) || value == NULL)
        query->failed = true;
    else
        append_pair(query, name, value);
}

int query_check(const struct query *query, struct err *err)
{
    if (!query->failed)
        return 0;
    return err_set(err, KMS_ENOMEM, "%s: the request is too large for the agent or memory",
                   query->action);
}

void query_done(struct query *query)
{
    wiping_free(query->body);
    query->body = NULL;
    query->len = query->size = 0;
}
