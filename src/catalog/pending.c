/* Weak stand-ins for parts that are still being written; this file goes when the last of them is there. */
#include "catalog/kinds.h"
#define WEAK __attribute__((weak))
WEAK PGC_TAKE(extension_config) { (void)catalog; (void)rows; (void)err; return 0; }
WEAK PGC_TAKE(dependencies) { (void)catalog; (void)rows; (void)err; return 0; }
