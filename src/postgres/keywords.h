/* Key words: which names cannot stand in SQL without quotes. */
#ifndef PGC_POSTGRES_KEYWORDS_H
#define PGC_POSTGRES_KEYWORDS_H

#include <stdbool.h>

/* True when word, in lower case, is a key word that a server of this version (150020) does not take everywhere as a name. Thread-safe. */
bool pgc_keyword_needs_quotes(const char *word, int server_version);

#endif
