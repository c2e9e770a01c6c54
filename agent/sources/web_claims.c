/* SPDX-License-Identifier: Apache-2.0 */
/* What a web identity token (a JSON Web Token, RFC 7519) says of itself, so that a trust policy can
 * be printed for it. Only STS judges whether it is true. */
#include "sources/source.h"

#include <string.h>

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* base64url without padding (RFC 7515, appendix C); ret takes len bytes. -1: not that. */
static int decode(const char *text, size_t len, char *ret, size_t *ret_len)
{
    unsigned bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int digit = digit_of(text[i]);

        if (digit < 0)
            return -1;
        bits = (bits << 6 | (unsigned)digit) & 0xffffu;
        if (i % 4 != 0)
            ret[n++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    *ret_len = n;
    return len % 4 == 1 ? -1 : 0;
}

static int read_claims(const char *token, struct web_identity_claims *ret)
{
    const char *payload = strchr(token, '.');
    size_t len = payload != NULL ? strcspn(payload + 1, ".") : 0;
    char *text = len > 0 ? wiping_malloc(len) : NULL;
    int rc = -1;

    if (text != NULL && decode(payload + 1, len, text, &len) == 0)
        rc = source_json_claims(text, len, ret);
    wiping_free(text);
    return rc;
}

int source_web_identity_claims(struct sources *sources, const struct recipe *recipe,
                               struct web_identity_claims *ret, struct err *err)
{
    SECRET_CLEANUP struct secret token = {0};
    int rc = source_web_identity_token(sources, recipe, &token, err);

    if (rc == 0 && read_claims(secret_text(&token), ret) != 0)
        rc = err_set(err, KMS_ESOURCE, "the web identity token is no JSON Web Token");
    return rc;
}
