/* SPDX-License-Identifier: Apache-2.0 */
/* Lease id → anything that embeds a struct id_node. Owns nothing; no locking. */
#ifndef KMS_AGENT_SCHEDULE_ID_MAP_H
#define KMS_AGENT_SCHEDULE_ID_MAP_H

#include "common/uuid7.h"

#include <stddef.h>

#define ID_MAP_BUCKETS 1024

struct id_node {
    struct uuid id;
    struct id_node *next;
};

struct id_map {
    struct id_node *buckets[ID_MAP_BUCKETS];
    size_t count;
};

/* NULL if there is none. */
struct id_node *id_map_find(const struct id_map *map, const struct uuid *id);
/* The id must not be in the map. */
void id_map_add(struct id_map *map, const struct uuid *id, struct id_node *node);
/* The node must be in the map. */
void id_map_remove(struct id_map *map, struct id_node *node);
/* Any node, or NULL when the map is empty. */
struct id_node *id_map_any(const struct id_map *map);
/* Calls each for every node; it must not change the map. */
void id_map_each(const struct id_map *map, void (*each)(struct id_node *node, void *arg),
                 void *arg);

#endif
