/* SPDX-License-Identifier: Apache-2.0 */
#include "aws_answers.h"

#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SESSION_S 3600
#define TOKEN_BYTES 900 /* about what STS gives */
#define NAME_MAX 128

/* The value of a form field into ret, "" if there is none; the agent's names need no decoding. */
static void field(const char *body, size_t len, const char *name, char ret[NAME_MAX + 1])
{
    size_t name_len = strlen(name), n = 0;
    const char *at = body, *end = body + len;

    while (at != NULL && (size_t)(end - at) > name_len &&
           (memcmp(at, name, name_len) != 0 || at[name_len] != '=')) {
        at = memchr(at, '&', (size_t)(end - at));
        at = at != NULL ? at + 1 : NULL;
    }
    if (at != NULL && (size_t)(end - at) > name_len)
        for (at += name_len + 1; at < end && *at != '&' && n < NAME_MAX; at++)
            ret[n++] = *at;
    ret[n] = '\0';
}

static void write_expiration(char ret[40])
{
    time_t at = time(NULL) + SESSION_S;
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(ret, 40, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void write_date(char ret[40])
{
    time_t at = time(NULL);
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(ret, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static int write_session(char *ret, size_t size, const char *action)
{
    static char token[TOKEN_BYTES + 1];
    char end[40];

    if (token[0] == '\0')
        memset(token, 'T', TOKEN_BYTES);
    write_expiration(end);
    return snprintf(ret, size,
                    "<%sResult><Credentials><AccessKeyId>ASIAIOSFODNN7BENCHES</AccessKeyId>"
                    "<SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYBENCHKEY00</SecretAccessKey>"
                    "<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>"
                    "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/bench/kms</Arn>"
                    "<AssumedRoleId>AROAIOSFODNN7EXAMPLE:kms</AssumedRoleId></AssumedRoleUser>"
                    "</%sResult>",
                    action, token, end, action);
}

static int write_result(char *ret, size_t size, const char *action, const char *user)
{
    if (strncmp(action, "AssumeRole", 10) == 0 || strcmp(action, "GetSessionToken") == 0)
        return write_session(ret, size, action);
    if (strcmp(action, "GetCallerIdentity") == 0)
        return snprintf(ret, size,
                        "<%sResult><Arn>arn:aws:iam::123456789012:user/bench</Arn>"
                        "<UserId>AIDAIOSFODNN7EXAMPLE</UserId><Account>123456789012</Account>"
                        "</%sResult>",
                        action, action);
    if (strcmp(action, "CreateUser") == 0 || strcmp(action, "GetUser") == 0)
        return snprintf(ret, size,
                        "<%sResult><User><Path>/kms/</Path><UserName>%s</UserName>"
                        "<UserId>AIDAIOSFODNN7BENCHES</UserId>"
                        "<Arn>arn:aws:iam::123456789012:user/kms/%s</Arn></User></%sResult>",
                        action, user, user, action);
    if (strcmp(action, "CreateAccessKey") == 0)
        return snprintf(ret, size,
                        "<%sResult><AccessKey><UserName>%s</UserName>"
                        "<AccessKeyId>AKIAIOSFODNN7BENCHES</AccessKeyId><Status>Active</Status>"
                        "<SecretAccessKey>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"
                        "</SecretAccessKey></AccessKey></%sResult>",
                        action, user, action);
    return snprintf(ret, size, "<%sResult><IsTruncated>false</IsTruncated></%sResult>", action,
                    action);
}

size_t aws_answer(const char *body, size_t len, char ret[AWS_ANSWER_MAX])
{
    char action[NAME_MAX + 1], user[NAME_MAX + 1], result[AWS_ANSWER_MAX - 800], date[40];
    char request_id[] = "11111111-2222-3333-4444-555555555555", text[AWS_ANSWER_MAX - 400];
    int text_len, n;

    field(body, len, "Action", action);
    field(body, len, "UserName", user);
    (void)write_result(result, sizeof result, action, user);
    text_len = snprintf(text, sizeof text,
                        "<%sResponse>%s<ResponseMetadata><RequestId>%s</RequestId>"
                        "</ResponseMetadata></%sResponse>",
                        action, result, request_id, action);
    write_date(date);
    n = snprintf(ret, AWS_ANSWER_MAX,
                 "HTTP/1.1 200 OK\r\nx-amzn-RequestId: %s\r\nContent-Type: text/xml\r\n"
                 "Content-Length: %d\r\nDate: %s\r\n\r\n%s",
                 request_id, text_len, date, text);
    if (text_len >= (int)sizeof text || n >= AWS_ANSWER_MAX)
        bench_die("the answer to %s is too large", action);
    return (size_t)n;
}
