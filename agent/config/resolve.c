/* SPDX-License-Identifier: Apache-2.0 */
#include "config/resolve.h"

#include "config/validate_text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NSS_BUFFER_MAX (1024 * 1024) /* a group's entry lists its members */
#define ID_OVERFLOW 65534u

/* Whether NSS has the name; 1, 0, or -errno. */
static int nss_lookup(bool group, const char *name, char *buf, size_t size, uint32_t *ret)
{
    struct passwd pwd, *user = NULL;
    struct group grp, *found = NULL;
    int rc = group ? getgrnam_r(name, &grp, buf, size, &found)
                   : getpwnam_r(name, &pwd, buf, size, &user);

    if (user != NULL)
        *ret = user->pw_uid;
    else if (found != NULL)
        *ret = found->gr_gid;
    else
        return rc == ERANGE ? -ERANGE : 0;
    return 1;
}

static int nss_ask(bool group, const char *name, uint32_t *ret)
{
    for (size_t size = 4096; size <= NSS_BUFFER_MAX; size *= 4) {
        char *buf = malloc(size);
        int rc;

        if (buf == NULL)
            return -ENOMEM;
        rc = nss_lookup(group, name, buf, size, ret);
        free(buf);
        if (rc != -ERANGE)
            return rc;
    }
    return -ERANGE;
}

static struct resolver_entry *entry_find(struct resolver *resolver, bool group, const char *name)
{
    for (size_t i = 0; i < resolver->count; i++)
        if (resolver->entries[i].group == group && strcmp(resolver->entries[i].name, name) == 0)
            return &resolver->entries[i];
    return NULL;
}

static struct resolver_entry *entry_add(struct resolver *resolver, bool group, const char *name)
{
    struct resolver_entry *entry;

    if (resolver->count == resolver->size) {
        size_t size = resolver->size == 0 ? 16 : resolver->size * 2;
        void *entries = realloc(resolver->entries, size * sizeof(*resolver->entries));

        if (entries == NULL)
            return NULL;
        resolver->entries = entries;
        resolver->size = size;
    }
    entry = &resolver->entries[resolver->count];
    memset(entry, 0, sizeof(*entry));
    entry->group = group;
    entry->name = strdup(name);
    if (entry->name == NULL)
        return NULL;
    resolver->count++;
    return entry;
}

static int name_resolve(struct resolver *resolver, bool group, const char *name, uint32_t *ret,
                        struct err *err)
{
    struct resolver_entry *entry = entry_find(resolver, group, name);

    if (entry == NULL) {
        entry = entry_add(resolver, group, name);
        if (entry == NULL)
            return err_set(err, KMS_ENOMEM, "out of memory");
        entry->found = !resolver->offline && nss_ask(group, name, &entry->id) == 1;
    }
    if (!entry->found)
        return err_set(err, KMS_ECONFIG, "unknown %s \"%.128s\"", group ? "group" : "user", name);
    *ret = entry->id;
    return 0;
}

/* A name, or digits for the id itself. */
static int id_resolve(struct resolver *resolver, bool group, const char *name, uint32_t *ret,
                      struct err *err)
{
    const char *kind = group ? "group" : "user";
    int rc = 0;

    if (name[0] == '\0')
        return err_set(err, KMS_ECONFIG, "the %s has no name", kind);
    if (strspn(name, "0123456789") == strlen(name)) {
        unsigned long long id = strtoull(name, NULL, 10);

        if (strlen(name) > 10 || id > UINT32_MAX)
            return err_set(err, KMS_ECONFIG, "%s id %.32s is too large", kind, name);
        *ret = (uint32_t)id;
    } else {
        rc = name_resolve(resolver, group, name, ret, err);
    }
    if (rc < 0)
        return rc;
    if (*ret == ID_OVERFLOW || *ret == UINT32_MAX)
        return err_set(
            err, KMS_ECONFIG,
            "%s \"%.128s\" has the id %u, which the kernel shows for any %s without a mapping",
            kind, name, *ret, kind);
    return 0;
}

int resolve_group(struct resolver *resolver, const char *name, uint32_t *ret, struct err *err)
{
    uint32_t gid = 0;
    int rc = id_resolve(resolver, true, name, &gid, err);

    if (rc == 0)
        *ret = gid;
    return rc;
}

int resolve_rule(struct resolver *resolver, const char *text, struct rule *ret, struct err *err)
{
    struct rule rule = {0};
    int rc;

    if (strlen(text) >= sizeof(rule.text))
        return err_set(err, KMS_ECONFIG, "a rule is longer than %zu characters",
                       sizeof(rule.text) - 1);
    memcpy(rule.text, text, strlen(text));
    if (strncmp(text, "user:", 5) == 0) {
        rule.kind = RULE_USER;
        rc = id_resolve(resolver, false, text + 5, &rule.id, err);
    } else if (strncmp(text, "group:", 6) == 0) {
        rule.kind = RULE_GROUP;
        rc = id_resolve(resolver, true, text + 6, &rule.id, err);
    } else if (strncmp(text, "unit:", 5) == 0) {
        rule.kind = RULE_UNIT;
        rc = check_unit_name(text + 5, err);
    } else {
        rc = err_set(err, KMS_ECONFIG,
                     "rule \"%s\" is not user:NAME, group:NAME or unit:NAME.service", text);
    }
    if (rc == 0)
        *ret = rule;
    return rc;
}

void resolver_done(struct resolver *resolver)
{
    for (size_t i = 0; i < resolver->count; i++)
        free(resolver->entries[i].name);
    free(resolver->entries);
    memset(resolver, 0, sizeof(*resolver));
}
