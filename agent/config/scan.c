/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define INT_LIMIT 2147483647ULL

int scan_includes(const char *path, const char *text, struct findings *findings)
{
    static const char word[] = "@include";
    int line = 1;

    for (const char *p = text; *p != '\0'; p++) {
        p += strspn(p, " \t\v\f\r");
        if (strncmp(p, word, sizeof(word) - 1) == 0) {
            finding_add(findings, path, line,
                        "@include is not allowed (use files in secrets.d instead)");
            return -1;
        }
        p += strcspn(p, "\r\n");
        if (*p == '\0')
            break;
        line += *p == '\n';
    }
    return 0;
}

/* End of the string that starts at p (at its quote), or of the text. */
static const char *string_end(const char *p)
{
    for (p++; *p != '\0' && *p != '"'; p++)
        if (*p == '\\' && p[1] != '\0')
            p++;
    return *p == '"' ? p + 1 : p;
}

/* End of the comment that starts at p; p itself if none does. */
static const char *comment_end(const char *p)
{
    const char *end;

    if (*p == '#' || strncmp(p, "//", 2) == 0)
        return p + strcspn(p, "\n");
    if (strncmp(p, "/*", 2) != 0)
        return p;
    end = strstr(p + 2, "*/");
    return end != NULL ? end + 2 : p + strlen(p);
}

/* End of the name or number at p; a whole number that libconfig would cut makes *ret_big true. */
static const char *word_end(const char *p, bool *ret_big)
{
    static const char word[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_*-+.";
    size_t length = strspn(p, word);
    bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    unsigned long long number;
    char *end;

    if (*p < '0' || *p > '9')
        return p + length;
    errno = 0;
    number = strtoull(p, &end, hex ? 16 : 10);
    if (*end == 'L') /* 64 bits */
        *ret_big = errno == ERANGE || number > INT64_MAX;
    else if (hex || strchr(".eE", *end) == NULL || *end == '\0')
        *ret_big = errno == ERANGE || number > INT_LIMIT;
    return p + length;
}

int scan_numbers(const char *path, const char *text, struct findings *findings)
{
    int line = 1;

    for (const char *p = text, *next; *p != '\0'; p = next) {
        bool big = false;

        next = *p == '"' ? string_end(p) : comment_end(p);
        if (next == p)
            next = word_end(p + strspn(p, "+-"), &big);
        if (next == p)
            next++;
        if (big) {
            finding_add(findings, path, line, "the number %.*s is too large", (int)(next - p), p);
            return -1;
        }
        for (; p < next; p++)
            line += *p == '\n';
    }
    return 0;
}
