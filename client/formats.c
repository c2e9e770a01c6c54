/* SPDX-License-Identifier: Apache-2.0 */
#include "client/formats.h"

#include <stdio.h>
#include <string.h>

static const char *const format_names[] = {
    [FORMAT_CREDENTIAL_PROCESS] = "credential-process",
    [FORMAT_JSON] = "json",
    [FORMAT_ENV] = "env",
    [FORMAT_DOTENV] = "dotenv",
};

enum format format_find(const char *name)
{
    for (int i = FORMAT_CREDENTIAL_PROCESS; i <= FORMAT_DOTENV; i++)
        if (strcmp(format_names[i], name) == 0)
            return (enum format)i;
    return FORMAT_NONE;
}

static void out_bytes(struct text_out *out, const char *bytes, size_t len)
{
    if (out->overflow || len > out->size - out->len) {
        out->overflow = true;
        return;
    }
    if (len > 0)
        memcpy(out->buf + out->len, bytes, len);
    out->len += len;
}

static void out_text(struct text_out *out, const char *text)
{
    out_bytes(out, text, strlen(text));
}

static void out_number(struct text_out *out, uint64_t magnitude, bool negative)
{
    char text[24];

    snprintf(text, sizeof text, "%s%llu", negative ? "-" : "", (unsigned long long)magnitude);
    out_text(out, text);
}

static void out_json_string(struct text_out *out, const char *text, size_t len)
{
    out_text(out, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char escape[8];

        if (c == '"' || c == '\\') {
            snprintf(escape, sizeof escape, "\\%c", c);
            out_text(out, escape);
        } else if (c < 0x20 || c == 0x7F) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
            out_text(out, escape);
        } else {
            out_bytes(out, text + i, 1);
        }
    }
    out_text(out, "\"");
}

static void json_member(struct text_out *out, const char *name, const struct slice *value)
{
    if (value->len == 0)
        return;
    out_text(out, ",");
    out_json_string(out, name, strlen(name));
    out_text(out, ":");
    out_json_string(out, value->text, value->len);
}

/* Source: AWS SDKs and Tools Reference Guide, "Process credential provider". Version is a number.
 */
static void write_credential_process(const struct grant *grant, struct text_out *out)
{
    out_text(out, "{\"Version\":1");
    json_member(out, "AccessKeyId", &grant->access_key_id);
    json_member(out, "SecretAccessKey", &grant->secret_access_key);
    json_member(out, "SessionToken", &grant->session_token);
    json_member(out, "Expiration", &grant->expires_at);
    json_member(out, "AccountId", &grant->account_id);
    out_text(out, "}\n");
}

static void write_json_scalar(struct mp_cursor *value, struct text_out *out)
{
    const char *text;
    uint32_t len;
    uint64_t natural;
    int64_t number;
    bool yes;

    if (!mp_get_str(value, &text, &len))
        out_json_string(out, text, len);
    else if (!mp_get_uint(value, &natural))
        out_number(out, natural, false);
    else if (!mp_get_int(value, &number))
        out_number(out, 0 - (uint64_t)number, true);
    else if (!mp_get_bool(value, &yes))
        out_text(out, yes ? "true" : "false");
    else if (!mp_skip(value))
        out_text(out, "null");
    else
        out->overflow = true;
}

/* The answer with the names of the wire. lease.issue answers a flat map. */
static void write_json(struct mp_cursor result, struct text_out *out)
{
    uint32_t pairs = 0;

    if (mp_get_map(&result, &pairs))
        out->overflow = true;
    out_text(out, "{");
    for (uint32_t i = 0; i < pairs && !out->overflow; i++) {
        out_text(out, i > 0 ? "," : "");
        write_json_scalar(&result, out);
        out_text(out, ":");
        write_json_scalar(&result, out);
    }
    out_text(out, "}\n");
}

