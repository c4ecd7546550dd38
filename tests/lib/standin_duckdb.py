"""DuckDB as the engine behind the stand-ins: one connection to a database in memory, and the quoting of its SQL."""
import ctypes
import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class SqlError(Exception):
    """A statement that the service would refuse; reason is the service's own word for why."""

    def __init__(self, message, reason="invalidQuery"):
        super().__init__(message)
        self.reason = reason


class Result(ctypes.Structure):
    _fields_ = [("columns", ctypes.c_uint64), ("rows", ctypes.c_uint64), ("changed", ctypes.c_uint64), ("data", ctypes.c_void_p),
                ("message", ctypes.c_void_p), ("internal", ctypes.c_void_p)]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


class DuckDB:
    """Used under the service's lock."""

    def __init__(self, memory="512MB"):
        path = os.environ.get("PGCONVOY_LIBDUCKDB", os.path.join(TOP, "third_party/duckdb/libduckdb.so"))
        self.lib = lib = ctypes.CDLL(path)
        lib.duckdb_value_varchar.restype = ctypes.c_void_p
        lib.duckdb_value_varchar.argtypes = [ctypes.POINTER(Result), ctypes.c_uint64, ctypes.c_uint64]
        lib.duckdb_result_error.restype = ctypes.c_char_p
        for name in ("duckdb_column_count", "duckdb_row_count", "duckdb_rows_changed"):
            getattr(lib, name).restype = ctypes.c_uint64
        lib.duckdb_column_name.restype = ctypes.c_char_p
        lib.duckdb_column_name.argtypes = [ctypes.POINTER(Result), ctypes.c_uint64]
        self.database, self.connection = ctypes.c_void_p(), ctypes.c_void_p()
        lib.duckdb_open(None, ctypes.byref(self.database))
        lib.duckdb_connect(self.database, ctypes.byref(self.connection))
        for setting in ("SET TimeZone = 'UTC'", "SET threads = 1", f"SET memory_limit = '{memory}'"):
            self.run(setting)

    def close(self):
        self.lib.duckdb_disconnect(ctypes.byref(self.connection))
        self.lib.duckdb_close(ctypes.byref(self.database))

    def run(self, sql):
        """(names, rows of texts, rows changed)"""
        result = Result()
        state = self.lib.duckdb_query(self.connection, ctypes.c_char_p(sql.encode()), ctypes.byref(result))
        try:
            if state != 0:
                message = self.lib.duckdb_result_error(ctypes.byref(result))
                raise SqlError((message or b"?").decode("utf-8", "replace") + " in " + sql[:2000])
            columns, rows = self.lib.duckdb_column_count(ctypes.byref(result)), self.lib.duckdb_row_count(ctypes.byref(result))
            names = [self.lib.duckdb_column_name(ctypes.byref(result), column).decode() for column in range(columns)]
            found = []
            for row in range(rows):
                line = []
                for column in range(columns):
                    address = self.lib.duckdb_value_varchar(ctypes.byref(result), column, row)
                    line.append(ctypes.string_at(address).decode() if address else None)
                    if address:
                        self.lib.duckdb_free(ctypes.c_void_p(address))
                found.append(line)
            return names, found, self.lib.duckdb_rows_changed(ctypes.byref(result))
        finally:
            self.lib.duckdb_destroy_result(ctypes.byref(result))
