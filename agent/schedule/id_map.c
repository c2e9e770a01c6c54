/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/id_map.h"

/* The tail of a UUIDv7 is random; its head is the time. */
static size_t bucket_of(const struct uuid *id)
{
    return ((size_t)id->bytes[14] << 8 | id->bytes[15]) % ID_MAP_BUCKETS;
}

struct id_node *id_map_find(const struct id_map *map, const struct uuid *id)
{
    struct id_node *node = map->buckets[bucket_of(id)];

    while (node != NULL && !uuid_equal(&node->id, id))
        node = node->next;
    return node;
}

void id_map_add(struct id_map *map, const struct uuid *id, struct id_node *node)
{
    struct id_node **bucket = &map->buckets[bucket_of(id)];

    node->id = *id;
    node->next = *bucket;
    *bucket = node;
    map->count++;
}

void id_map_remove(struct id_map *map, struct id_node *node)
{
    struct id_node **link = &map->buckets[bucket_of(&node->id)];

    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    map->count--;
}

struct id_node *id_map_any(const struct id_map *map)
{
    for (size_t i = 0; i < ID_MAP_BUCKETS; i++)
        if (map->buckets[i] != NULL)
            return map->buckets[i];
    return NULL;
}

void id_map_each(const struct id_map *map, void (*each)(struct id_node *node, void *arg), void *arg)
{
    for (size_t i = 0; i < ID_MAP_BUCKETS; i++)
        for (struct id_node *node = map->buckets[i]; node != NULL; node = node->next)
            each(node, arg);
}
