/* SPDX-License-Identifier: Apache-2.0 */
#include "common/timefmt.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS 86400000LL

struct civil {
    int year, month, day, hour, minute, second, ms;
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar; gmtime and timegm are not used because
 * they read no time zone but differ in what they accept. Source: Howard Hinnant, chrono-Compatible
 * Low-Level Date Algorithms, days_from_civil and civil_from_days. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t days, struct civil *ret)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    ret->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    ret->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    ret->year = (int)(yoe + era * 400 + (ret->month <= 2));
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool civil_valid(const struct civil *c)
{
    return c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= days_in_month(c->year, c->month) && c->hour <= 23 && c->minute <= 59 &&
           c->second <= 60; /* a leap second counts as the second after :59 */
}

static int64_t civil_ms(const struct civil *c)
{
    int64_t seconds = c->hour * 3600LL + c->minute * 60LL + c->second;

    return days_from_civil(c->year, c->month, c->day) * DAY_MS + seconds * 1000 + c->ms;
}

void time_format(int64_t ms, char ret[TIME_TEXT_SIZE])
{
    const int64_t first = -62167219200000LL, last = 253402300799000LL; /* years 0000 to 9999 */
    struct civil c;

    ms = ms < first ? first : ms > last ? last : ms;
    int64_t days = ms >= 0 ? ms / DAY_MS : -((-ms + DAY_MS - 1) / DAY_MS);
    int in_day = (int)((ms - days * DAY_MS) / 1000);

    civil_from_days(days, &c);
    snprintf(ret, TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)c.year % 10000,
             (unsigned)c.month % 100, (unsigned)c.day % 100, (unsigned)in_day / 3600 % 100,
             (unsigned)in_day / 60 % 60, (unsigned)in_day % 60);
}

/* Reads exactly `digits` digits; NULL in *text stands for an earlier failure. */
static int read_digits(const char **text, int digits)
{
    int value = 0;

    for (int i = 0; *text && i < digits; i++) {
        char c = (*text)[i];

        if (c < '0' || c > '9')
            *text = NULL;
        else
            value = value * 10 + (c - '0');
    }
    if (*text)
        *text += digits;
    return value;
}

static void read_char(const char **text, const char *one_of)
{
    if (*text && **text && strchr(one_of, **text))
        (*text)++;
    else
        *text = NULL;
}

/* ".123456": any number of digits, cut to milliseconds. */
static int read_fraction(const char **text)
{
    int ms = 0, scale = 100, digits = 0;

    for ((*text)++; **text >= '0' && **text <= '9'; (*text)++, digits++) {
        ms += (**text - '0') * scale;
        scale /= 10;
    }
    if (digits == 0)
        *text = NULL;
    return ms;
}

/* "Z" or "+hh:mm"; *ret_minutes east of UTC. */
static void read_zone(const char **text, int *ret_minutes)
{
    *ret_minutes = 0;
    if (!*text)
        return;
    char sign = **text;

    read_char(text, "Zz+-");
    if (!*text || sign == 'Z' || sign == 'z')
        return;
    int hours = read_digits(text, 2);

    read_char(text, ":");
    int minutes = read_digits(text, 2);

    if (hours > 23 || minutes > 59)
        *text = NULL;
    *ret_minutes = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
}

int time_parse(const char *text, int64_t *ret_ms)
{
    struct civil c = {0};
    const char *p = text;
    int zone;

    c.year = read_digits(&p, 4);
    read_char(&p, "-");
    c.month = read_digits(&p, 2);
    read_char(&p, "-");
    c.day = read_digits(&p, 2);
    read_char(&p, "Tt");
    c.hour = read_digits(&p, 2);
    read_char(&p, ":");
    c.minute = read_digits(&p, 2);
    read_char(&p, ":");
    c.second = read_digits(&p, 2);
    if (p && *p == '.')
        c.ms = read_fraction(&p);
    read_zone(&p, &zone);
    if (!p || *p || !civil_valid(&c))
        return -1;
    *ret_ms = civil_ms(&c) - zone * 60000LL;
    return 0;
}

/* Index of a three-letter name in a row of them, -1 if none; advances. */
static int read_name(const char **text, const char *names)
{
    for (int i = 0; *text && names[3 * i]; i++) {
        if (strncmp(*text, names + 3 * i, 3) == 0) {
            *text += 3;
            return i;
        }
    }
    *text = NULL;
    return -1;
}

static void read_literal(const char **text, const char *literal)
{
    size_t len = strlen(literal);

    if (*text)
        *text = strncmp(*text, literal, len) == 0 ? *text + len : NULL;
}

int time_parse_http(const char *text, int64_t *ret_ms)
{
    struct civil c = {0};
    const char *p = text;

    read_name(&p, "MonTueWedThuFriSatSun");
    read_literal(&p, ", ");
    c.day = read_digits(&p, 2);
    read_literal(&p, " ");
    c.month = read_name(&p, "JanFebMarAprMayJunJulAugSepOctNovDec") + 1;
    read_literal(&p, " ");
    c.year = read_digits(&p, 4);
    read_literal(&p, " ");
    c.hour = read_digits(&p, 2);
    read_literal(&p, ":");
    c.minute = read_digits(&p, 2);
    read_literal(&p, ":");
    c.second = read_digits(&p, 2);
    read_literal(&p, " GMT");
    if (!p || *p || !civil_valid(&c))
        return -1;
    *ret_ms = civil_ms(&c);
    return 0;
}

static const struct {
    const char *name;
    int64_t ms;
} units[] = {{"d", DAY_MS}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

#define UNITS (sizeof units / sizeof units[0])

/* Digits as a number; -1 if there are none or too many. */
static int64_t read_count(const char **text)
{
    int64_t value = 0;
    const char *start = *text;

    for (; **text >= '0' && **text <= '9'; (*text)++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, **text - '0', &value))
            return -1;
    return *text == start ? -1 : value;
}

/* The unit at *text, UNITS if none: "m" is minutes unless an "s" follows. */
static size_t read_unit(const char **text)
{
    size_t len = strspn(*text, "dhms");

    for (size_t i = 0; i < UNITS; i++) {
        if (strlen(units[i].name) == len && strncmp(*text, units[i].name, len) == 0) {
            *text += len;
            return i;
        }
    }
    return UNITS;
}

int duration_parse(const char *text, int64_t *ret_ms)
{
    int64_t total = 0;
    const char *p = text;

    for (size_t next = 0; *p;) {
        int64_t count = read_count(&p), part;
        size_t unit =
            count >= 0 && !*p && next == 0 ? 3 : read_unit(&p); /* a bare number: seconds */

        if (count < 0 || unit == UNITS || unit < next)
            return -1;
        if (__builtin_mul_overflow(count, units[unit].ms, &part) ||
            __builtin_add_overflow(total, part, &total))
            return -1;
        next = unit + 1;
    }
    if (p == text)
        return -1;
    *ret_ms = total;
    return 0;
}

void duration_format(int64_t ms, char *ret, size_t size)
{
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    char text[64] = "";
    size_t len = 0;

    if (ms < 0)
        text[len++] = '-';
    for (size_t i = 0; i < UNITS; i++) {
        uint64_t count = left / (uint64_t)units[i].ms;

        left -= count * (uint64_t)units[i].ms;
        if (count > 0)
            len += (size_t)snprintf(text + len, sizeof text - len, "%llu%s",
                                    (unsigned long long)count, units[i].name);
    }
    snprintf(ret, size, "%s", ms == 0 ? "0s" : text);
}
