/* SPDX-License-Identifier: Apache-2.0 */
#include "model/root_key.h"

#include <string.h>

static void forget_intent(struct root_key *record)
{
    memset(record->next_id, 0, sizeof(record->next_id));
    memset(record->next_seal, 0, sizeof(record->next_seal));
    memset(record->known_id, 0, sizeof(record->known_id));
    record->begun_ms = 0;
}

void root_key_settle(struct root_key *record)
{
    memcpy(record->current_id, record->next_id, sizeof(record->current_id));
    memcpy(record->current_seal, record->next_seal, sizeof(record->current_seal));
    forget_intent(record);
    record->stage = ROOT_KEY_SETTLED;
}

void root_key_abandon(struct root_key *record)
{
    forget_intent(record);
    record->stage = record->current_seal[0] != '\0' ? ROOT_KEY_SETTLED : ROOT_KEY_NONE;
}

bool root_key_is_pending(const struct root_key *record)
{
    return record->stage == ROOT_KEY_INTENT || record->stage == ROOT_KEY_SEALED ||
           record->stage == ROOT_KEY_PROVEN;
}

bool root_key_is_new(const struct root_key *record, const char *id)
{
    return strcmp(id, record->current_id) != 0 && strcmp(id, record->configured_id) != 0 &&
           strcmp(id, record->known_id) != 0;
}

bool root_key_is_leftover(const struct root_key *record, const char *id, int64_t created_ms)
{
    return record->stage == ROOT_KEY_INTENT && root_key_is_new(record, id) &&
           created_ms >= record->begun_ms - ROOT_KEY_BEFORE_MS &&
           created_ms <= record->begun_ms + ROOT_KEY_AFTER_MS;
}
