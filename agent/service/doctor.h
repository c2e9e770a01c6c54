/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor finds: lines gathered on the loop (what the service knows) and, for admins, on a
 * worker (what AWS says). Private to service/. */
#ifndef KMS_AGENT_SERVICE_DOCTOR_H
#define KMS_AGENT_SERVICE_DOCTOR_H

#include "lease/aws_access.h"
#include "service/secret_facts.h"
#include "service/wire.h"

#define DOCTOR_LINES_MAX 900 /* an answer's array holds 1024 */
#define DOCTOR_TIME_MS 9000  /* of the worker's part: all is answered within ten seconds */

enum doctor_level { DOCTOR_OK, DOCTOR_INFO, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_line {
    enum doctor_level level;
    const char *what; /* one word, constant */
    char secret[SECRET_NAME_MAX + 1];
    char *text; /* one sentence */
};

struct doctor_lines {
    struct doctor_line *items;
    size_t count;
    bool failed;  /* a line of level fail */
    bool dropped; /* out of memory, or too many */
};

/* secret NULL: of no secret. Control characters are the reader's to blank. */
void doctor_say(struct doctor_lines *lines, enum doctor_level level, const char *what,
                const char *secret, const char *format, ...) KMS_PRINTF(5, 6);
/* {lines: [{level, what, secret?, text}], ok}, as the result. */
void doctor_put(struct wire_writer *writer, const struct doctor_lines *lines);
void doctor_lines_done(struct doctor_lines *lines);

/* The checks of one secret at AWS, kept while the job waits for its budget. */
struct doctor_secret {
    struct doctor_lines *lines;
    struct lease_env *env;
    const struct secret_config *secret;
    struct recipe recipe; /* the secret's, for which a role's session is always fetched */
    struct secret_facts known;
    struct aws_access manager, base;
    unsigned step;     /* of the list of checks */
    size_t need, item; /* where a check of many calls is */
    size_t allowed, denied;
    bool over; /* nothing more can be asked */
};

/* One round: 0 when done, or KMS_EAGAIN with job->wake_ms. Begin with a zeroed struct and lines,
 * env and secret set. Worker threads; nothing at AWS is changed. */
int doctor_secret_run(struct doctor_secret *doctor, struct lease_worker *worker, struct job *job);
void doctor_secret_done(struct doctor_secret *doctor);

struct cold;
/* A line for each lease that is stuck, the newest few, with the reason. Worker threads. */
void doctor_leases(struct doctor_lines *lines, struct cold *cold);

/* A part of the permissions, and how doctor tells of it. */
struct doctor_part {
    enum least_part part;
    const char *what;           /* of the lines */
    enum doctor_level missing;  /* of the line for a permission that is not there */
    const char *needed_by;      /* what of the agent goes without it, with its blanks; "" */
    const char *policy_options; /* of kmsctl policy, to have it printed, with its blank; "" */
};

/* One simulated call in doctor_simulate.c: the need-th group of permissions. 0 with more to do,
 * 1 when there is none left, or an error; lines are said as they are found. */
int doctor_simulate(struct doctor_secret *doctor, const struct doctor_part *part,
                    struct aws_access *access, const char *principal,
                    struct err *err) KMS_MUST_CHECK;

#endif
