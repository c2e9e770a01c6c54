/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#ifdef KMS_TEST_HOOKS
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#define OFFSET_UNKNOWN INT64_MIN
#define DATE_STEP_MS 1000 /* a Date says the second only */
#define APART_TRIES 8
#define STEP_MAX_MS 60000       /* from what is known, by one Date alone */
#define AGREE_MS 1000           /* between two that say the same, beside what each leaves open */
#define READ_ERROR_MS 5         /* by which wall minus boot may differ from reading to reading */
#define ROUND_TRIP_MAX_MS 60000 /* longer, or backwards: the wall clock was set meanwhile */

static struct clock_source source; /* all NULL: the kernel's */
/* AWS's clock minus the boot clock, which nobody sets: so AWS's time goes on evenly whatever
 * happens to the wall clock, and what was learned before a jump is still right after it. */
static _Atomic int64_t aws_minus_boot_ms = OFFSET_UNKNOWN;
static atomic_bool in_doubt; /* not confirmed by a Date since clock_doubt_offset() */
/* A Date far from what is known, or from this host's clock where nothing is, counts when one that
 * was asked for afterwards says the same: a single answer with a wrong Date must not end leases,
 * nor let them live on. */
static pthread_mutex_t observe_lock = PTHREAD_MUTEX_INITIALIZER;
static struct claim {
    bool made;
    int64_t low_ms, high_ms;  /* AWS's clock minus the boot clock lies between these */
    int64_t received_boot_ms; /* the answer that says so */
} far_claim;
static atomic_uint doubts;

#ifdef KMS_TEST_HOOKS
static const _Atomic int64_t *test_shift;      /* of the wall clock; NULL: none */
static const _Atomic int64_t *test_boot_shift; /* of the boot clock */

void clock_init(void)
{
    const char *path = getenv("KMS_TEST_CLOCK");
    struct stat st;
    void *p;
    int fd;

    if (path == NULL || test_shift != NULL)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(int64_t)) {
        p = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
        if (p != MAP_FAILED)
            test_shift = p;
        if (p != MAP_FAILED && st.st_size >= (off_t)(2 * sizeof(int64_t)))
            test_boot_shift = test_shift + 1;
    }
    close(fd);
}

static int64_t shift_ms(void)
{
    return test_shift != NULL ? atomic_load(test_shift) : 0;
}

int64_t clock_boot_shift_ms(void)
{
    return test_boot_shift != NULL ? atomic_load(test_boot_shift) : 0;
}
#else
void clock_init(void)
{
}

static int64_t shift_ms(void)
{
    return 0;
}

int64_t clock_boot_shift_ms(void)
{
    return 0;
}
#endif

