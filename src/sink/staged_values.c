/* Values on their way to a service: what services of this kind cannot hold, and how that is told. There is no rounding
 * and no clipping. */
#include "sink/staged.h"

#include "postgres/value.h"

#include <stdio.h>

#define VALUE_MAX ((size_t)1 << 30)

/* 0001-01-01 to 9999-12-31, from 2000-01-01 on. */
#define FIRST_DAY (-730119)
#define LAST_DAY 2921939
#define DAY_US INT64_C(86400000000)

int pgc_staged_encoder_init(pgc_staged_encoder *encoder, pgconvoy_error *err)
{
    encoder->arena = pgc_arena_new(16384);
    pgc_buffer_init(&encoder->text, VALUE_MAX);
    pgc_buffer_init(&encoder->scratch, VALUE_MAX);
    return encoder->arena ? 0 : pgc_error_out_of_memory(err);
}

void pgc_staged_encoder_free(pgc_staged_encoder *encoder)
{
    pgc_arena_free(encoder->arena);
    pgc_buffer_free(&encoder->text);
    pgc_buffer_free(&encoder->scratch);
}

int pgc_staged_text_of(pgc_staged_encoder *encoder, const pgconvoy_type *type, const pgconvoy_value *value,
                       pgconvoy_error *err)
{
    if (pgc_value_to_text(type, value, &encoder->text, err) != 0)
        return -1;
    pgc_buffer_append(&encoder->text, "", 0);
    return pgc_buffer_check(&encoder->text, err);
}

/* ---- what cannot be held */

int pgc_staged_cannot_hold(const char **why, const char *reason)
{
    *why = reason;
    return 1;
}

int pgc_staged_date_fits(const pgconvoy_value *value, const char **why, pgconvoy_error *err)
{
    int32_t days;
    if (pgc_value_date(value, &days, err) != 0)
        return -1;
    return days >= FIRST_DAY && days <= LAST_DAY
               ? 0
               : pgc_staged_cannot_hold(why, "it is not between 0001-01-01 and 9999-12-31");
}

int pgc_staged_time_fits(const pgconvoy_value *value, const char **why, pgconvoy_error *err)
{
    int64_t us;
    if (pgc_value_time(value, &us, err) != 0)
        return -1;
    return us < DAY_US ? 0 : pgc_staged_cannot_hold(why, "it is 24:00:00");
}

int pgc_staged_moment_fits(const pgconvoy_value *value, const char **why, pgconvoy_error *err)
{
    int64_t us;
    if (pgc_value_timestamp(value, &us, err) != 0)
        return -1;
    return us >= (int64_t)FIRST_DAY * DAY_US && us < ((int64_t)LAST_DAY + 1) * DAY_US
               ? 0
               : pgc_staged_cannot_hold(why, "it is not between the years 1 and 9999");
}

int pgc_staged_digits_fit(const char *text, size_t before, size_t behind, const char **why)
{
    const char *digits = text + (*text == '-');
    size_t whole = strspn(digits, "0123456789");
    if (whole == 0)
        return pgc_staged_cannot_hold(why, "it is not a finite number");
    const char *point = digits[whole] == '.' ? digits + whole + 1 : "";
    size_t fraction = strlen(point);
    while (fraction > 0 && point[fraction - 1] == '0')
        fraction--;
    while (whole > 0 && *digits == '0')
        digits++, whole--;
    return whole <= before && fraction <= behind ? 0 : pgc_staged_cannot_hold(why, "it has more digits");
}

/* ---- how it is told */

int pgc_staged_value_unmappable(const pgc_staged_sink *sink, const pgconvoy_table *table, int column,
                                const pgc_staged_row *row, const char *type, const char *why, bool leave_out,
                                bool *warned, pgconvoy_error *err)
{
    const pgconvoy_column *source = &table->columns[column];
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "%s's %s cannot hold the value: %s", sink->service->name, type, why);
    pgc_unmappable_say_where(table, source->name, row->row, row->key, err);
    if (leave_out && !source->in_key && source->primary_key == 0) {
        pgc_unmappable_leave_out(sink->config->log, warned, err);
        return 0;
    }
    pgconvoy_error_hint(
        err, "unmappable=text keeps all values of such columns as text, unmappable=null makes such values NULL");
    return -1;
}

int pgc_staged_row_too_large(const pgc_staged_sink *sink, const pgconvoy_table *table, const pgc_staged_row *row,
                             const char *limit, pgconvoy_error *err)
{
    pgc_buffer key;
    pgc_buffer_init(&key, 4096);
    pgc_unmappable_put_key(table, row->row, row->key, &key);
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "the row with %s of table %s.%s is larger than the %s that %s takes",
                       key.data ? key.data : "no key", table->schema, table->name, limit, sink->service->name);
    pgconvoy_error_hint(err, "leave the table or its long column out of the publication");
    pgc_buffer_free(&key);
    return -1;
}
