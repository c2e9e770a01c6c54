/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor_local.h"
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define UNHEALTHY 1

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void add(void *arg, const char *level, const char *what, const char *text)
{
    json_t *lines = arg;

    /* What came from files and the environment may be no UTF-8: then the line is left out. */
    (void)json_array_append_new(
        lines, json_pack("{s:s, s:s, s:s}", "level", level, "what", what, "text", text));
}

/* The agent's lines behind our own; what went wrong with asking is a line, too. */
static void ask_agent(struct kmsctl *ctl, json_t *lines)
{
    json_auto_t *answer = NULL;
    struct err err;
    char text[ERR_MESSAGE_MAX + ERR_HINT_MAX + 8];
    int rc;

    err_clear(&err);
    rc = kmsctl_begin(ctl, METHOD_AGENT_DOCTOR, &err);
    if (rc == 0) {
        call_put_text(ctl->call, "secret", ctl->argc > 0 ? ctl->argv[0] : NULL);
        rc = kmsctl_run(ctl, &answer, &err);
    }
    if (rc == 0) {
        (void)json_array_extend(lines, json_object_get(answer, "lines"));
        return;
    }
    snprintf(text, sizeof text, err.hint[0] ? "%s (%s)" : "%s%s", err.message, err.hint);
    add(lines, "fail", "agent", text);
}

static bool is_healthy(const json_t *lines)
{
    const json_t *line;
    size_t i;

    json_array_foreach(lines, i,
                       line) if (strcmp(text_of(line, "level"), "fail") == 0) return false;
    return true;
}

/* One line each, whatever the texts hold. */
static void print_clean(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
}

static void print_line(const json_t *line)
{
    const char *secret = text_of(line, "secret");

    printf("%-4.4s  ", text_of(line, "level"));
    print_clean(text_of(line, "what"));
    if (*secret) {
        putchar(' ');
        print_clean(secret);
    }
    fputs(": ", stdout);
    print_clean(text_of(line, "text"));
    putchar('\n');
}

static int print_all(const struct kmsctl *ctl, json_t *lines, struct err *err)
{
    const json_t *line;
    size_t i;

    if (ctl->json) {
        json_auto_t *all = json_pack("{s:b, s:O}", "ok", is_healthy(lines), "lines", lines);

        return all ? kmsctl_print_json(ctl, all, err) : err_set(err, KMS_ENOMEM, "out of memory");
    }
    json_array_foreach(lines, i, line) print_line(line);
    return kmsctl_print_flush(err);
}

int kmsctl_doctor(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *lines = json_array();
    int rc;

    if (!lines)
        return err_set(err, KMS_ENOMEM, "out of memory");
    doctor_local(call_socket_path(ctl->socket), add, lines);
    ask_agent(ctl, lines);
    rc = print_all(ctl, lines, err);
    return rc ? rc : is_healthy(lines) ? 0 : UNHEALTHY;
}
