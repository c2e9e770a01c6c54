/* SPDX-License-Identifier: Apache-2.0 */
#include "front/output.h"

#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define IOV_COUNT 16

struct output_chunk {
    struct output_chunk *next;
    output_written_fn *written;
    void *arg;
    size_t len, sent;
    uint8_t bytes[];
};

void output_init(struct output *output, size_t max, struct limits *limits, uint32_t uid)
{
    *output = (struct output){.max = max, .limits = limits, .uid = uid};
}

bool output_has_room(const struct output *output)
{
    if (output->len == 0)
        return true;
    return output->len < output->max &&
           (output->limits == NULL || !limits_reads_slowly(output->limits, output->uid));
}

/* After the kernel has taken what it takes: most answers are never counted. */
static void count(struct output *output)
{
    if (output->limits != NULL && output->len != output->counted)
        limits_move_unread(output->limits, output->uid, output->counted, output->len);
    output->counted = output->len;
}

int output_push(struct output *output, int fd, const uint8_t *bytes, size_t len,
                output_written_fn *written, void *arg)
{
    struct output_chunk *chunk;
    size_t sent = 0;

    /* Mostly the kernel takes a whole answer at once: then there is nothing to copy and wipe.
     * Whatever else it says, it says again when the queue is flushed. */
    if (output->first == NULL) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n == (ssize_t)len) {
            if (written != NULL)
                written(true, arg);
            return 0;
        }
        sent = n > 0 ? (size_t)n : 0;
    }
    chunk = wiping_malloc(sizeof *chunk + len);
    if (chunk == NULL)
        return KMS_ENOMEM;
    *chunk = (struct output_chunk){.written = written, .arg = arg, .len = len, .sent = sent};
    memcpy(chunk->bytes, bytes, len);
    if (output->last != NULL)
        output->last->next = chunk;
    else
        output->first = chunk;
    output->last = chunk;
    output->len += len - sent;
    return 0;
}

/* The callback comes last: it may look at the queue. */
static void finish_first(struct output *output, bool ok)
{
    struct output_chunk *chunk = output->first;
    output_written_fn *written = chunk->written;
    void *arg = chunk->arg;

    output->first = chunk->next;
    if (output->first == NULL)
        output->last = NULL;
    output->len -= chunk->len - chunk->sent;
    wiping_free(chunk);
    if (written != NULL)
        written(ok, arg);
}

static void account(struct output *output, size_t sent)
{
    while (sent > 0) {
        struct output_chunk *chunk = output->first;
        size_t left = chunk->len - chunk->sent;
        size_t here = sent < left ? sent : left;

        chunk->sent += here;
        output->len -= here;
        sent -= here;
        if (here == left)
            finish_first(output, true);
    }
}

static ssize_t send_some(const struct output *output, int fd)
{
    struct iovec iov[IOV_COUNT];
    struct msghdr message = {.msg_iov = iov};

    for (struct output_chunk *chunk = output->first; chunk != NULL; chunk = chunk->next) {
        if (message.msg_iovlen == IOV_COUNT)
            break;
        iov[message.msg_iovlen++] = (struct iovec){.iov_base = chunk->bytes + chunk->sent,
                                                   .iov_len = chunk->len - chunk->sent};
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int output_flush(struct output *output, int fd, bool *ret_progress)
{
    while (output->first != NULL) {
        ssize_t n = send_some(output, fd);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int error = errno;

            count(output);
            return error == EAGAIN ? 0 : -1;
        }
        account(output, (size_t)n);
        if (ret_progress != NULL)
            *ret_progress = true;
    }
    count(output);
    return 0;
}

void output_fail(struct output *output)
{
    while (output->first != NULL)
        finish_first(output, false);
    count(output);
}
