"""The stand-in for BigQuery as a target of scenarios: its URI, and its rows in the canonical form of values.py, to be compared with the source's."""
import decimal
import re

import standin_bigquery
import standin_bigquery_data
import values
from server import quote_ident


def number(text):
    return str(decimal.Decimal(text).normalize(standin_bigquery_data.EXACT))


def characters(text):
    return text


class BigqueryTarget:
    name = "bigquery"

    def __init__(self, folder, dataset="shop", **options):
        self.service = standin_bigquery.BigQuery(folder)
        self.dataset, self.options = dataset, options

    @property
    def uri(self):
        options = {"endpoint": self.service.endpoint, "credentials": self.service.key_file, **self.options}
        return f"bigquery://{self.service.project}/{self.dataset}?" + "&".join(f"{name}={value}" for name, value in options.items())

    def close(self):
        self.service.close()

    def into(self, name):
        self.dataset = name

    def on_merge(self, table, what):
        def hook(job):
            if f"MERGE INTO `{self.service.project}.{self.dataset}.{table}`" in job.configuration.get("query", {}).get("query", "") and what() == "refused":
                del self.service.jobs[job.reference["jobId"]]
                raise standin_bigquery.ApiError(400, "invalidQuery", "refused by the test")
        self.service.job_hook = hook if table else None

    def exists(self):
        return any(not name.startswith("_pgconvoy") for _, name in self.service.tables)

    def query(self, sql):
        """Rows of a query of DuckDB's, as lists of texts."""
        with self.service.lock:
            return self.service.engine.run(sql)[1]

    def tables(self):
        return sorted(name for _, name in self.service.tables)

    @staticmethod
    def table_name(schema, table):
        name = re.sub(r"[^A-Za-z0-9_]", "_", table.encode().decode("latin-1"))
        return name if schema == "public" else re.sub(r"[^A-Za-z0-9_]", "_", schema.encode().decode("latin-1")) + "_" + name

    @staticmethod
    def column_name(name):
        name = re.sub(r"[^A-Za-z0-9_]", "_", name.encode().decode("latin-1"))
        return "pg_" + name if name[:1].isdigit() else name

    def fields(self, schema, table):
        found = self.service.tables.get((self.dataset, self.table_name(schema, table)))
        assert found, f"table {schema}.{table} is not in the dataset, which has {self.tables()}"
        return {field["name"]: field for field in found["schema"]["fields"]}

    def rows(self, schema, table, columns):
        fields = self.fields(schema, table)
        expressions, readers = [], []
        for name, pg_type in columns:
            name = self.column_name(name)
            field, column = fields[name], quote_ident(name)
            if field.get("mode") == "REPEATED":
                expressions.append(f"to_json(list_transform({column}, x -> lower(hex(x))))" if field["type"] == "BYTES" else f"to_json({column}::VARCHAR[])")
            elif field["type"] == "BYTES":
                expressions.append(f"lower(hex({column}))")
            elif field["type"] == "TIMESTAMP":
                expressions.append(f"make_timestamp(epoch_us({column}))::VARCHAR")
            else:
                expressions.append(f"{column}::VARCHAR")
            readers.append(self.reader(pg_type, field, False))
        return [tuple(reader(value) if value is not None else None for reader, value in zip(readers, row))
                for row in self.query(f"SELECT {', '.join(expressions)} FROM {quote_ident(self.dataset)}.{quote_ident(self.table_name(schema, table))}")]

    def source_rows(self, source, database, schema, table, columns, where=""):
        fields = self.fields(schema, table)
        names = ", ".join(quote_ident(name) for name, _ in columns)
        lines = source.copy_out(f"SELECT {names} FROM {quote_ident(schema)}.{quote_ident(table)} {where}", database)
        readers = [self.reader(pg_type, fields[self.column_name(name)], True) for name, pg_type in columns]
        repeated = [fields[self.column_name(name)].get("mode") == "REPEATED" for name, _ in columns]
        return [tuple(reader(value) if value is not None else () if many else None
                      for reader, value, many in zip(readers, values.copy_fields(line), repeated))
                for line in (lines if lines != [""] else [])]

    def reader(self, pg_type, field, source):
        """BigQuery's own text of a value, or PostgreSQL's, to what is compared."""
        if field.get("mode") == "REPEATED":
            one = self.reader(pg_type.removesuffix("[]"), {**field, "mode": "NULLABLE"}, source)
            if source and field["type"] == "BYTES":
                one = lambda text: text.removeprefix("\\x")  # noqa: E731
            if source and pg_type.endswith("[]"):
                return lambda text: tuple(one(item) for item in values.array("text", text))
            return lambda text: tuple(one(item) for item in values.loads(text))
        kind = field["type"]
        if kind in ("NUMERIC", "BIGNUMERIC"):
            return number
        if kind in ("FLOAT64", "FLOAT"):
            return lambda text: repr(float(text))
        if kind in ("BOOL", "BOOLEAN"):
            return values.boolean
        if kind in ("DATE", "DATETIME", "TIME"):
            return values.moment
        if kind == "TIMESTAMP":
            return lambda text: values.moment(text.removesuffix("+00"))
        if kind == "BYTES":
            return lambda text: text.removeprefix("\\x")
        if kind == "JSON":
            return lambda text: loose_json(values.loads(text))
        return characters


def loose_json(value):
    """JSON as BigQuery keeps it: numbers are 64-bit integers or doubles."""
    if isinstance(value, dict):
        return tuple(sorted((name, loose_json(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("list", *(loose_json(item) for item in value))
    if isinstance(value, values.Number) or (isinstance(value, int) and not isinstance(value, bool)):
        return repr(float(value))
    return ("text", value) if isinstance(value, str) else value
