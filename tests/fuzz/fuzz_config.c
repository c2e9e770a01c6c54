/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration text: syntax, options, AWS's rules. No file is opened, NSS is not asked. */
#include "config/load.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string it was in when the text is refused; a bad reload costs that much.
 */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    load_check_text("fuzz.conf", text, size, NULL, NULL);
    free(text);
    return 0;
}
