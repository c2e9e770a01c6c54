/* SPDX-License-Identifier: Apache-2.0 */
/* Times and durations as text. Pure; times are milliseconds since 1970 UTC. */
#ifndef KMS_COMMON_TIMEFMT_H
#define KMS_COMMON_TIMEFMT_H

#include <stddef.h>
#include <stdint.h>

#define TIME_TEXT_SIZE 32

/* RFC 3339 in UTC with Z, whole seconds (rounded down): "2026-01-02T03:04:05Z". */
void time_format(int64_t ms, char ret[TIME_TEXT_SIZE]);
/* RFC 3339 with or without fraction, Z or an offset; 0 or -1. */
int time_parse(const char *text, int64_t *ret_ms);
/* HTTP Date (RFC 9110 5.6.7, IMF-fixdate): "Sun, 06 Nov 1994 08:49:37 GMT"; 0 or -1. */
int time_parse_http(const char *text, int64_t *ret_ms);
/* "90", "90s", "15m", "1h30m", "2d", "500ms" (sums, largest unit first, no sign, no fraction); 0 or -1. */
int duration_parse(const char *text, int64_t *ret_ms);
/* Shortest exact form: "1h30m", "45s", "1h", "0s". */
void duration_format(int64_t ms, char *ret, size_t size);

#endif
