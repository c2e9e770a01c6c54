/* SPDX-License-Identifier: Apache-2.0 */
#include "service/text.h"

#include <string.h>

static const char cut[] = "\xE2\x80\xA6";

void text_quote(const char *text, size_t len, char ret[TEXT_QUOTE_SIZE])
{
    size_t max = TEXT_QUOTE_SIZE - sizeof cut;
    size_t n = len < max ? len : max;

    for (size_t i = 0; i < n; i++)
        ret[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    if (len > n)
        memcpy(ret + n, cut, sizeof cut);
    else
        ret[n] = '\0';
}