static bool is_plain(const struct slice *value)
{
    static const char safe[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=/:.,@%";

    for (uint32_t i = 0; i < value->len; i++)
        if (!value->text[i] || !strchr(safe, value->text[i]))
            return false;
    return true;
}

/* 'it'\''s' for a POSIX shell. */
static void out_shell_quoted(struct text_out *out, const struct slice *value)
{
    out_text(out, "'");
    for (uint32_t i = 0; i < value->len; i++) {
        if (value->text[i] == '\'')
            out_text(out, "'\\''");
        else
            out_bytes(out, value->text + i, 1);
    }
    out_text(out, "'");
}

/* Double quotes with backslashes: what systemd's EnvironmentFile= and the dotenv libraries agree
 * on. Values of AWS need no quotes, and docker --env-file would keep them. */
static void out_dotenv_value(struct text_out *out, const struct slice *value)
{
    if (is_plain(value)) {
        out_bytes(out, value->text, value->len);
        return;
    }
    out_text(out, "\"");
    for (uint32_t i = 0; i < value->len; i++) {
        if (strchr("\"\\$`", value->text[i]))
            out_text(out, "\\");
        out_bytes(out, value->text + i, 1);
    }
    out_text(out, "\"");
}

/* For eval "$(…)": the same changes that a command would get. */
static void write_env(const struct exec_env_plan *plan, struct text_out *out)
{
    out_text(out, "unset");
    for (const struct exec_env_removed *removed = exec_env_removed; removed->name; removed++) {
        if (exec_env_sets(plan, removed->name))
            continue;
        out_text(out, " ");
        out_text(out, removed->name);
    }
    out_text(out, "\n");
    for (size_t i = 0; i < plan->set_count; i++) {
        out_text(out, "export ");
        out_text(out, plan->set[i].name);
        out_text(out, "=");
        out_shell_quoted(out, &plan->set[i].value);
        out_text(out, "\n");
    }
}

static void write_dotenv(const struct exec_env_plan *plan, struct text_out *out)
{
    for (size_t i = 0; i < plan->set_count; i++) {
        out_text(out, plan->set[i].name);
        out_text(out, "=");
        out_dotenv_value(out, &plan->set[i].value);
        out_text(out, "\n");
    }
}

void formats_write(enum format format, const struct grant *grant, struct mp_cursor result,
                   struct text_out *out)
{
    struct exec_env_plan plan;

    exec_env_plan(grant, &plan);
    switch (format) {
    case FORMAT_CREDENTIAL_PROCESS:
        write_credential_process(grant, out);
        break;
    case FORMAT_JSON:
        write_json(result, out);
        break;
    case FORMAT_ENV:
        write_env(&plan, out);
        break;
    case FORMAT_DOTENV:
        write_dotenv(&plan, out);
        break;
    case FORMAT_NONE:
        break;
    }
}

/* ASIA…4F2K; of other secrets nothing but the length. */
static void out_masked(struct text_out *out, const struct exec_env_variable *variable)
{
    const struct slice *value = &variable->value;

    if (variable->kind == EXEC_ENV_PLAIN) {
        out_bytes(out, value->text, value->len);
    } else if (variable->kind == EXEC_ENV_KEY_ID && value->len >= 16) {
        out_bytes(out, value->text, 4);
        out_text(out, "…");
        out_bytes(out, value->text + value->len - 4, 4);
    } else {
        out_text(out, "… (");
        out_number(out, value->len, false);
        out_text(out, " characters, not shown)");
    }
}

/* Inherited text may hold anything; a terminal gets no control characters. */
static void out_printable(struct text_out *out, const char *text)
{
    for (; *text; text++)
        out_bytes(out, (unsigned char)*text < 0x20 || *text == 0x7F ? "?" : text, 1);
}

void formats_print_env(const struct exec_env_plan *plan, char *const *inherited,
                       struct text_out *out)
{
    for (size_t i = 0; i < plan->set_count; i++) {
        out_text(out, "set ");
        out_text(out, plan->set[i].name);
        out_text(out, "=");
        out_masked(out, &plan->set[i]);
        out_text(out, "\n");
    }
    for (const struct exec_env_removed *removed = exec_env_removed; removed->name; removed++) {
        const char *old = exec_env_get(inherited, removed->name);

        if (!old || exec_env_sets(plan, removed->name))
            continue;
        out_text(out, "unset ");
        out_text(out, removed->name);
        out_text(out, " (was");
        out_text(out, removed->secret ? " set" : ": ");
        if (!removed->secret)
            out_printable(out, old);
        out_text(out, ")\n");
    }
}
