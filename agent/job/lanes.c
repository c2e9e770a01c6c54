/* SPDX-License-Identifier: Apache-2.0 */
#include "job/lanes.h"

/* Of 64 threads; the other 38 go to whoever comes first. */
static const unsigned reserve_of_64[LANE_COUNT] = {
    [LANE_REVOKE] = 8, [LANE_SESSION] = 8, [LANE_MINT] = 8, [LANE_BACKGROUND] = 2};

static unsigned part_of(unsigned threads_max, unsigned divisor)
{
    return threads_max > divisor ? threads_max / divisor : 1;
}

void lanes_init(struct lanes *lanes, unsigned threads_max)
{
    unsigned left = threads_max;

    *lanes = (struct lanes){.threads_max = threads_max,
                            .lane_slot_max = part_of(threads_max, 4),
                            .slot_max = part_of(threads_max, 2)};
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &lanes->lane[i];
        unsigned share = reserve_of_64[i] * threads_max / 64;

        way_queue_init(&lane->resumed);
        way_queue_init(&lane->fresh);
        if (share == 0)
            share = 1;
        lane->reserve = share < left ? share : left;
        left -= lane->reserve;
    }
    /* With one to three threads the first lanes took them all: the last lanes must not starve for
     * it. */
    for (unsigned i = 0; threads_max < LANE_COUNT && i < LANE_COUNT; i++)
        lanes->lane[i].reserve = 0;
}

void lanes_push(struct lanes *lanes, struct job *job, bool resumed)
{
    struct lane *lane = &lanes->lane[job->lane];

    way_queue_push(resumed || job->first ? &lane->resumed : &lane->fresh, way_slot(job->way),
                   &job->link);
    if (!job->internal)
        lane->client_waiting++;
}

/* The slots that have their part of the threads. Mints and sessions of a way never keep its
 * revocations from theirs. */
static uint64_t barred_slots(const struct lanes *lanes, const struct lane *lane)
{
    unsigned slot_max = lane == &lanes->lane[LANE_REVOKE] ? lanes->threads_max : lanes->slot_max;
    uint64_t barred = 0;

    for (unsigned i = 1; i < WAY_SLOTS; i++)
        if (lane->slot_running[i] >= lanes->lane_slot_max || lanes->slot_running[i] >= slot_max)
            barred |= UINT64_C(1) << i;
    return barred;
}

static struct job *lane_pop(const struct lanes *lanes, struct lane *lane)
{
    struct queue_link *link;
    uint64_t barred;
    struct job *job;
    unsigned slot;

    if (lane->resumed.count + lane->fresh.count == 0)
        return NULL;
    barred = barred_slots(lanes, lane);
    link = way_queue_pop(&lane->resumed, barred, &slot);
    if (link == NULL)
        link = way_queue_pop(&lane->fresh, barred, &slot);
    if (link == NULL)
        return NULL;
    job = QUEUE_OF(link, struct job, link);
    job->slot = (uint8_t)slot;
    if (!job->internal)
        lane->client_waiting--;
    return job;
}

/* Invariant: free threads never fall below what lanes under their reserve could still claim. So a
 * lane under its reserve may always start, and one over it only out of what is left. */
static bool lane_may_start(const struct lanes *lanes, unsigned index)
{
    unsigned free_threads = lanes->threads_max - lanes->running, owed = 0;

    if (free_threads == 0)
        return false;
    if (lanes->lane[index].running < lanes->lane[index].reserve)
        return true;
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        const struct lane *lane = &lanes->lane[i];

        if (lane->running < lane->reserve)
            owed += lane->reserve - lane->running;
    }
    return free_threads > owed;
}

struct job *lanes_start(struct lanes *lanes)
{
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &lanes->lane[i];
        struct job *job = lane_may_start(lanes, i) ? lane_pop(lanes, lane) : NULL;

        if (job != NULL) {
            lane->running++;
            lane->slot_running[job->slot]++;
            lanes->running++;
            lanes->slot_running[job->slot]++;
            return job;
        }
    }
    return NULL;
}

void lanes_end(struct lanes *lanes, const struct job *job)
{
    struct lane *lane = &lanes->lane[job->lane];

    lane->running--;
    lane->slot_running[job->slot]--;
    lanes->running--;
    lanes->slot_running[job->slot]--;
}

/* Takes the index-th element, slot by slot. */
static struct queue_link *way_queue_take(struct way_queue *queue, size_t index)
{
    struct queue_link *link;
    unsigned slot = 0;

    while (index >= queue->slots[slot].count)
        index -= queue->slots[slot++].count;
    link = queue->slots[slot].first;
    while (index-- > 0)
        link = link->next;
    (void)way_queue_remove(queue, slot, link);
    return link;
}

struct job *lanes_take(struct lanes *lanes, uint64_t pick)
{
    size_t total = 0, index;

    for (unsigned i = 0; i < LANE_COUNT; i++)
        total += lanes_waiting(lanes, i);
    if (total == 0)
        return NULL;
    index = (size_t)(pick % total);
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &lanes->lane[i];
        struct way_queue *queues[2] = {&lane->resumed, &lane->fresh};

        for (unsigned k = 0; k < 2; k++) {
            if (index < queues[k]->count) {
                struct job *job = QUEUE_OF(way_queue_take(queues[k], index), struct job, link);

                lane->client_waiting -= job->internal ? 0 : 1;
                return job;
            }
            index -= queues[k]->count;
        }
    }
    return NULL;
}

bool lanes_withdraw(struct lanes *lanes, struct job *job)
{
    struct lane *lane = &lanes->lane[job->lane];
    unsigned slot = way_slot(job->way);

    if (!way_queue_remove(&lane->resumed, slot, &job->link) &&
        !way_queue_remove(&lane->fresh, slot, &job->link))
        return false;
    lane->client_waiting -= job->internal ? 0 : 1;
    return true;
}

unsigned lanes_waiting(const struct lanes *lanes, enum job_lane lane)
{
    return (unsigned)(lanes->lane[lane].resumed.count + lanes->lane[lane].fresh.count);
}
