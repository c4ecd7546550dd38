/* The library's version, from the public header. */
#include "pgconvoy.h"

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

const char *pgconvoy_version(void)
{
    return TEXT(PGCONVOY_VERSION_MAJOR) "." TEXT(PGCONVOY_VERSION_MINOR) "." TEXT(PGCONVOY_VERSION_PATCH);
}
