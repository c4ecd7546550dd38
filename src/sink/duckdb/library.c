/* Finding and loading libduckdb; see library.h. */
#include "sink/duckdb/library.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PGC_DUCKDB_BUILD_FOLDER
#define PGC_DUCKDB_BUILD_FOLDER ""
#endif
#ifndef PGC_DUCKDB_INSTALL_FOLDER
#define PGC_DUCKDB_INSTALL_FOLDER ""
#endif

static pgc_duckdb_api loaded;
static bool is_loaded;
static pthread_mutex_t loaded_lock = PTHREAD_MUTEX_INITIALIZER; /* guards both while they are set, which is once */

#define HINT "run scripts/install-duckdb, or set PGCONVOY_LIBDUCKDB to the path of libduckdb.so (1.4 or later)"

/* Opens path if there is such a file. A file that is there and cannot be loaded is an error, not a reason to look further. */
static int try_file(const char *path, void **handle, pgconvoy_error *err)
{
    *handle = NULL;
    if (access(path, F_OK) != 0)
        return 0;
    *handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (*handle)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "cannot load libduckdb: %s", dlerror());
    pgconvoy_error_hint(err, HINT);
    return -1;
}

static int try_folder(const char *folder, const char *below, void **handle, pgconvoy_error *err)
{
    char path[PATH_MAX];
    *handle = NULL;
    if (!*folder || snprintf(path, sizeof path, "%s%s/libduckdb.so", folder, below) >= (int)sizeof path)
        return 0;
    return try_file(path, handle, err);
}

/* The folder that the running program stands in, "" when unknown. */
static void program_folder(char *folder, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
}

static int find_library(void **handle, pgconvoy_error *err)
{
    const char *named = getenv("PGCONVOY_LIBDUCKDB");
    if (named && *named) {
        if (try_file(named, handle, err) != 0 || *handle)
            return *handle ? 0 : -1;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "PGCONVOY_LIBDUCKDB names %s, which does not exist", named);
        pgconvoy_error_hint(err, HINT);
        return -1;
    }
    char program[PATH_MAX];
    program_folder(program, sizeof program);
    const char *const places[][2] = {
        {program, ""}, {program, "/../lib"}, {PGC_DUCKDB_BUILD_FOLDER, ""}, {PGC_DUCKDB_INSTALL_FOLDER, ""}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (try_folder(places[i][0], places[i][1], handle, err) != 0)
            return -1;
        if (*handle)
            return 0;
    }
    *handle = dlopen("libduckdb.so", RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (*handle)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "libduckdb.so is not installed, so that duckdb: targets cannot be opened");
    pgconvoy_error_hint(err, HINT);
    return -1;
}

int pgc_duckdb_library_load(pgc_duckdb_api *api, pgconvoy_error *err)
{
    void *handle;
    if (find_library(&handle, err) != 0)
        return -1;
    static const char *const names[] = {
#define PGC_DUCKDB_NAME(name) "duckdb_" #name,
        PGC_DUCKDB_FUNCTIONS(PGC_DUCKDB_NAME)
#undef PGC_DUCKDB_NAME
    };
    void **functions = (void **)api; /* the table is nothing but pointers to functions, in the order of the names */
    _Static_assert(sizeof(pgc_duckdb_api) == sizeof names, "one pointer for each name");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        functions[i] = dlsym(handle, names[i]);
        if (!functions[i]) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the libduckdb found is too old: it has no %s", names[i]);
            pgconvoy_error_hint(err, HINT);
            return -1;
        }
    }
    int major = 0, minor = 0;
    if (sscanf(api->library_version(), "v%d.%d", &major, &minor) == 2 && (major < 1 || (major == 1 && minor < 4))) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the libduckdb found is %s, which is too old", api->library_version());
        pgconvoy_error_hint(err, HINT);
        return -1;
    }
    pthread_mutex_lock(&loaded_lock);
    if (!is_loaded)
        loaded = *api;
    is_loaded = true;
    pthread_mutex_unlock(&loaded_lock);
    return 0;
}

const pgc_duckdb_api *pgc_duckdb_loaded(void)
{
    return &loaded;
}
