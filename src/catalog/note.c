/* See note.h. There may be thousands for one relation's columns and millions in all: they are found by halving the list. */
#include "catalog/note.h"

/* A composite type's columns are those of its relation, which nothing is written for: the type has the note. */
static void mark(pgc_catalog *catalog, pgc_object *object, int column, unsigned part)
{
    if (column != 0 && object->kind == PGC_KIND_RELATION && ((pgc_relation *)object)->kind == PGC_RELKIND_COMPOSITE) {
        pgc_type *type = pgc_catalog_type(catalog, ((pgc_relation *)object)->row_type);
        if (type)
            type->object.available |= part;
    } else {
        object->available |= part;
    }
}

int pgc_notes_take(pgc_catalog *catalog, const pgc_rows *rows, unsigned part, pgc_note **notes, int *count, pgconvoy_error *err)
{
    int class_column = pgc_rows_column(rows, "classoid"), oid_column = pgc_rows_column(rows, "objoid"),
        number_column = pgc_rows_column(rows, "objsubid"), text = pgc_rows_column(rows, "text"), provider = pgc_rows_column(rows, "provider");
    pgc_note *list = pgc_arena_alloc(catalog->arena, (size_t)(rows->count + 1) * sizeof *list);
    if (!list)
        return pgc_error_out_of_memory(err);
    int taken = 0;
    for (int r = 0; r < rows->count; r++) {
        uint32_t class_oid = pgc_rows_oid(rows, r, class_column), oid = pgc_rows_oid(rows, r, oid_column);
        int number = pgc_rows_int(rows, r, number_column);
        pgc_object *object = pgc_catalog_find(catalog, class_oid, oid);
        if (!object)
            continue;
        mark(catalog, object, number, part);
        list[taken++] = (pgc_note){class_oid, oid, number, pgc_rows_text(rows, r, provider), pgc_rows_text_or_empty(rows, r, text)};
    }
    *notes = list;
    *count = taken;
    return 0;
}

static bool is_before(const pgc_note *note, uint32_t class_oid, uint32_t oid)
{
    return note->class_oid != class_oid ? note->class_oid < class_oid : note->oid < oid;
}

const pgc_note *pgc_notes_find(const pgc_note *notes, int note_count, uint32_t class_oid, uint32_t oid, int *count)
{
    int low = 0, high = note_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (is_before(&notes[middle], class_oid, oid))
            low = middle + 1;
        else
            high = middle;
    }
    int end = low;
    while (end < note_count && notes[end].class_oid == class_oid && notes[end].oid == oid)
        end++;
    *count = end - low;
    return *count ? &notes[low] : NULL;
}

bool pgc_notes_wanted(const pgc_dump_options *options, const char *kind)
{
    if (strcmp(kind, "LARGE OBJECT") == 0)
        return !options->schema_only || options->binary_upgrade; /* an upgrade copies the bytes, not what is said of them */
    return !options->data_only;
}

const char *pgc_notes_column(const pgc_object *object, int number)
{
    if (object->kind != PGC_KIND_RELATION)
        return NULL;
    const pgc_relation *relation = (const pgc_relation *)object;
    return number > 0 && number <= relation->column_count && !relation->columns[number - 1].dropped ? relation->columns[number - 1].name : NULL;
}
