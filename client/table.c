/* SPDX-License-Identifier: Apache-2.0 */
#include "client/table.h"

#include <stdlib.h>
#include <string.h>

#define GAP 2

struct table {
    unsigned columns;
    size_t count, room; /* cells */
    char **cells;
};

struct table *table_new(unsigned columns, const char *const *headers)
{
    struct table *table;

    if (columns == 0 || columns > TABLE_COLUMNS_MAX)
        return NULL;
    table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->columns = columns;
    if (headers && table_add(table, headers)) {
        table_free(table);
        return NULL;
    }
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

static int make_room(struct table *table)
{
    size_t room = table->room ? 2 * table->room : 16 * table->columns;

    if (table->count + table->columns <= table->room)
        return 0;
    char **cells = realloc(table->cells, room * sizeof *cells);

    if (!cells)
        return KMS_ENOMEM;
    table->cells = cells;
    table->room = room;
    return 0;
}

/* Terminals obey control characters, and a command line of somebody else may hold any. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
}

int table_add(struct table *table, const char *const *cells)
{
    if (make_room(table))
        return KMS_ENOMEM;
    for (unsigned i = 0; i < table->columns; i++) {
        char *copy = strdup(cells[i] && *cells[i] ? cells[i] : "-");

        if (!copy) {
            while (i-- > 0)
                free(table->cells[--table->count]);
            return KMS_ENOMEM;
        }
        make_printable(copy);
        table->cells[table->count++] = copy;
    }
    return 0;
}

/* Characters of UTF-8, each taken as one column wide. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

void table_print(const struct table *table, FILE *to)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    for (size_t i = 0; i < table->count; i++) {
        size_t width = width_of(table->cells[i]), column = i % table->columns;

        if (width > widths[column])
            widths[column] = width;
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;

        fputs(table->cells[i], to);
        if (column + 1 == table->columns)
            fputc('\n', to);
        else
            fprintf(to, "%*s", (int)(widths[column] - width_of(table->cells[i])) + GAP, "");
    }
}
