/*
 * Values: which function knows which type. A type is found by its OID (built-in types never change theirs), an
 * extension's type by extension and name. Everything that takes a type comes through here.
 */
#include "postgres/value_internal.h"

#include <stdlib.h>

const pgconvoy_type *pgc_type_base(const pgconvoy_type *type)
{
    while (type->kind == PGCONVOY_TYPE_DOMAIN && type->element)
        type = type->element;
    return type;
}

const pgconvoy_type *pgc_type_base_with(const pgconvoy_type *type, int32_t *typmod)
{
    while (type->kind == PGCONVOY_TYPE_DOMAIN && type->element) {
        *typmod = type->typmod;
        type = type->element;
    }
    return type;
}

/* The modifier is 4 + (precision << 16 | scale in 11 bits), the scale signed since 15: numeric(5, -2) holds up to
 * 9999900, and numeric(3, 5) up to 0.00999. */
bool pgc_numeric_bounds(int32_t typmod, int *before, int *behind)
{
    *before = *behind = 0;
    if (typmod < 4)
        return false;
    int precision = ((typmod - 4) >> 16) & 0xffff, scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
    *before = precision > scale ? precision - scale : 0;
    *behind = scale > 0 ? scale : 0;
    return true;
}

bool pgc_type_is_dense_vector(const pgconvoy_type *type)
{
    return type->extension && strcmp(type->extension, "vector") == 0 &&
           (strcmp(type->name, "vector") == 0 || strcmp(type->name, "halfvec") == 0);
}

static pgc_text_writer *builtin_writer_of(uint32_t oid)
{
    enum { REFCURSOR = 1790, UNKNOWN = 705 };
    switch (oid) {
    case PGC_INT2:
    case PGC_INT4:
    case PGC_INT8:
        return pgc_write_int;
    case PGC_TEXT_OID:
    case PGC_VARCHAR:
    case PGC_BPCHAR:
    case PGC_NAME:
    case PGC_JSON:
    case PGC_XML:
    case REFCURSOR:
    case UNKNOWN:
        return pgc_write_characters;
    case PGC_NUMERIC:
        return pgc_write_numeric;
    case PGC_TIMESTAMPTZ:
        return pgc_write_timestamptz;
    case PGC_TIMESTAMP:
        return pgc_write_timestamp;
    case PGC_DATE:
        return pgc_write_date;
    case PGC_BOOL:
        return pgc_write_bool;
    case PGC_FLOAT8:
        return pgc_write_float8;
    case PGC_FLOAT4:
        return pgc_write_float4;
    case PGC_JSONB:
    case PGC_JSONPATH:
        return pgc_write_versioned;
    case PGC_UUID:
        return pgc_write_uuid;
    case PGC_BYTEA:
        return pgc_write_bytea;
    case PGC_CHAR:
        return pgc_write_single_char;
    case PGC_OID:
    case PGC_XID:
    case PGC_CID:
    case PGC_XID8:
        return pgc_write_unsigned;
    case PGC_INT2VECTOR:
    case PGC_OIDVECTOR:
        return pgc_write_vector_of_ints;
    case PGC_TID:
        return pgc_write_tid;
    case PGC_PG_LSN:
        return pgc_write_lsn;
    case PGC_TIME:
        return pgc_write_time;
    case PGC_TIMETZ:
        return pgc_write_timetz;
    case PGC_INTERVAL:
        return pgc_write_interval;
    case PGC_BIT:
    case PGC_VARBIT:
        return pgc_write_bits;
    case PGC_INET:
    case PGC_CIDR:
        return pgc_write_inet;
    case PGC_MACADDR:
    case PGC_MACADDR8:
        return pgc_write_macaddr;
    case PGC_POINT:
        return pgc_write_point;
    case PGC_LSEG:
        return pgc_write_lseg;
    case PGC_PATH:
        return pgc_write_path;
    case PGC_BOX:
        return pgc_write_box;
    case PGC_POLYGON:
        return pgc_write_polygon;
    case PGC_LINE:
        return pgc_write_line;
    case PGC_CIRCLE:
        return pgc_write_circle;
    case PGC_TSVECTOR:
        return pgc_write_tsvector;
    case PGC_TSQUERY:
        return pgc_write_tsquery;
    case PGC_TXID_SNAPSHOT:
    case PGC_PG_SNAPSHOT:
        return pgc_write_snapshot;
    default: /* money depends on the server's locale, the reg… types on its catalog: they are asked for as text */
        return NULL;
    }
}

