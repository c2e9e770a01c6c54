/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor of common/, not msgpack-c, since only that gives the bytes as they are. */
#include "store/record_unknown.h"

#include "common/mp.h"

#include <string.h>

static bool id_is_known(const struct record_table *const *tables, size_t count, uint64_t id)
{
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            if (tables[t]->fields[i].id == id)
                return true;
    return false;
}

int record_unknown_copy(const void *record, size_t len, const struct record_table *const *tables,
                        size_t table_count, uint8_t *buf, size_t size, size_t *ret_pairs,
                        size_t *ret_len)
{
    struct mp_cursor cursor = {record, (const uint8_t *)record + len};
    uint32_t pairs = 0;
    size_t unknown = 0, used = 0;

    if (mp_get_map(&cursor, &pairs) != 0)
        return -1;
    for (; pairs > 0; pairs--) {
        const uint8_t *start = cursor.p;
        uint64_t id;
        size_t bytes;

        if (mp_get_uint(&cursor, &id) != 0 || mp_skip(&cursor) != 0)
            return -1;
        if (id_is_known(tables, table_count, id))
            continue;
        bytes = (size_t)(cursor.p - start);
        if (bytes > size - used)
            return -1;
        if (buf != NULL)
            memcpy(buf + used, start, bytes);
        used += bytes;
        unknown++;
    }
    *ret_pairs = unknown;
    *ret_len = used;
    return 0;
}
