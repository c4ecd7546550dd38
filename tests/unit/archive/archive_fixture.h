/* A small archive for tests: its entries, its data, written and read back in every format. */
#ifndef ARCHIVE_FIXTURE_H
#define ARCHIVE_FIXTURE_H

#include "archive/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Entries 1 … 7: a table that is large, one that is empty, one that is small, a function without data, large objects; ENCODING; a sequence's value. */
enum { ENCODING, TABLE, FUNCTION, LARGE, EMPTY, SMALL, OBJECTS, ENTRY_COUNT };
void fixture_entries(pgc_entries *entries, int server_major);

/* The data of an entry (of TABLE DATA), made new for each call: LARGE's are some MB that compress like rows. */
void fixture_data(int which, pgc_buffer *data);
/* OIDs, ended by 0, and a large object's bytes. */
extern const uint32_t fixture_objects[];
void fixture_object(uint32_t oid, pgc_buffer *data);

/* A new folder for a test, and a path in it; gone with fixture_clean. */
char *fixture_folder(void);
const char *fixture_path(const char *folder, const char *name);
void fixture_clean(char *folder);

pgc_archive_settings fixture_settings(const char *path, pgc_archive_format format, const char *compression);
/* Creates, writes all and finishes; asserts that all went well. */
void fixture_write(const pgc_archive_settings *settings);
/* Writes one entry's data, whole. */
void fixture_write_entry(pgc_archive_writer *writer, pgc_entry *entry, int which);

/* Reads all entries and data and asserts that they are what fixture_write wrote. */
void fixture_expect(const char *path, const pgc_archive_settings *settings);
/* Reads an entry's data into data; large objects as "OID:" before the bytes of each. */
int fixture_read(pgc_archive_reader *reader, const pgc_entry *entry, pgc_buffer *data, pgconvoy_error *err);

/* What a command writes to standard output; asserts that it succeeds. */
void fixture_run(const char *command, pgc_buffer *out);

#endif
