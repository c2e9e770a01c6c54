/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct error_row {
    int code;
    const char *wire;
};

static const struct error_row errors[] = {
#define KMS_ERROR(name, value, wire, text) {(value), (wire)},
#include "common/ops.def"
};

#define ERRORS (sizeof errors / sizeof errors[0])

/* The texts travel as MessagePack str, which must stay UTF-8 when it is cut in a character. */
static void trim_partial_character(char *text)
{
    size_t len = strlen(text), lead = len;

    while (lead > 0 && len - lead < 3 && ((unsigned char)text[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead == 0 || (unsigned char)text[lead - 1] < 0xC0)
        return;
    unsigned char first = (unsigned char)text[lead - 1];
    size_t want = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;

    if (len - (lead - 1) < want)
        text[lead - 1] = '\0';
}

static void format_cut(char *ret, size_t size, const char *format, va_list args) KMS_PRINTF(3, 0);

static void format_cut(char *ret, size_t size, const char *format, va_list args)
{
    int n = vsnprintf(ret, size, format, args);

    if (n < 0)
        ret[0] = '\0';
    else if ((size_t)n >= size)
        trim_partial_character(ret);
}

void err_clear(struct err *err)
{
    if (err)
        memset(err, 0, sizeof *err);
}

int err_set(struct err *err, int code, const char *format, ...)
{
    char text[ERR_MESSAGE_MAX]; /* the arguments may point into *err */
    va_list args;

    if (!err)
        return code;
    va_start(args, format);
    format_cut(text, sizeof text, format, args);
    va_end(args);
    err_clear(err);
    err->code = code;
    memcpy(err->message, text, strlen(text) + 1);
    return code;
}

int err_context(struct err *err, const char *format, ...)
{
    char clause[ERR_MESSAGE_MAX], whole[2 * ERR_MESSAGE_MAX + 4];
    va_list args;

    if (!err)
        return KMS_EINTERNAL;
    va_start(args, format);
    format_cut(clause, sizeof clause, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "%s: %s", clause, err->message);
    whole[sizeof err->message - 1] = '\0';
    if (strlen(whole) == sizeof err->message - 1)
        trim_partial_character(whole);
    memcpy(err->message, whole, strlen(whole) + 1);
    return err->code;
}

int err_hint(struct err *err, const char *format, ...)
{
    char text[ERR_HINT_MAX];
    va_list args;

    if (!err)
        return KMS_EINTERNAL;
    va_start(args, format);
    format_cut(text, sizeof text, format, args);
    va_end(args);
    memcpy(err->hint, text, strlen(text) + 1);
    return err->code;
}

const char *err_name(int code)
{
    for (size_t i = 0; i < ERRORS; i++)
        if (errors[i].code == code)
            return errors[i].wire;
    return "internal";
}

int err_code(const char *wire_name)
{
    for (size_t i = 0; i < ERRORS; i++)
        if (strcmp(errors[i].wire, wire_name) == 0)
            return errors[i].code;
    return KMS_EINTERNAL;
}
