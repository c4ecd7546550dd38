/* The table of types; see type_zoo.h. */
#include "type_zoo.h"

#include <string.h>

static const struct row {
    uint32_t oid;
    pgconvoy_type_kind kind;
    const char *name;
    uint32_t element;
    char delimiter;
    const char *extension;
} rows[] = {
    {16, PGCONVOY_TYPE_BASE, "bool", 0, ',', NULL},
    {17, PGCONVOY_TYPE_BASE, "bytea", 0, ',', NULL},
    {18, PGCONVOY_TYPE_BASE, "char", 0, ',', NULL},
    {19, PGCONVOY_TYPE_BASE, "name", 0, ',', NULL},
    {20, PGCONVOY_TYPE_BASE, "int8", 0, ',', NULL},
    {21, PGCONVOY_TYPE_BASE, "int2", 0, ',', NULL},
    {22, PGCONVOY_TYPE_BASE, "int2vector", 0, ',', NULL},
    {23, PGCONVOY_TYPE_BASE, "int4", 0, ',', NULL},
    {25, PGCONVOY_TYPE_BASE, "text", 0, ',', NULL},
    {26, PGCONVOY_TYPE_BASE, "oid", 0, ',', NULL},
    {27, PGCONVOY_TYPE_BASE, "tid", 0, ',', NULL},
    {28, PGCONVOY_TYPE_BASE, "xid", 0, ',', NULL},
    {29, PGCONVOY_TYPE_BASE, "cid", 0, ',', NULL},
    {30, PGCONVOY_TYPE_BASE, "oidvector", 0, ',', NULL},
    {114, PGCONVOY_TYPE_BASE, "json", 0, ',', NULL},
    {142, PGCONVOY_TYPE_BASE, "xml", 0, ',', NULL},
    {600, PGCONVOY_TYPE_BASE, "point", 0, ',', NULL},
    {601, PGCONVOY_TYPE_BASE, "lseg", 0, ',', NULL},
    {602, PGCONVOY_TYPE_BASE, "path", 0, ',', NULL},
    {603, PGCONVOY_TYPE_BASE, "box", 0, ';', NULL},
    {604, PGCONVOY_TYPE_BASE, "polygon", 0, ',', NULL},
    {628, PGCONVOY_TYPE_BASE, "line", 0, ',', NULL},
    {650, PGCONVOY_TYPE_BASE, "cidr", 0, ',', NULL},
    {700, PGCONVOY_TYPE_BASE, "float4", 0, ',', NULL},
    {701, PGCONVOY_TYPE_BASE, "float8", 0, ',', NULL},
    {718, PGCONVOY_TYPE_BASE, "circle", 0, ',', NULL},
    {774, PGCONVOY_TYPE_BASE, "macaddr8", 0, ',', NULL},
    {829, PGCONVOY_TYPE_BASE, "macaddr", 0, ',', NULL},
    {869, PGCONVOY_TYPE_BASE, "inet", 0, ',', NULL},
    {1000, PGCONVOY_TYPE_ARRAY, "_bool", 16, ',', NULL},
    {1001, PGCONVOY_TYPE_ARRAY, "_bytea", 17, ',', NULL},
    {1003, PGCONVOY_TYPE_ARRAY, "_name", 19, ',', NULL},
    {1007, PGCONVOY_TYPE_ARRAY, "_int4", 23, ',', NULL},
    {1009, PGCONVOY_TYPE_ARRAY, "_text", 25, ',', NULL},
    {1016, PGCONVOY_TYPE_ARRAY, "_int8", 20, ',', NULL},
    {1017, PGCONVOY_TYPE_ARRAY, "_point", 600, ',', NULL},
    {1020, PGCONVOY_TYPE_ARRAY, "_box", 603, ';', NULL},
    {1022, PGCONVOY_TYPE_ARRAY, "_float8", 701, ',', NULL},
    {1028, PGCONVOY_TYPE_ARRAY, "_oid", 26, ',', NULL},
    {1041, PGCONVOY_TYPE_ARRAY, "_inet", 869, ',', NULL},
    {1042, PGCONVOY_TYPE_BASE, "bpchar", 0, ',', NULL},
    {1043, PGCONVOY_TYPE_BASE, "varchar", 0, ',', NULL},
    {1082, PGCONVOY_TYPE_BASE, "date", 0, ',', NULL},
    {1083, PGCONVOY_TYPE_BASE, "time", 0, ',', NULL},
    {1114, PGCONVOY_TYPE_BASE, "timestamp", 0, ',', NULL},
    {1182, PGCONVOY_TYPE_ARRAY, "_date", 1082, ',', NULL},
    {1184, PGCONVOY_TYPE_BASE, "timestamptz", 0, ',', NULL},
    {1185, PGCONVOY_TYPE_ARRAY, "_timestamptz", 1184, ',', NULL},
    {1186, PGCONVOY_TYPE_BASE, "interval", 0, ',', NULL},
    {1187, PGCONVOY_TYPE_ARRAY, "_interval", 1186, ',', NULL},
    {1231, PGCONVOY_TYPE_ARRAY, "_numeric", 1700, ',', NULL},
    {1266, PGCONVOY_TYPE_BASE, "timetz", 0, ',', NULL},
    {1560, PGCONVOY_TYPE_BASE, "bit", 0, ',', NULL},
    {1562, PGCONVOY_TYPE_BASE, "varbit", 0, ',', NULL},
    {1700, PGCONVOY_TYPE_BASE, "numeric", 0, ',', NULL},
    {1790, PGCONVOY_TYPE_BASE, "refcursor", 0, ',', NULL},
    {2950, PGCONVOY_TYPE_BASE, "uuid", 0, ',', NULL},
    {2970, PGCONVOY_TYPE_BASE, "txid_snapshot", 0, ',', NULL},
    {3220, PGCONVOY_TYPE_BASE, "pg_lsn", 0, ',', NULL},
    {3614, PGCONVOY_TYPE_BASE, "tsvector", 0, ',', NULL},
    {3615, PGCONVOY_TYPE_BASE, "tsquery", 0, ',', NULL},
    {3802, PGCONVOY_TYPE_BASE, "jsonb", 0, ',', NULL},
    {3807, PGCONVOY_TYPE_ARRAY, "_jsonb", 3802, ',', NULL},
    {3904, PGCONVOY_TYPE_RANGE, "int4range", 23, ',', NULL},
    {3905, PGCONVOY_TYPE_ARRAY, "_int4range", 3904, ',', NULL},
    {3906, PGCONVOY_TYPE_RANGE, "numrange", 1700, ',', NULL},
    {3908, PGCONVOY_TYPE_RANGE, "tsrange", 1114, ',', NULL},
    {3910, PGCONVOY_TYPE_RANGE, "tstzrange", 1184, ',', NULL},
    {3912, PGCONVOY_TYPE_RANGE, "daterange", 1082, ',', NULL},
    {3926, PGCONVOY_TYPE_RANGE, "int8range", 20, ',', NULL},
    {4072, PGCONVOY_TYPE_BASE, "jsonpath", 0, ',', NULL},
    {4451, PGCONVOY_TYPE_MULTIRANGE, "int4multirange", 3904, ',', NULL},
    {4532, PGCONVOY_TYPE_MULTIRANGE, "nummultirange", 3906, ',', NULL},
    {4533, PGCONVOY_TYPE_MULTIRANGE, "tsmultirange", 3908, ',', NULL},
    {5038, PGCONVOY_TYPE_BASE, "pg_snapshot", 0, ',', NULL},
    {5069, PGCONVOY_TYPE_BASE, "xid8", 0, ',', NULL},
    {6150, PGCONVOY_TYPE_ARRAY, "_int4multirange", 4451, ',', NULL},
    {790, PGCONVOY_TYPE_BASE, "money", 0, ',', NULL},
    {24, PGCONVOY_TYPE_BASE, "regproc", 0, ',', NULL},
    {ZOO_MOOD, PGCONVOY_TYPE_ENUM, "mood", 0, ',', NULL},
    {ZOO_MOODS, PGCONVOY_TYPE_ARRAY, "_mood", ZOO_MOOD, ',', NULL},
    {ZOO_POSITIVE, PGCONVOY_TYPE_DOMAIN, "positive", 23, ',', NULL},
    {ZOO_POSITIVES, PGCONVOY_TYPE_DOMAIN, "positives", 1007, ',', NULL},
    {ZOO_PAIR, PGCONVOY_TYPE_COMPOSITE, "pair", 0, ',', NULL},
    {ZOO_PAIRS, PGCONVOY_TYPE_ARRAY, "_pair", ZOO_PAIR, ',', NULL},
    {ZOO_NESTED, PGCONVOY_TYPE_COMPOSITE, "nested", 0, ',', NULL},
    {ZOO_NESTEDS, PGCONVOY_TYPE_ARRAY, "_nested", ZOO_NESTED, ',', NULL},
    {ZOO_NOTHING, PGCONVOY_TYPE_COMPOSITE, "nothing", 0, ',', NULL},
    {ZOO_TEXTRANGE, PGCONVOY_TYPE_RANGE, "textrange", 25, ',', NULL},
    {ZOO_TEXTMULTIRANGE, PGCONVOY_TYPE_MULTIRANGE, "textmultirange", ZOO_TEXTRANGE, ',', NULL},
    {ZOO_PAIRRANGE, PGCONVOY_TYPE_RANGE, "pairrange", ZOO_PAIR, ',', NULL},
    {ZOO_VECTOR, PGCONVOY_TYPE_BASE, "vector", 0, ',', "vector"},
    {ZOO_HALFVEC, PGCONVOY_TYPE_BASE, "halfvec", 0, ',', "vector"},
    {ZOO_SPARSEVEC, PGCONVOY_TYPE_BASE, "sparsevec", 0, ',', "vector"},
    {ZOO_VECTORS, PGCONVOY_TYPE_ARRAY, "_vector", ZOO_VECTOR, ',', NULL},
    {ZOO_HSTORE, PGCONVOY_TYPE_BASE, "hstore", 0, ',', "hstore"},
    {ZOO_CITEXT, PGCONVOY_TYPE_BASE, "citext", 0, ',', "citext"},
    {ZOO_LTREE, PGCONVOY_TYPE_BASE, "ltree", 0, ',', "ltree"},
};

