/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate_text.h"

#include "config/unicode_class.h"
#include "model/recipe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool text_is_of(const char *text, const char *others)
{
    for (; *text != '\0'; text++)
        if (!alnum(*text) && strchr(others, *text) == NULL)
            return false;
    return true;
}

int check_clean(const char *text, struct err *err)
{
    uint32_t code_point;
    unsigned length;

    for (; *text != '\0'; text += length) {
        length = unicode_next(text, &code_point);
        if (length == 0)
            return err_set(err, KMS_ECONFIG, "is not UTF-8");
        if (code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0))
            return err_set(err, KMS_ECONFIG, "holds a control character");
    }
    return 0;
}

int check_absolute_path(const char *text, struct err *err)
{
    if (text[0] != '/')
        return err_set(err, KMS_ECONFIG, "\"%s\" is not an absolute path", text);
    return 0;
}

int check_socket_path(const char *text, struct err *err)
{
    size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

    if (strlen(text) > max)
        return err_set(err, KMS_ECONFIG,
                       "is longer than %zu characters, the most a socket's path may have", max);
    return check_absolute_path(text, err);
}

int check_agent_id(const char *text, struct err *err)
{
    if (strlen(text) > 64 || !text_is_of(text, "._-"))
        return err_set(err, KMS_ECONFIG, "\"%s\" is not 1 to 64 of letters, digits and . _ -",
                       text);
    return 0;
}

int check_secret_name(const char *text, struct err *err)
{
    if (strlen(text) > SECRET_NAME_MAX || !text_is_of(text, "_-"))
        return err_set(err, KMS_ECONFIG, "the name is not 1 to %d of letters, digits, _ and -",
                       SECRET_NAME_MAX);
    return 0;
}

int check_unit_name(const char *text, struct err *err)
{
    static const char *const suffixes[] = {".service", ".scope", ".slice"};
    size_t length = strlen(text);

    if (!text_is_of(text, ":_.\\@-"))
        return err_set(err, KMS_ECONFIG, "\"%s\" is not a unit's name", text);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t suffix = strlen(suffixes[i]);

        if (length > suffix && strcmp(text + length - suffix, suffixes[i]) == 0)
            return 0;
    }
    return err_set(err, KMS_ECONFIG, "unit \"%s\" must end in .service, .scope or .slice", text);
}

/* Hosts that http may go to: nothing on the way can read it. */
static bool host_is_local(const char *host)
{
    static const char *const metadata[] = {"169.254.169.254", "169.254.170.2", "169.254.170.23"};
    static const char *const metadata6[] = {"::1", "fd00:ec2::254", "fd00:ec2::23"};
    struct in_addr address;
    struct in6_addr address6, known6;

    if (strcmp(host, "localhost") == 0)
        return true;
    for (size_t i = 0; i < sizeof(metadata) / sizeof(metadata[0]); i++)
        if (strcmp(host, metadata[i]) == 0)
            return true;
    if (inet_pton(AF_INET, host, &address) == 1)
        return ntohl(address.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &address6) != 1)
        return false;
    for (size_t i = 0; i < sizeof(metadata6) / sizeof(metadata6[0]); i++)
        if (inet_pton(AF_INET6, metadata6[i], &known6) == 1 &&
            memcmp(&known6, &address6, sizeof(known6)) == 0)
            return true;
    return false;
}

/* Takes "host", "[v6]" off the front of *text; the host without brackets into ret. */
static int host_take(const char **text, char ret[256])
{
    const char *start = *text, *end;

    if (*start == '[') {
        end = strchr(++start, ']');
        if (end == NULL || strspn(start, "0123456789abcdefABCDEF:.") != (size_t)(end - start))
            return -1;
        *text = end + 1;
    } else {
        end = start + strcspn(start, ":/");
        for (const char *p = start; p < end; p++)
            if (!alnum(*p) && *p != '.' && *p != '-')
                return -1;
        *text = end;
    }
    if (end == start || end - start > 253)
        return -1;
    snprintf(ret, 256, "%.*s", (int)(end - start), start);
    return 0;
}

/* ":PORT" or nothing, then "/" or nothing. */
static int port_take(const char *text)
{
    size_t digits;

    if (*text == ':') {
        digits = strspn(++text, "0123456789");
        if (digits == 0 || digits > 5 || atoi(text) < 1 || atoi(text) > 65535)
            return -1;
        text += digits;
    }
    return *text == '\0' || strcmp(text, "/") == 0 ? 0 : -1;
}

int check_endpoint(const char *text, struct err *err)
{
    bool tls = strncmp(text, "https://", 8) == 0;
    const char *rest = text + (tls ? 8 : 7);
    char host[256];

    if (!tls && strncmp(text, "http://", 7) != 0)
        return err_set(err, KMS_ECONFIG, "\"%s\" does not start with https://", text);
    if (host_take(&rest, host) < 0 || port_take(rest) < 0)
        return err_set(err, KMS_ECONFIG, "\"%s\" is not a URL of the form https://HOST[:PORT]",
                       text);
    if (!tls && !host_is_local(host))
        return err_set(
            err, KMS_ECONFIG,
            "http is only for loopback and the link-local metadata hosts, not for \"%s\"", host);
    return 0;
}
