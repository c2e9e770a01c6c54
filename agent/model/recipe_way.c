/* SPDX-License-Identifier: Apache-2.0 */
#include "model/partition.h"
#include "model/recipe.h"

#define FNV_BASIS 2166136261u /* FNV-1a, 32 bits */
#define FNV_PRIME 16777619u

static uint32_t mix(uint32_t hash, const char *text)
{
    for (;; text++) {
        hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
        if (*text == '\0') /* hashed too: it separates texts */
            return hash;
    }
}

static uint32_t not_zero(uint32_t hash)
{
    return hash != 0 ? hash : 1;
}

static uint32_t mix_iam(uint32_t hash, const struct recipe *recipe)
{
    struct endpoint endpoint;

    return mix(hash, endpoint_iam(recipe, &endpoint) == 0 ? endpoint.url : recipe->region);
}

static uint32_t mix_sts(uint32_t hash, const struct recipe *recipe)
{
    struct endpoint endpoint;

    return mix(hash, endpoint_sts(recipe, &endpoint) == 0 ? endpoint.url : recipe->region);
}

uint32_t recipe_iam_way(const struct recipe *recipe)
{
    return not_zero(mix_iam(FNV_BASIS, recipe));
}

uint32_t recipe_way(const struct recipe *recipe)
{
    bool own_key = recipe->access_key_id[0] != '\0';
    uint32_t hash = mix(mix_iam(FNV_BASIS, recipe), secret_method_name(recipe->method));

    if (recipe->method != SECRET_ACCESS_KEY || recipe->type == CREDENTIAL_SESSION)
        hash = mix_sts(hash, recipe);
    if (recipe->method == SECRET_ASSUME_ROLE)
        hash = mix(hash, own_key ? "key" : recipe->imds_endpoint);
    return not_zero(hash);
}

uint32_t recipe_source_way(const struct recipe *recipe)
{
    const char *const parts[] = {secret_method_name(recipe->method),
                                 recipe->access_key_id,
                                 recipe->secret_access_key,
                                 recipe->role_arn,
                                 recipe->external_id,
                                 recipe->web_identity_token_file,
                                 recipe->imds_endpoint,
                                 recipe->ca_file};
    uint32_t hash = mix_sts(FNV_BASIS, recipe);

    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
        hash = mix(hash, parts[i]);
    return not_zero(hash);
}
