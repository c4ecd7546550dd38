/*
 * libduckdb, loaded when the sink is opened, so that the command runs without it. The functions of its C API that the sink uses stand in one table;
 * everything else calls them through it.
 */
#ifndef PGC_SINK_DUCKDB_LIBRARY_H
#define PGC_SINK_DUCKDB_LIBRARY_H

#include "base/error.h"

#include <duckdb.h>

/* clang-format off */
#define PGC_DUCKDB_FUNCTIONS(X) \
    X(library_version) X(free) X(vector_size) \
    X(create_config) X(set_config) X(destroy_config) X(open_ext) X(close) X(connect) X(disconnect) \
    X(query) X(destroy_result) X(result_error) X(result_error_type) X(rows_changed) X(row_count) X(value_varchar) \
    X(create_logical_type) X(create_list_type) X(create_array_type) X(create_struct_type) X(create_enum_type) \
    X(create_decimal_type) X(logical_type_set_alias) X(destroy_logical_type) X(create_time_tz) \
    X(data_chunk_get_vector) X(data_chunk_set_size) \
    X(vector_get_data) X(vector_get_validity) X(vector_ensure_validity_writable) \
    X(list_vector_get_child) X(list_vector_reserve) X(list_vector_set_size) X(list_vector_get_size) \
    X(struct_vector_get_child) X(array_vector_get_child) \
    X(create_table_function) X(destroy_table_function) X(table_function_set_name) X(table_function_set_extra_info) \
    X(table_function_add_parameter) \
    X(table_function_set_bind) X(table_function_set_init) X(table_function_set_function) X(register_table_function) \
    X(bind_get_extra_info) X(bind_get_parameter) X(get_uint64) X(destroy_value) X(bind_set_error) X(bind_set_bind_data) \
    X(bind_add_result_column) X(bind_set_cardinality) \
    X(init_set_init_data) X(init_set_max_threads) X(init_set_error) \
    X(function_get_extra_info) X(function_get_bind_data) X(function_get_init_data) X(function_set_error)
/* clang-format on */

typedef struct pgc_duckdb_api {
#define PGC_DUCKDB_MEMBER(name) __typeof__(duckdb_##name) *name;
    PGC_DUCKDB_FUNCTIONS(PGC_DUCKDB_MEMBER)
#undef PGC_DUCKDB_MEMBER
} pgc_duckdb_api;

/*
 * Loads the library: $PGCONVOY_LIBDUCKDB, next to the program and in ../lib beside it, where scripts/install-duckdb leaves it, in the
 * installation's folder, and at last wherever the system's loader finds libduckdb.so. It stays loaded for the life of the process, as DuckDB's
 * threads do not expect to lose their code.
 */
int pgc_duckdb_library_load(pgc_duckdb_api *api, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * What was loaded, for functions that DuckDB calls: all that they are given is an object that only libduckdb can look into. Which library it is is a fact about
 * the process. Only for threads that run after a load.
 */
const pgc_duckdb_api *pgc_duckdb_loaded(void);

#endif
