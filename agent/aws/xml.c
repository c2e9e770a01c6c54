/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/xml.h"

#include "base/secret.h"

#include <expat.h>
#include <string.h>

#define XML_SIZE_MAX 1048576
#define XML_DEPTH_MAX 32
#define XML_ELEMENTS_MAX 20000

struct xml {
    char *name, *text;
    size_t text_len, text_size;
    struct xml *child, *last_child, *next;
};

struct parse {
    XML_Parser parser;
    struct xml *open[XML_DEPTH_MAX]; /* the elements that the parser is inside of */
    struct xml *root;
    size_t depth, elements;
    const char *reason; /* why it was stopped, static text */
};

static void stop(struct parse *parse, const char *reason)
{
    if (parse->reason == NULL)
        parse->reason = reason;
    XML_StopParser(parse->parser, XML_FALSE);
}

/* A document type is where entities, and all their attacks, come from; AWS sends none. */
static void on_doctype(void *arg, const char *name, const char *system_id, const char *public_id,
                       int has_internal)
{
    (void)name, (void)system_id, (void)public_id, (void)has_internal;
    stop(arg, "it has a document type");
}

static struct xml *element_new(const char *name)
{
    struct xml *element = wiping_calloc(1, sizeof(*element));

    if (element != NULL && (element->name = wiping_strdup(name)) == NULL) {
        wiping_free(element);
        return NULL;
    }
    return element;
}

static void on_start(void *arg, const char *name, const char **attributes)
{
    struct parse *parse = arg;
    struct xml *element, *parent;

    (void)attributes;
    if (parse->reason != NULL)
        return;
    if (parse->depth >= XML_DEPTH_MAX || ++parse->elements > XML_ELEMENTS_MAX) {
        stop(parse, "it is nested too deep or has too many elements");
        return;
    }
    element = element_new(name);
    if (element == NULL) {
        stop(parse, "out of memory");
        return;
    }
    if (parse->depth == 0) {
        parse->root = element;
    } else {
        parent = parse->open[parse->depth - 1];
        if (parent->child == NULL)
            parent->child = element;
        else
            parent->last_child->next = element;
        parent->last_child = element;
    }
    parse->open[parse->depth++] = element;
}

static void on_end(void *arg, const char *name)
{
    struct parse *parse = arg;

    (void)name;
    if (parse->reason == NULL && parse->depth > 0)
        parse->depth--;
}

static void on_text(void *arg, const char *text, int len)
{
    struct parse *parse = arg;
    struct xml *element;
    size_t need;

    if (parse->reason != NULL || parse->depth == 0 || len <= 0)
        return;
    element = parse->open[parse->depth - 1];
    need = element->text_len + (size_t)len + 1;
    if (need > element->text_size) {
        size_t size = need < 32 ? 32 : need * 2;
        char *grown = wiping_realloc(element->text, size);

        if (grown == NULL) {
            stop(parse, "out of memory");
            return;
        }
        element->text = grown;
        element->text_size = size;
    }
    memcpy(element->text + element->text_len, text, (size_t)len);
    element->text_len += (size_t)len;
    element->text[element->text_len] = '\0';
}

static int run(struct parse *parse, const char *text, size_t len, struct err *err)
{
    enum XML_Status status;

    XML_SetUserData(parse->parser, parse);
    XML_SetStartDoctypeDeclHandler(parse->parser, on_doctype);
    XML_SetElementHandler(parse->parser, on_start, on_end);
    XML_SetCharacterDataHandler(parse->parser, on_text);
    status = XML_Parse(parse->parser, text, (int)len, 1);
    if (status == XML_STATUS_OK && parse->reason == NULL && parse->root != NULL)
        return 0;
    return err_set(err, KMS_EAWSREJECTED, "the answer is not the XML it should be: %s",
                   parse->reason != NULL ? parse->reason
                                         : XML_ErrorString(XML_GetErrorCode(parse->parser)));
}

int xml_parse(const char *text, size_t len, struct xml **ret, struct err *err)
{
    static const XML_Memory_Handling_Suite memory = {wiping_malloc, wiping_realloc, wiping_free};
    struct parse parse = {0};
    int rc;

    if (len > XML_SIZE_MAX)
        return err_set(err, KMS_EAWSREJECTED, "the answer is larger than 1 MiB");
    parse.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (parse.parser == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    rc = run(&parse, text, len, err);
    XML_ParserFree(parse.parser);
    if (rc != 0)
        xml_free(parse.root);
    else
        *ret = parse.root;
    return rc;
}

/* Recurses into children only: XML_DEPTH_MAX bounds it. */
void xml_free(struct xml *root)
{
    while (root != NULL) {
        struct xml *next = root->next;

        xml_free(root->child);
        wiping_free(root->name);
        wiping_free(root->text);
        wiping_free(root);
        root = next;
    }
}

const char *xml_name(const struct xml *element)
{
    return element->name;
}

const char *xml_text(const struct xml *element)
{
    return element != NULL && element->text != NULL ? element->text : "";
}

const struct xml *xml_find(const struct xml *element, const char *path)
{
    while (element != NULL && *path != '\0') {
        size_t len = strcspn(path, "/");

        for (element = element->child; element != NULL; element = element->next)
            if (strncmp(element->name, path, len) == 0 && element->name[len] == '\0')
                break;
        path += len;
        path += *path == '/';
    }
    return element;
}

const char *xml_get(const struct xml *element, const char *path)
{
    return xml_text(xml_find(element, path));
}

const struct xml *xml_child(const struct xml *element)
{
    return element != NULL ? element->child : NULL;
}

const struct xml *xml_next(const struct xml *element)
{
    return element != NULL ? element->next : NULL;
}

int xml_error(const struct xml *root, const char **ret_code, const char **ret_message,
              const char **ret_request_id)
{
    const struct xml *error, *request_id;

    if (strcmp(root->name, "ErrorResponse") == 0) {
        error = xml_find(root, "Error");
        request_id = xml_find(root, "RequestId");
    } else if (strcmp(root->name, "Response") == 0) {
        error = xml_find(root, "Errors/Error");
        request_id = xml_find(root, "RequestID");
    } else {
        return -1;
    }
    if (xml_get(error, "Code")[0] == '\0')
        return -1;
    *ret_code = xml_get(error, "Code");
    *ret_message = xml_get(error, "Message");
    *ret_request_id = xml_text(request_id);
    return 0;
}
