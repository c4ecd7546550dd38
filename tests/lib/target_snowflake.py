"""The stand-in for Snowflake as a target of scenarios: its URI, and its rows in the canonical form of values.py, to be compared with the source's."""
import decimal

import standin_snowflake
import values
from server import quote_ident
from standin_snowflake_sql import column_name
from target_bigquery import characters, number

SCHEMA = "PG"


class SnowflakeTarget:
    name = "snowflake"

    def __init__(self, folder, schema=SCHEMA, seed=None, **options):
        self.service = standin_snowflake.Snowflake(folder, seed=seed)
        self.schema, self.options = schema, options

    @property
    def uri(self):
        service = self.service
        options = {"warehouse": service.warehouse, "role": service.role, "private_key_file": service.key.path, "endpoint": service.endpoint, **self.options}
        return f"snowflake://{service.user}@{service.account}/{service.database}/{self.schema}?" + \
            "&".join(f"{name}={value}" for name, value in options.items() if value is not None)

    def close(self):
        self.service.close()

    def into(self, name):
        self.schema = name.upper()

    def on_merge(self, table, what):
        def hook(statement):
            if f'MERGE INTO "{self.service.database}"."{self.schema}"."{table}"' in statement.body["statement"] and what() == "refused":
                raise standin_snowflake.ApiError(422, "100132", "refused by the test", "P0000")
        self.service.statement_hook = hook if table else None

    def exists(self):
        return any(not name.startswith("_PGCONVOY") for name in self.tables())

    def execute(self, sql):
        """(columns, rows) of a statement in Snowflake's SQL."""
        with self.service.lock:
            session = standin_snowflake.Session(self.service, self.service.database, self.schema, self.service.warehouse)
            return session.execute(standin_snowflake.split_statements(sql)[0], False)

    def query(self, sql):
        """Rows of a query in Snowflake's SQL, as lists of texts."""
        return self.execute(sql)[1]

    def tables(self):
        return self.service.engine.tables(self.service.database, self.schema)

    @staticmethod
    def table_name(schema, table):
        return table if schema == "public" else f"{schema}_{table}"

    def table(self, schema, table):
        name = self.table_name(schema, table)
        assert name in self.tables(), f"table {schema}.{table} is not in the schema, which has {self.tables()}"
        path = self.service.database, self.schema, name
        return path, self.service.engine.table(path)

    def fields(self, schema, table):
        return {column.name: column for column in self.table(schema, table)[1].columns}

    def rows(self, schema, table, columns):
        path, _ = self.table(schema, table)
        found = self.fields(schema, table)
        expressions = []
        for name, _type in columns:
            assert name in found, f"column {name} of {schema}.{table} is not in Snowflake, which has {sorted(found)}"
            column = column_name(name)
            expressions.append({"BINARY": f"lower(hex({column}))", "TIMESTAMP_TZ": f"make_timestamp(epoch_us({column}))::VARCHAR"}.get(found[name].kind, f"{column}::VARCHAR"))
        readers = [self.reader(pg_type, found[name], False) for name, pg_type in columns]
        with self.service.lock:
            lines = self.service.engine.run(f"SELECT {', '.join(expressions)} FROM {self.service.engine.name(path)}")[1]
        return [tuple(reader(value) if value is not None else None for reader, value in zip(readers, row)) for row in lines]

    def source_rows(self, source, database, schema, table, columns, where=""):
        found = self.fields(schema, table)
        names = ", ".join(quote_ident(name) for name, _ in columns)
        lines = source.copy_out(f"SELECT {names} FROM {quote_ident(schema)}.{quote_ident(table)} {where}", database)
        readers = [self.reader(pg_type, found[name], True) for name, pg_type in columns]
        return [tuple(reader(value) if value is not None else None for reader, value in zip(readers, values.copy_fields(line)))
                for line in (lines if lines != [""] else [])]

    def reader(self, pg_type, column, source):
        """Snowflake's own text of a value, or PostgreSQL's, to what is compared."""
        kind = column.kind
        if kind == "ARRAY":
            if source and pg_type.endswith("[]"):
                return lambda text: array_of(pg_type.removesuffix("[]"), values.array("text", text))
            return lambda text: variant(values.loads(text))
        if kind == "NUMBER":
            return number
        if kind == "FLOAT":
            return lambda text: repr(float(text))
        if kind == "BOOLEAN":
            return values.boolean
        if kind in ("DATE", "TIME", "TIMESTAMP_NTZ"):
            return values.moment
        if kind == "TIMESTAMP_TZ":
            return lambda text: values.moment(text.removesuffix("+00"))
        if kind == "BINARY":
            return lambda text: text.removeprefix("\\x")
        if kind == "VARIANT":
            return lambda text: variant(values.loads(text))
        return characters


def variant(value):
    """JSON as a VARIANT keeps it: a number of up to 38 digits exactly, others as doubles."""
    if isinstance(value, dict):
        return tuple(sorted((name, variant(item)) for name, item in value.items()))
    if isinstance(value, (list, tuple)):
        return ("list", *(variant(item) for item in value))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, values.Number) or isinstance(value, (int, float, decimal.Decimal)):
        exact = decimal.Decimal(str(value))
        digits, exponent = exact.as_tuple().digits, exact.as_tuple().exponent
        if exponent > -38 and len(digits) + max(exponent, 0) <= 38:
            return number(str(exact))
        return repr(float(exact))
    return "text", value


def array_of(pg_type, items):
    """A PostgreSQL array of one type, whose items are texts, as an ARRAY has it: what JSON has no word for is text."""
    if isinstance(items, (tuple, list)):
        return ("list", *(array_of(pg_type, item) for item in items))
    if items is None:
        return None
    if pg_type in ("json", "jsonb"):
        return variant(values.loads(items))
    if pg_type in ("smallint", "integer", "bigint", "oid", "xid", "cid", "xid8", "real", "double precision") and items.lower().lstrip("-") not in ("nan", "infinity"):
        return variant(decimal.Decimal(items))
    if pg_type == "boolean":
        return items == "t"
    return "text", items
