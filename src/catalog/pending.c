/* Weak stand-ins for parts that are still being written; this file goes when the last of them is there. */
#include "catalog/kinds.h"
#define WEAK __attribute__((weak))
WEAK PGC_WRITER(type) { (void)ddl; (void)object; }
WEAK PGC_WRITER(shell_type) { (void)ddl; (void)object; }
WEAK PGC_WRITER(function) { (void)ddl; (void)object; }
WEAK PGC_WRITER(aggregate) { (void)ddl; (void)object; }
WEAK PGC_WRITER(language) { (void)ddl; (void)object; }
WEAK PGC_WRITER(cast) { (void)ddl; (void)object; }
WEAK PGC_WRITER(transform) { (void)ddl; (void)object; }
WEAK PGC_WRITER(relation_statistics) { (void)ddl; (void)object; }
WEAK PGC_COMPARE(function) { (void)catalog; (void)a; (void)b; return 0; }
WEAK PGC_TAKE(extension_config) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(functions) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(types) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(type_columns) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(type_enums) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(domain_checks) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(languages) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(aggregates) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(casts) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(transforms) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(dependencies) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK int pgc_compare_type_oids(const pgc_catalog *catalog, uint32_t a, uint32_t b) { (void)catalog; (void)a; (void)b; return 0; }
