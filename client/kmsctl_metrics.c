/* SPDX-License-Identifier: Apache-2.0 */
/* kmsctl metrics: the agent's families of samples as Prometheus text (exposition formats, text
 * format 0.0.4), for node_exporter's textfile collector and its like. */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"

#include <jansson.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* Backslash, quote and line feed are escaped in label values. */
static void print_escaped(const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            putchar('\\');
        if (*text == '\n')
            fputs("\\n", stdout);
        else
            putchar(*text);
    }
}

static void print_labels(json_t *labels)
{
    const char *key;
    json_t *value;
    bool any = false;

    json_object_foreach(labels, key, value)
    {
        printf("%s%s=\"", any ? "," : "{", key);
        print_escaped(json_string_value(value) ? json_string_value(value) : "");
        putchar('"');
        any = true;
    }
    if (any)
        putchar('}');
}

static void print_sample(const json_t *family, const json_t *sample)
{
    json_int_t divisor = json_integer_value(json_object_get(family, "divisor"));
    json_int_t value = json_integer_value(json_object_get(sample, "value"));

    printf("%s%s", text_of(family, "name"), text_of(sample, "suffix"));
    print_labels(json_object_get(sample, "labels"));
    if (divisor > 1)
        printf(" %.3f\n", (double)value / (double)divisor);
    else
        printf(" %" JSON_INTEGER_FORMAT "\n", value);
}

static void print_family(const json_t *family)
{
    json_t *samples = json_object_get(family, "samples"), *sample;
    size_t index;

    printf("# HELP %s %s\n", text_of(family, "name"), text_of(family, "help"));
    printf("# TYPE %s %s\n", text_of(family, "name"), text_of(family, "type"));
    json_array_foreach(samples, index, sample) print_sample(family, sample);
}

int kmsctl_metrics(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    json_t *family;
    size_t index;
    int rc = kmsctl_begin(ctl, METHOD_AGENT_METRICS, err);

    if (rc == 0)
        rc = kmsctl_run(ctl, &answer, err);
    if (rc)
        return rc;
    if (ctl->json)
        return kmsctl_print_json(ctl, answer, err);
    json_array_foreach(json_object_get(answer, "metrics"), index, family) print_family(family);
    return kmsctl_print_flush(err);
}
