/* SPDX-License-Identifier: Apache-2.0 */
/* What kms-bench-aws answers: the XML of each action, filled in with what the caller reads. */
#ifndef KMS_TESTS_BENCH_AWS_ANSWERS_H
#define KMS_TESTS_BENCH_AWS_ANSWERS_H

#include <stddef.h>

#define AWS_ANSWER_MAX 4096

/* The whole HTTP answer to a form body into ret; its length. Nothing is checked: no signature, no
 * state. */
size_t aws_answer(const char *body, size_t len, char ret[AWS_ANSWER_MAX]);

#endif
