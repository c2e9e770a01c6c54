/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal.h"

#include "base/random.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

#define SEAL_VERSION 1
#define NONCE_LEN 12
#define TAG_LEN 16
#define KEY_LEN 32
#define HEAD_LEN (1 + NONCE_LEN)
#define BYTES_MAX (HEAD_LEN + SEAL_PLAIN_MAX + TAG_LEN)

static const char info[] =
    "kms-agent seal 1"; /* what else the key may be used for, derives apart */

struct derived {
    unsigned char bytes[KEY_LEN];
};

static void derived_done(struct derived *derived)
{
    secret_wipe(derived, sizeof(*derived));
}

static void free_kdf(EVP_KDF_CTX **context)
{
    EVP_KDF_CTX_free(*context);
}

static void free_cipher(EVP_CIPHER_CTX **context)
{
    EVP_CIPHER_CTX_free(*context);
}

static int derive(const struct secret *key, struct derived *ret, struct err *err)
{
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    __attribute__((cleanup(free_kdf))) EVP_KDF_CTX *context =
        hkdf != NULL ? EVP_KDF_CTX_new(hkdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 6),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, key->bytes, key->len),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, sizeof(info) - 1),
        OSSL_PARAM_END,
    };

    EVP_KDF_free(hkdf); /* the context holds it */
    if (key->len < SEAL_KEY_MIN)
        return err_set(err, KMS_ESOURCE, "kms-seal-key has %zu bytes, it needs at least %d",
                       key->len, SEAL_KEY_MIN);
    if (context == NULL || EVP_KDF_derive(context, ret->bytes, sizeof(ret->bytes), params) != 1)
        return err_set(err, KMS_EINTERNAL, "no key could be derived from kms-seal-key");
    return 0;
}

/* Each part with its length in front, so that no two places read the same. 1 or 0. */
static int add_place(EVP_CIPHER_CTX *context, const struct seal_place *place)
{
    const char *const parts[] = {place->kind, place->agent_id, place->configured_id,
                                 place->access_key_id};
    int len, ok = 1;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && ok == 1; i++) {
        const size_t size = strlen(parts[i]);
        const unsigned char head[] = {SEAL_VERSION, (unsigned char)(size >> 8),
                                      (unsigned char)size};

        ok = size <= UINT16_MAX && EVP_CipherUpdate(context, NULL, &len, head, sizeof(head)) == 1 &&
             EVP_CipherUpdate(context, NULL, &len, (const unsigned char *)parts[i], (int)size) == 1;
    }
    return ok;
}

/* A context with key, nonce and place in it; NULL when OpenSSL cannot. */
static EVP_CIPHER_CTX *begin(const struct derived *derived, const struct seal_place *place,
                             const unsigned char *nonce, int encrypt)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    if (context != NULL &&
        EVP_CipherInit_ex2(context, EVP_aes_256_gcm(), derived->bytes, nonce, encrypt, NULL) == 1 &&
        add_place(context, place) == 1)
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

static void put_hex(const unsigned char *bytes, size_t len, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 0xf];
    }
    ret[2 * len] = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* How many bytes, 0: not such a text. */
static size_t get_hex(const char *text, unsigned char ret[BYTES_MAX])
{
    size_t len = strnlen(text, SEAL_TEXT_MAX + 1);

    if (len > SEAL_TEXT_MAX || len % 2 != 0)
        return 0;
    for (size_t i = 0; i < len; i += 2) {
        int high = digit_value(text[i]), low = digit_value(text[i + 1]);

        if (high < 0 || low < 0)
            return 0;
        ret[i / 2] = (unsigned char)(high << 4 | low);
    }
    return len / 2;
}

int seal_close(const struct secret *key, const struct seal_place *place,
               const struct secret *secret, char ret[SEAL_TEXT_MAX + 1], struct err *err)
{
    __attribute__((cleanup(derived_done))) struct derived derived = {0};
    __attribute__((cleanup(free_cipher))) EVP_CIPHER_CTX *context = NULL;
    unsigned char bytes[BYTES_MAX] = {SEAL_VERSION};
    int len, rest, rc = derive(key, &derived, err);

    if (rc != 0)
        return rc;
    if (secret->len == 0 || secret->len > SEAL_PLAIN_MAX)
        return err_set(err, KMS_EINVALID, "a secret of %zu bytes cannot be sealed", secret->len);
    random_bytes(bytes + 1, NONCE_LEN);
    context = begin(&derived, place, bytes + 1, 1);
    if (context == NULL ||
        EVP_CipherUpdate(context, bytes + HEAD_LEN, &len, (const unsigned char *)secret->bytes,
                         (int)secret->len) != 1 ||
        EVP_CipherFinal_ex(context, bytes + HEAD_LEN + len, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN,
                            bytes + HEAD_LEN + secret->len) != 1)
        return err_set(err, KMS_EINTERNAL, "a secret could not be sealed");
    put_hex(bytes, HEAD_LEN + secret->len + TAG_LEN, ret);
    return 0;
}

static int does_not_open(struct err *err)
{
    return err_set(err, KMS_ESOURCE,
                   "the sealed record does not open: the credential kms-seal-key is not the one it "
                   "was sealed with, or the record was changed");
}

int seal_open(const struct secret *key, const struct seal_place *place, const char *text,
              struct secret *ret, struct err *err)
{
    __attribute__((cleanup(derived_done))) struct derived derived = {0};
    __attribute__((cleanup(free_cipher))) EVP_CIPHER_CTX *context = NULL;
    unsigned char bytes[BYTES_MAX], plain[SEAL_PLAIN_MAX];
    size_t total = get_hex(text, bytes), size;
    int len, rest, rc = derive(key, &derived, err);

    if (rc != 0)
        return rc;
    if (total <= HEAD_LEN + TAG_LEN || bytes[0] != SEAL_VERSION)
        return does_not_open(err);
    size = total - HEAD_LEN - TAG_LEN;
    context = begin(&derived, place, bytes + 1, 0);
    if (context == NULL)
        return err_set(err, KMS_EINTERNAL, "a sealed record could not be looked at");
    if (EVP_CipherUpdate(context, plain, &len, bytes + HEAD_LEN, (int)size) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, bytes + total - TAG_LEN) !=
            1 ||
        EVP_CipherFinal_ex(context, plain + len, &rest) != 1)
        rc = does_not_open(err);
    else if (secret_set(ret, plain, size) != 0)
        rc = err_set(err, KMS_ENOMEM, "no locked memory left for a management credential");
    secret_wipe(plain, sizeof(plain));
    return rc;
}
