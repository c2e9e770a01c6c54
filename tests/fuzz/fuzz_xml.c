/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: AWS's XML answers. Whatever parses is a tree within its bounds, and reading it ends.
 */
#include "aws/xml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define ELEMENTS_MAX 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const struct xml *element, size_t depth)
{
    size_t n = 0;

    if (depth > DEPTH_MAX)
        abort();
    for (; element != NULL; element = xml_next(element)) {
        if (xml_name(element)[0] == 0 || strlen(xml_text(element)) > 1048576)
            abort();
        n += 1 + count(xml_child(element), depth + 1);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *code, *message, *request_id;
    struct xml *root = NULL;
    struct err err;

    if (xml_parse((const char *)data, size, &root, &err) != 0) {
        if (root != NULL)
            abort();
        return 0;
    }
    if (count(root, 1) > ELEMENTS_MAX)
        abort();
    if (xml_error(root, &code, &message, &request_id) == 0 && code[0] == '\0')
        abort();
    (void)xml_get(root, "CreateUserResult/User/UserName");
    (void)xml_get(root, "//");
    xml_free(root);
    return 0;
}
