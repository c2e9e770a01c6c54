/* SPDX-License-Identifier: Apache-2.0 */
#include "config/grant.h"

#include "base/digest.h"
#include "config/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS 32 /* of each digest: 128 bits are enough to tell documents of one author apart */

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The strings of an option in one text, sorted, each with its length before it. NULL: no memory. */
static char *join(const struct string_list *list, size_t *ret_len)
{
    char **sorted = calloc(list->count, sizeof *sorted);
    char *text = NULL;
    FILE *out = sorted != NULL ? open_memstream(&text, ret_len) : NULL;

    if (out != NULL) {
        memcpy(sorted, list->items, list->count * sizeof *sorted);
        qsort(sorted, list->count, sizeof *sorted, text_compare);
        for (size_t i = 0; i < list->count; i++)
            fprintf(out, "%zu:%s", strlen(sorted[i]), sorted[i]);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    free(sorted);
    return text;
}

/* What is set of an option: a list, or one string as a list of one. */
static struct string_list strings_of(const struct secret_config *secret,
                                     const struct option *option, char *one[1])
{
    const void *value = (const char *)secret + option->offset;

    if (option->type == OPTION_LIST || option->type == OPTION_DOCUMENTS)
        return *(const struct string_list *)value;
    one[0] = *(char *const *)value;
    return (struct string_list){one, one[0] != NULL};
}

static int append(char grant[RECIPE_GRANT_MAX + 1], const char *name,
                  const struct string_list *strings)
{
    char digest[DIGEST_HEX_SIZE];
    size_t len, used = strlen(grant);
    char *text = join(strings, &len);
    int rc = text != NULL ? digest_sha256_hex(text, len, digest) : KMS_ENOMEM;

    free(text);
    if (rc == 0 &&
        snprintf(grant + used, RECIPE_GRANT_MAX + 1 - used, "%s%s:%.*s", used > 0 ? " " : "", name,
                 DIGITS, digest) > (int)(RECIPE_GRANT_MAX - used))
        rc = KMS_EINTERNAL;
    return rc;
}

int grant_digest(struct secret_config *secret)
{
    char grant[RECIPE_GRANT_MAX + 1] = "";
    int rc = 0;

    for (unsigned i = 0; i < recipe_grant_option_count && rc == 0; i++) {
        const struct option *option = schema_find(SECTION_SECRET, recipe_grant_options[i]);
        char *one[1];
        struct string_list strings = strings_of(secret, option, one);

        if (strings.count > 0)
            rc = append(grant, option->name, &strings);
    }
    if (rc == 0)
        snprintf(secret->recipe.grant, sizeof secret->recipe.grant, "%s",
                 grant[0] != '\0' ? grant : RECIPE_GRANT_NONE);
    return rc;
}
