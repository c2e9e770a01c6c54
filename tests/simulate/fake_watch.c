/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_watch.h"

#include "base/clock.h"
#include "schedule/clock_watch.h"
#include "schedule/process.h"
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the clock ---- */

struct clock_watch {
    int64_t at_ms; /* wall time; 0: not set */
    void (*due)(void *arg);
    void (*jumped)(void *arg);
    void *arg;
};
static struct clock_watch *the_watch;

int clock_watch_new(struct event_base *base, void (*due)(void *arg), void (*jumped)(void *arg),
                    void *arg, struct clock_watch **ret, struct err *err)
{
    (void)base;
    (void)err;
    the_watch = *ret = calloc(1, sizeof **ret);
    if (the_watch == NULL)
        abort();
    *the_watch = (struct clock_watch){.due = due, .jumped = jumped, .arg = arg};
    sim.jumped = false;
    sim.doubted_ms = sim.now_ms;
    return 0;
}

void clock_watch_free(struct clock_watch *watch)
{
    free(watch);
    the_watch = NULL;
}

void clock_watch_set(struct clock_watch *watch, int64_t aws_ms)
{
    int64_t left_ms = aws_ms - clock_aws_ms();

    watch->at_ms = aws_ms == 0 ? 0 : clock_wall_ms() + (left_ms > 0 ? left_ms : 0) + 1;
}

bool clock_watch_check(struct clock_watch *watch)
{
    (void)watch;
    if (!sim.jumped)
        return false;
    return fake_watch_turn();
}

bool fake_watch_turn(void)
{
    if (the_watch == NULL)
        return false;
    if (sim.jumped) {
        sim.jumped = false;
        sim.doubted_ms = sim.now_ms;
        the_watch->jumped(the_watch->arg);
        return true;
    }
    if (the_watch->at_ms == 0 || the_watch->at_ms > clock_wall_ms())
        return false;
    the_watch->at_ms = 0;
    the_watch->due(the_watch->arg);
    return true;
}

int64_t fake_watch_next_ms(void)
{
    return the_watch == NULL || the_watch->at_ms == 0 ? 0 : the_watch->at_ms - sim.wall_shift_ms;
}

void fake_watch_forget(void)
{
    the_watch = NULL;
}

/* ---- processes ---- */

#define FDS_MAX 16

static struct process {
    bool lives;
    int64_t exited_ms;
    int write_fds[FDS_MAX]; /* closing them makes the other ends readable */
    int fd_count;
} processes[PROCESSES_MAX];
static int process_count;

void fake_process_forget_fds(void)
{
    for (int i = 0; i < process_count; i++)
        processes[i].fd_count = 0;
}

static void close_fds(struct process *process)
{
    while (process->fd_count > 0)
        close(process->write_fds[--process->fd_count]);
}

void fake_process_reset(void)
{
    memset(processes, 0, sizeof processes);
    process_count = 0;
}

int fake_process_start(struct lease_process *ret)
{
    if (process_count == PROCESSES_MAX)
        return 0;
    processes[process_count].lives = true;
    process_count++;
    memset(ret, 0, sizeof *ret);
    ret->pid = process_count;
    ret->start_time = (uint64_t)sim.now_ms;
    return process_count;
}

bool fake_process_lives(int pid)
{
    return pid > 0 && processes[pid - 1].lives;
}

void fake_process_exit(int pid)
{
    processes[pid - 1].lives = false;
    processes[pid - 1].exited_ms = sim.now_ms;
    close_fds(&processes[pid - 1]);
}

int64_t fake_process_exited_ms(int pid)
{
    return processes[pid - 1].exited_ms;
}

int fake_process_pidfd(int pid)
{
    struct process *process = &processes[pid - 1];
    int fds[2];

    if (process->fd_count == FDS_MAX) { /* the oldest ones are long closed at the other end */
        errno = EMFILE;
        return -1;
    }
    if (pipe(fds) != 0)
        return -1;
    process->write_fds[process->fd_count++] = fds[1];
    if (!process->lives)
        close_fds(process);
    return fds[0];
}

int process_reopen(const struct lease_process *process)
{
    if (!fake_process_lives(process->pid)) {
        errno = ESRCH;
        return -1;
    }
    return fake_process_pidfd(process->pid);
}
