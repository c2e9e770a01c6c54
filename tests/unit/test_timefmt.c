/* SPDX-License-Identifier: Apache-2.0 */
#include "common/timefmt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void formats(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1735787045999, "2025-01-02T03:04:05Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {-86400000, "1969-12-31T00:00:00Z"},
        {253402300799999, "9999-12-31T23:59:59Z"},
        {INT64_MAX, "9999-12-31T23:59:59Z"},
        {INT64_MIN, "0000-01-01T00:00:00Z"},
    };
    char text[TIME_TEXT_SIZE];
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        time_format(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* Judge: libc's gmtime_r, over the years 1900 to 2200. */
static void format_and_parse_agree_with_libc(void **state)
{
    (void)state;

    for (int64_t s = -2208988800; s < 7258118400; s += 86399 * 7 + 13) {
        char text[TIME_TEXT_SIZE], judge[TIME_TEXT_SIZE];
        time_t t = (time_t)s;
        struct tm tm;
        int64_t back = 0;

        time_format(s * 1000, text);
        strftime(judge, sizeof judge, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
        assert_string_equal(text, judge);
        assert_int_equal(time_parse(text, &back), 0);
        assert_true(back == s * 1000);
        strftime(judge, sizeof judge, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_int_equal(time_parse_http(judge, &back), 0);
        assert_true(back == s * 1000);
    }
}

static void parses(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"2025-01-02T03:04:05.123456Z", 1735787045123},
        {"2025-01-02T03:04:05.5Z", 1735787045500},
        {"2025-01-02T04:34:05+01:30", 1735787045000},
        {"2025-01-01T21:04:05-06:00", 1735787045000},
        {"2016-12-31T23:59:60Z", 1483228800000},
    };
    int64_t ms;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(time_parse(cases[i].text, &ms), 0);
        assert_true(ms == cases[i].ms);
    }
}

static void refuses(void **state)
{
    static const char *const wrong[] = {
        "",
        "2025",
        "2025-01-02",
        "2025-01-02T03:04:05",
        "2025-01-02 03:04:05Z",
        "2025-02-29T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-01-00T00:00:00Z",
        "2025-01-02T24:00:00Z",
        "2025-01-02T03:60:05Z",
        "2025-01-02T03:04:61Z",
        "2025-01-02T03:04:05.Z",
        "2025-01-02T03:04:05+0100",
        "2025-01-02T03:04:05+24:00",
        "2025-01-02T03:04:05Zx",
        "+025-01-02T03:04:05Z",
        "2025-1-02T03:04:05Z",
    };
    int64_t ms = 42;
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(time_parse(wrong[i], &ms), -1);
    assert_int_equal(ms, 42);
}

static void http_dates(void **state)
{
    static const char *const wrong[] = {"",
                                        "Sun, 06 Nov 1994 08:49:37",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994",
                                        "Sun, 06 Nox 1994 08:49:37 GMT",
                                        "Sun, 31 Feb 1994 08:49:37 GMT",
                                        "Xyz, 06 Nov 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 08:49:37 UTC",
                                        "Sun, 06 Nov 1994 08:49:37 GMT "};
    int64_t ms = 0;
    (void)state;

    assert_int_equal(time_parse_http("Sun, 06 Nov 1994 08:49:37 GMT", &ms), 0);
    assert_true(ms == 784111777000);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(time_parse_http(wrong[i], &ms), -1);
    assert_true(ms == 784111777000);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *canonical;
    } cases[] = {
        {"0", 0, "0s"},
        {"90", 90000, "1m30s"},
        {"90s", 90000, "1m30s"},
        {"15m", 900000, "15m"},
        {"1h30m", 5400000, "1h30m"},
        {"2d", 172800000, "2d"},
        {"24h", 86400000, "1d"},
        {"500ms", 500, "500ms"},
        {"1d2h3m4s5ms", 93784005, "1d2h3m4s5ms"},
        {"1h0m", 3600000, "1h"},
        {"1s5ms", 1005, "1s5ms"},
        {"007s", 7000, "7s"},
    };
    int64_t ms;
    char text[32];
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(duration_parse(cases[i].text, &ms), 0);
        assert_true(ms == cases[i].ms);
        duration_format(ms, text, sizeof text);
        assert_string_equal(text, cases[i].canonical);
    }
    duration_format(-90000, text, sizeof text);
    assert_string_equal(text, "-1m30s");
    duration_format(INT64_MIN, text, sizeof text);
    assert_string_equal(text, "-106751991167d7h12m55s808ms");
    char small[4];

    duration_format(5400000, small, sizeof small);
    assert_string_equal(small, "1h3");
}

static void wrong_durations(void **state)
{
    static const char *const wrong[] = {"",
                                        " ",
                                        "-1",
                                        "+1",
                                        "1.5h",
                                        "1h30",
                                        "30m1h",
                                        "1h1h",
                                        "1x",
                                        "h",
                                        "1 h",
                                        "1H",
                                        "1min",
                                        "1hm",
                                        "1ms1s",
                                        "9223372036854775808ms",
                                        "106751991168d",
                                        "9223372036854775807s",
                                        "1w",
                                        "0x10"};
    int64_t ms = 42;
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(duration_parse(wrong[i], &ms), -1);
    assert_int_equal(ms, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),         cmocka_unit_test(format_and_parse_agree_with_libc),
        cmocka_unit_test(parses),          cmocka_unit_test(refuses),
        cmocka_unit_test(http_dates),      cmocka_unit_test(durations),
        cmocka_unit_test(wrong_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