const pgconvoy_type *type_zoo_find(const type_zoo *zoo, uint32_t oid)
{
    for (int i = 0; i < zoo->count; i++)
        if (zoo->types[i].oid == oid)
            return &zoo->types[i];
    return NULL;
}

/* Gives a composite its fields, from the first free one on. */
static int add_fields(type_zoo *zoo, int first, uint32_t composite, const uint32_t *oids, int count)
{
    pgconvoy_type *type = (pgconvoy_type *)type_zoo_find(zoo, composite);
    type->fields = &zoo->fields[first];
    type->field_count = count;
    for (int i = 0; i < count; i++) {
        zoo->fields[first + i].name = "field";
        zoo->fields[first + i].type = type_zoo_find(zoo, oids[i]);
        zoo->fields[first + i].typmod = -1;
    }
    return first + count;
}

void type_zoo_init(type_zoo *zoo)
{
    static const char *const labels[] = {"happy", "so, \"so\""};
    static const uint32_t pair[] = {23, 25}, nested[] = {ZOO_PAIR, 1007, ZOO_PAIRS, ZOO_MOOD, ZOO_POSITIVE};
    memset(zoo, 0, sizeof *zoo);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pgconvoy_type *type = &zoo->types[zoo->count++];
        type->oid = rows[i].oid;
        type->kind = rows[i].kind;
        type->schema = rows[i].oid < ZOO_MOOD ? "pg_catalog" : "public";
        type->name = rows[i].name;
        type->extension = rows[i].extension;
        type->delimiter = rows[i].delimiter;
        type->typmod = -1;
        if (type->kind == PGCONVOY_TYPE_ENUM) {
            type->labels = labels;
            type->label_count = 2;
        }
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        zoo->types[i].element = rows[i].element ? type_zoo_find(zoo, rows[i].element) : NULL;
    int next = add_fields(zoo, 0, ZOO_PAIR, pair, 2);
    next = add_fields(zoo, next, ZOO_NESTED, nested, 5);
    add_fields(zoo, next, ZOO_NOTHING, NULL, 0);
}
