/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crash_point.h"

#ifdef KMS_TEST_HOOKS
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char wanted[128]; /* empty: none */
static atomic_long passes_left;

static void read_environment(void)
{
    const char *text = getenv("KMS_CRASH_AT");
    char *colon, *end;
    long pass = 1;

    if (text == NULL || strlen(text) >= sizeof(wanted))
        return;
    strcpy(wanted, text);
    colon = strrchr(wanted, ':');
    if (colon != NULL && colon[1] != '\0') {
        pass = strtol(colon + 1, &end, 10);
        if (*end == '\0')
            *colon = '\0';
        else
            pass = 1;
    }
    atomic_store(&passes_left, pass);
}

void crash_point(const char *name)
{
    pthread_once(&once, read_environment);
    if (wanted[0] == '\0' || strcmp(wanted, name) != 0)
        return;
    if (atomic_fetch_sub(&passes_left, 1) != 1)
        return;
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}
#endif
