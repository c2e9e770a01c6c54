/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <openssl/evp.h>

int digest_sha256_hex(const void *buf, size_t len, char ret[DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int hash_len = 0;

    if (EVP_Digest(buf, len, hash, &hash_len, EVP_sha256(), NULL) != 1 ||
        hash_len != (DIGEST_HEX_SIZE - 1) / 2)
        return KMS_EINTERNAL;
    for (unsigned int i = 0; i < hash_len; i++) {
        ret[2 * i] = digits[hash[i] >> 4];
        ret[2 * i + 1] = digits[hash[i] & 0xf];
    }
    ret[DIGEST_HEX_SIZE - 1] = '\0';
    return 0;
}
