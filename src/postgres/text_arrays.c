#include "postgres/text_arrays.h"

#include "postgres/quote.h"

enum { ARRAY_LIMIT = 1 << 28 };

void pgc_text_arrays_init(pgc_text_arrays *arrays, size_t count)
{
    arrays->count = count;
    for (size_t i = 0; i < count; i++)
        pgc_buffer_init(&arrays->arrays[i], ARRAY_LIMIT);
}

void pgc_text_arrays_add(pgc_text_arrays *arrays, const char *const *texts)
{
    for (size_t i = 0; i < arrays->count; i++)
        pgc_quote_array_element(&arrays->arrays[i], texts[i]);
}

int pgc_text_arrays_end(pgc_text_arrays *arrays, const char **values, pgconvoy_error *err)
{
    for (size_t i = 0; i < arrays->count; i++) {
        pgc_buffer *array = &arrays->arrays[i];
        pgc_array_end(array);
        if (pgc_buffer_check(array, err) != 0)
            return -1;
        values[i] = array->data;
    }
    return 0;
}

void pgc_text_arrays_free(pgc_text_arrays *arrays)
{
    for (size_t i = 0; i < arrays->count; i++)
        pgc_buffer_free(&arrays->arrays[i]);
}