pgc_text_writer *pgc_text_writer_of(const pgconvoy_type *type)
{
    switch (type->kind) {
    case PGCONVOY_TYPE_BASE: {
        pgc_text_writer *writer = builtin_writer_of(type->oid);
        return writer || !type->extension ? writer : pgc_extension_writer_of(type);
    }
    case PGCONVOY_TYPE_ENUM:
        return pgc_write_characters;
    case PGCONVOY_TYPE_ARRAY:
        return type->element ? pgc_write_array : NULL;
    case PGCONVOY_TYPE_COMPOSITE:
        return type->fields || type->field_count == 0 ? pgc_write_composite : NULL;
    case PGCONVOY_TYPE_RANGE:
        return type->element ? pgc_write_range : NULL;
    case PGCONVOY_TYPE_MULTIRANGE:
        return type->element && type->element->element ? pgc_write_multirange : NULL;
    case PGCONVOY_TYPE_DOMAIN: /* what is left of a domain without a base */
        return NULL;
    }
    return NULL;
}

bool pgc_type_has_binary(const pgconvoy_type *type)
{
    type = pgc_type_base(type);
    if (!pgc_text_writer_of(type))
        return false;
    if (type->kind == PGCONVOY_TYPE_ARRAY || type->kind == PGCONVOY_TYPE_RANGE ||
        type->kind == PGCONVOY_TYPE_MULTIRANGE)
        return pgc_type_has_binary(type->element);
    if (type->kind == PGCONVOY_TYPE_COMPOSITE)
        for (int i = 0; i < type->field_count; i++)
            if (!pgc_type_has_binary(type->fields[i].type))
                return false;
    return true;
}

int pgc_write_binary(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    type = pgc_type_base(type);
    pgc_text_writer *writer = pgc_text_writer_of(type);
    if (writer)
        return writer(type, value, out, err);
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "the binary form of type %s is not known", pgc_type_label(type));
    pgconvoy_error_hint(err, "values of this type must be asked for as text");
    return -1;
}

int pgc_value_to_text(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    if (pgc_value_present(value, pgc_type_label(type), err))
        return -1;
    if (value->format == PGCONVOY_TEXT)
        pgc_buffer_append(out, value->data, (size_t)value->length);
    else if (pgc_write_binary(type, value, out, err))
        return -1;
    return pgc_buffer_check(out, err);
}

int pgconvoy_value_to_text(const pgconvoy_type *type, const pgconvoy_value *value, char **text, size_t *length,
                           pgconvoy_error *err)
{
    pgc_buffer out;
    pgc_buffer_init(&out, SIZE_MAX / 2);
    pgc_buffer_append(&out, "", 0); /* so that an empty value has its NUL */
    if (pgc_value_to_text(type, value, &out, err)) {
        pgc_buffer_free(&out);
        return -1;
    }
    *text = out.data; /* ownership passes on */
    *length = out.length;
    return 0;
}

/* ------------------------------------------------------------------- errors */

void pgc_value_set_malformed(pgconvoy_error *err, const char *type_name, const char *what)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "malformed value of type %s: %s", type_name, what);
}

void pgc_value_set_absent(const pgconvoy_value *value, const char *type_name, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "a value of type %s was asked for where there is %s", type_name,
                       value->length == PGCONVOY_NULL ? "null" : "none sent");
}
