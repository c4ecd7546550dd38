/* What a pipeline's things at the source are called, and how they are known again. */
#ifndef PGC_SOURCE_POSTGRES_NAMES_H
#define PGC_SOURCE_POSTGRES_NAMES_H

#include <stddef.h>

/* pgconvoy_NAME, as a slot or publication of the pipeline is called when no other name is given; 64 bytes. */
void pgc_slot_name_derive(const char *pipeline, char *name);

/* The comment of a publication that the pipeline has made, by which it is known as its own. */
void pgc_publication_mark(const char *pipeline, char *text, size_t size);

#endif
