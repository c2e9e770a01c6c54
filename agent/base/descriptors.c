/* SPDX-License-Identifier: Apache-2.0 */
#include "base/descriptors.h"

#include <limits.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define NEVER_MORE (1U << 24) /* where the limit is infinite; nr_open of the kernel is below it */

static _Atomic unsigned bound;
static _Atomic unsigned bound_max = UINT_MAX;

/* What clients may cause to be opened. */
static unsigned usable(void)
{
    struct rlimit limit, raised;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return DESCRIPTORS_RESERVED;
    raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit = raised;
    if (limit.rlim_cur > NEVER_MORE)
        limit.rlim_cur = NEVER_MORE;
    return (unsigned)(limit.rlim_cur > 2 * DESCRIPTORS_RESERVED
                          ? limit.rlim_cur - DESCRIPTORS_RESERVED
                          : limit.rlim_cur / 2);
}

unsigned descriptors_share_out(unsigned connections)
{
    unsigned all = usable(), now = descriptors_bound();
    unsigned left = all > now ? all - now : 0;
    unsigned most = (left < all / 2 ? left : all / 2) / DESCRIPTORS_OF_CONNECTION;

    if (connections > most)
        connections = most;
    atomic_store(&bound_max, all - connections * DESCRIPTORS_OF_CONNECTION);
    return connections;
}

bool descriptors_take_bound(void)
{
    unsigned now = atomic_load(&bound);

    do {
        if (now >= atomic_load(&bound_max))
            return false;
    } while (!atomic_compare_exchange_weak(&bound, &now, now + 1));
    return true;
}

void descriptors_add_bound(void)
{
    atomic_fetch_add(&bound, 1);
}

void descriptors_give_bound(void)
{
    atomic_fetch_sub(&bound, 1);
}

unsigned descriptors_bound(void)
{
    return atomic_load(&bound);
}

unsigned descriptors_bound_max(void)
{
    return atomic_load(&bound_max);
}

int descriptors_refuse(struct err *err)
{
    err_set(err, KMS_ELIMIT,
            "the agent has no file descriptor left to watch one more process with; raise "
            "LimitNOFILE= of its service");
    return err_hint(err, "ask without bind, or end leases that are bound");
}