static int64_t kernel_ms(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void clock_set_source(const struct clock_source *replacement)
{
    source = replacement != NULL ? *replacement : (struct clock_source){0};
}

int64_t clock_wall_ms(void)
{
    if (source.wall_ms != NULL)
        return source.wall_ms(source.arg);
    return kernel_ms(CLOCK_REALTIME) + shift_ms();
}

int64_t clock_boot_ms(void)
{
    if (source.boot_ms != NULL)
        return source.boot_ms(source.arg);
    return kernel_ms(CLOCK_BOOTTIME) + clock_boot_shift_ms();
}

int64_t clock_aws_ms(void)
{
    int64_t apart_ms = atomic_load(&aws_minus_boot_ms);

    return apart_ms == OFFSET_UNKNOWN ? clock_wall_ms() : clock_boot_ms() + apart_ms;
}

/* A thread may lose its processor between two readings, and what the clocks seem to be apart by
 * that would move AWS's time: of some readings the closest counts. */
static int64_t wall_minus_boot(void)
{
    int64_t apart_ms = 0, closest_ms = INT64_MAX;

    for (int i = 0; i < APART_TRIES && closest_ms > 0; i++) {
        int64_t before_ms = clock_boot_ms(), wall_ms = clock_wall_ms();
        int64_t took_ms = clock_boot_ms() - before_ms;

        if (took_ms < closest_ms) {
            closest_ms = took_ms;
            apart_ms = wall_ms - before_ms;
        }
    }
    return apart_ms;
}

static int64_t nearest(int64_t ms, int64_t low_ms, int64_t high_ms)
{
    return ms < low_ms ? low_ms : ms > high_ms ? high_ms : ms;
}

/* Under observe_lock. Whether a later Date says what the one before it said: then only what both
 * allow is left of it. */
static bool narrow_claim(struct claim *claim, int64_t sent_boot_ms)
{
    if (!far_claim.made || sent_boot_ms < far_claim.received_boot_ms - READ_ERROR_MS ||
        claim->low_ms > far_claim.high_ms + AGREE_MS ||
        claim->high_ms < far_claim.low_ms - AGREE_MS)
        return false;
    claim->low_ms = nearest(claim->low_ms, far_claim.low_ms, far_claim.high_ms);
    claim->high_ms = nearest(claim->high_ms, far_claim.low_ms, far_claim.high_ms);
    return true;
}

/* Under observe_lock. The nearest offset that this Date allows: clocks that agree stay as they are,
 * and AWS time does not tremble. */
static void take_claim(struct claim *claim, int64_t sent_boot_ms, int64_t wall_minus_boot_ms)
{
    int64_t known_ms = atomic_load(&aws_minus_boot_ms), near_ms;

    if (known_ms == OFFSET_UNKNOWN)
        known_ms = wall_minus_boot_ms;
    near_ms = nearest(known_ms, claim->low_ms, claim->high_ms);
    if (near_ms - known_ms > STEP_MAX_MS || known_ms - near_ms > STEP_MAX_MS) {
        if (!narrow_claim(claim, sent_boot_ms)) {
            far_claim = *claim;
            atomic_store(&in_doubt, true);
            atomic_fetch_add(&doubts, 1);
            return;
        }
        near_ms = nearest(known_ms, claim->low_ms, claim->high_ms);
    }
    atomic_store(&aws_minus_boot_ms, near_ms);
    atomic_store(&in_doubt, false);
    far_claim.made = false;
}

void clock_observe_aws(int64_t date_ms, int64_t sent_wall_ms, int64_t received_wall_ms)
{
    int64_t round_trip_ms = received_wall_ms - sent_wall_ms;
    int64_t wall_minus_boot_ms = wall_minus_boot();
    /* The Date was made between sending and receiving and says the second only. */
    struct claim claim = {
        .made = true,
        .low_ms = date_ms - received_wall_ms + wall_minus_boot_ms,
        .high_ms = date_ms + DATE_STEP_MS - sent_wall_ms + wall_minus_boot_ms,
        .received_boot_ms = received_wall_ms - wall_minus_boot_ms,
    };

    if (date_ms <= 0 || round_trip_ms < 0 || round_trip_ms > ROUND_TRIP_MAX_MS)
        return;
    pthread_mutex_lock(&observe_lock);
    take_claim(&claim, sent_wall_ms - wall_minus_boot_ms, wall_minus_boot_ms);
    pthread_mutex_unlock(&observe_lock);
}

unsigned clock_doubts(void)
{
    return atomic_load(&doubts);
}

void clock_doubt_offset(void)
{
    atomic_store(&in_doubt, true);
}

void clock_void_offset(void)
{
    pthread_mutex_lock(&observe_lock);
    atomic_store(&aws_minus_boot_ms, OFFSET_UNKNOWN);
    atomic_store(&in_doubt, false);
    far_claim.made = false;
    pthread_mutex_unlock(&observe_lock);
}

bool clock_offset(int64_t *ret_ms)
{
    int64_t apart_ms = atomic_load(&aws_minus_boot_ms);

    if (apart_ms == OFFSET_UNKNOWN || atomic_load(&in_doubt))
        return false;
    if (ret_ms != NULL)
        *ret_ms = clock_boot_ms() + apart_ms - clock_wall_ms();
    return true;
}
