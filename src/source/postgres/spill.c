/*
 * Spill: a transaction is a run of records, first those on disk (its extents in order), then those in its buffer. A flush moves the
 * whole buffer, so no record lies half on disk and half in memory.
 */
#include "source/postgres/spill.h"

#include "base/grow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXTENT_BYTES ((size_t)64 * 1024)
#define WINDOW_BYTES ((size_t)256 * 1024)
#define FIRST_BUFFER_BYTES ((size_t)4096)

/* What stands before each message in buffer and file. */
typedef struct header {
    uint64_t lsn;
    uint64_t length;
    uint32_t xid;
    uint8_t type;
} header;

struct pgc_spilled {
    uint32_t xid;
    char *buffer;
    size_t length, capacity;
    uint64_t disk_bytes;
    uint32_t *extents;
    size_t extent_count, extent_capacity;
    uint32_t *aborted; /* rolled back subtransactions, sorted by rewind */
    size_t aborted_count, aborted_capacity;
    uint32_t *subxids; /* of messages' subtransactions, as they came; twice where they take turns */
    size_t subxid_count, subxid_capacity;
    uint64_t offset; /* of the next record to read, over disk and buffer */
    uint32_t last_xid; /* of the record read before, and whether it was aborted: records come in runs */
    bool last_aborted;
};

struct pgc_spill {
    char *dir;
    size_t transaction_bytes, total_bytes;
    pgconvoy_log *log;
    int fd; /* -1: nothing was written yet */
    uint32_t extents_used, extents_in_file;
    uint32_t *free_extents;
    size_t free_count, free_capacity;
    pgc_spilled **transactions;
    size_t transaction_count, transaction_capacity;
    size_t memory; /* capacities of all buffers */
    char *window;  /* what was read from the file, from offset window_start of the transaction on */
    uint64_t window_start;
    size_t window_length, window_capacity;
};

pgc_spill *pgc_spill_new(const char *dir, size_t transaction_bytes, size_t total_bytes, pgconvoy_log *log)
{
    pgc_spill *spill = calloc(1, sizeof *spill);
    if (!spill)
        return NULL;
    spill->fd = -1;
    spill->transaction_bytes = transaction_bytes;
    spill->total_bytes = total_bytes;
    spill->log = log;
    spill->dir = dir ? strdup(dir) : NULL;
    if (dir && !spill->dir) {
        free(spill);
        return NULL;
    }
    return spill;
}

void pgc_spill_free(pgc_spill *spill)
{
    if (!spill)
        return;
    while (spill->transaction_count > 0)
        pgc_spill_drop(spill, spill->transactions[spill->transaction_count - 1]);
    if (spill->fd >= 0)
        close(spill->fd);
    free(spill->transactions);
    free(spill->free_extents);
    free(spill->window);
    free(spill->dir);
    free(spill);
}

/* ---- the file */

static int file_error(const pgc_spill *spill, const char *doing, int number, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot %s a spill file in %s: %s", doing, spill->dir, strerror(number));
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        pgconvoy_error_hint(err, "large transactions are kept there until they commit: free space on that disk, or choose a folder on a larger one with --state-dir");
    else
        pgconvoy_error_hint(err, "see that the folder can be written, or choose another one with --state-dir");
    return -1;
}

/* mkdir -p, for our own eyes only. A folder that is there is left as it is. */
static int make_folder(const pgc_spill *spill, pgconvoy_error *err)
{
    char *path = strdup(spill->dir);
    if (!path)
        return pgc_error_out_of_memory(err);
    int failed = 0;
    for (char *slash = path + 1; !failed && *path; slash++) {
        char end = *slash;
        if (end != '/' && end != '\0')
            continue;
        *slash = '\0';
        if (mkdir(path, 0700) && errno != EEXIST)
            failed = errno;
        *slash = end;
        if (end == '\0')
            break;
    }
    free(path);
    return failed ? file_error(spill, "make the folder for", failed, err) : 0;
}

static int open_file(pgc_spill *spill, pgconvoy_error *err)
{
    if (!spill->dir || !*spill->dir) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "there is no folder for transactions larger than memory");
        pgconvoy_error_hint(err, "name one with --state-dir");
        return -1;
    }
    if (make_folder(spill, err))
        return -1;
    size_t size = strlen(spill->dir) + 64;
    char *path = malloc(size);
    if (!path)
        return pgc_error_out_of_memory(err);
    for (unsigned n = 1; spill->fd < 0; n++) {
        snprintf(path, size, "%s/spill-%ld-%u", spill->dir, (long)getpid(), n);
        spill->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (spill->fd < 0 && errno == EEXIST && n < 10000)
            continue; /* another pipeline of this process, or a namesake from before a restart of the machine */
        if (spill->fd < 0 || unlink(path)) {
            int number = errno;
            free(path);
            return file_error(spill, "create", number, err);
        }
    }
    free(path);
    if (spill->log)
        pgc_log_debug(spill->log, "transactions in progress are spilled to %s", spill->dir);
    return 0;
}

static int take_extent(pgc_spill *spill, pgc_spilled *spilled, pgconvoy_error *err)
{
    if (pgc_grow(&spilled->extents, spilled->extent_count, &spilled->extent_capacity, sizeof(uint32_t), err))
        return -1;
    uint32_t extent;
    if (spill->free_count > 0)
        extent = spill->free_extents[--spill->free_count];
    else if (spill->extents_in_file == UINT32_MAX)
        return file_error(spill, "grow", EFBIG, err);
    else
        extent = spill->extents_in_file++;
    spilled->extents[spilled->extent_count++] = extent;
    spill->extents_used++;
    return 0;
}

/* Gives extents back, the first on top, so that the next transaction takes them in the same order. */
static void give_extents(pgc_spill *spill, pgc_spilled *spilled)
{
    spill->extents_used -= (uint32_t)spilled->extent_count;
    if (spill->extents_used == 0) {
        spill->free_count = 0;
        spill->extents_in_file = 0;
        /* gives the disk space back; where that fails the space is used again by the next transaction */
        if (spilled->extent_count > 0 && ftruncate(spill->fd, 0) && spill->log)
            pgc_log_warning(spill->log, "cannot shorten a spill file in %s: %s", spill->dir, strerror(errno));
        return;
    }
    pgconvoy_error ignored;
    for (size_t i = spilled->extent_count; i > 0; i--) {
        /* out of memory: the extent is lost until the file is emptied, nothing worse */
        if (pgc_grow(&spill->free_extents, spill->free_count, &spill->free_capacity, sizeof(uint32_t), &ignored))
            return;
        spill->free_extents[spill->free_count++] = spilled->extents[i - 1];
    }
}

/* Where offset of the transaction lies in the file, and how many bytes from there lie in one piece (at most length). */
static off_t place(const pgc_spilled *spilled, uint64_t offset, size_t length, size_t *piece)
{
    size_t at = (size_t)(offset / EXTENT_BYTES), inside = (size_t)(offset % EXTENT_BYTES);
    size_t run = EXTENT_BYTES - inside;
    for (size_t i = at + 1; run < length && i < spilled->extent_count && spilled->extents[i] == spilled->extents[i - 1] + 1; i++)
        run += EXTENT_BYTES;
    *piece = run < length ? run : length;
    return (off_t)spilled->extents[at] * (off_t)EXTENT_BYTES + (off_t)inside;
}

static int write_out(pgc_spill *spill, pgc_spilled *spilled, const char *data, size_t length, pgconvoy_error *err)
{
    if (spill->fd < 0 && open_file(spill, err))
        return -1;
    while (spilled->extent_count * EXTENT_BYTES - spilled->disk_bytes < length)
        if (take_extent(spill, spilled, err))
            return -1;
    while (length > 0) {
        size_t piece;
        off_t at = place(spilled, spilled->disk_bytes, length, &piece);
        ssize_t written = pwrite(spill->fd, data, piece, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return file_error(spill, "write", written < 0 ? errno : ENOSPC, err);
        spilled->disk_bytes += (uint64_t)written;
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

/* ---- transactions */

pgc_spilled *pgc_spill_find(pgc_spill *spill, uint32_t xid)
{
    /* asked once for each block of a stream, among the transactions in progress: a plain search will do */
    for (size_t i = 0; i < spill->transaction_count; i++)
        if (spill->transactions[i]->xid == xid)
            return spill->transactions[i];
    return NULL;
}

pgc_spilled *pgc_spill_begin(pgc_spill *spill, uint32_t xid, pgconvoy_error *err)
{
    if (pgc_grow(&spill->transactions, spill->transaction_count, &spill->transaction_capacity, sizeof(pgc_spilled *), err))
        return NULL;
    pgc_spilled *spilled = calloc(1, sizeof *spilled);
    if (!spilled) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    spilled->xid = xid;
    spill->transactions[spill->transaction_count++] = spilled;
    return spilled;
}

uint32_t pgc_spilled_xid(const pgc_spilled *spilled)
{
    return spilled->xid;
}

static void free_buffer(pgc_spill *spill, pgc_spilled *spilled)
{
    spill->memory -= spilled->capacity;
    free(spilled->buffer);
    spilled->buffer = NULL;
    spilled->length = spilled->capacity = 0;
}

void pgc_spill_drop(pgc_spill *spill, pgc_spilled *spilled)
{
    for (size_t i = 0; i < spill->transaction_count; i++)
        if (spill->transactions[i] == spilled)
            spill->transactions[i] = spill->transactions[--spill->transaction_count];
    give_extents(spill, spilled);
    free_buffer(spill, spilled);
    free(spilled->extents);
    free(spilled->aborted);
    free(spilled->subxids);
    free(spilled);
}

static int flush(pgc_spill *spill, pgc_spilled *spilled, pgconvoy_error *err)
{
    if (spilled->length > 0 && write_out(spill, spilled, spilled->buffer, spilled->length, err))
        return -1;
    spilled->length = 0;
    return 0;
}

/* While all of them together hold too much: the largest goes to disk. */
static int keep_to_total(pgc_spill *spill, pgconvoy_error *err)
{
    while (spill->memory > spill->total_bytes) {
        pgc_spilled *largest = NULL;
        for (size_t i = 0; i < spill->transaction_count; i++)
            if (!largest || spill->transactions[i]->capacity > largest->capacity)
                largest = spill->transactions[i];
        if (!largest || largest->capacity == 0)
            return 0;
        if (flush(spill, largest, err))
            return -1;
        free_buffer(spill, largest);
    }
    return 0;
}

static int grow_buffer(pgc_spill *spill, pgc_spilled *spilled, size_t needed, pgconvoy_error *err)
{
    if (needed <= spilled->capacity)
        return 0;
    size_t wanted = spilled->capacity ? spilled->capacity : FIRST_BUFFER_BYTES;
    while (wanted < needed)
        wanted *= 2;
    char *buffer = realloc(spilled->buffer, wanted);
    if (!buffer)
        return pgc_error_out_of_memory(err);
    spill->memory += wanted - spilled->capacity;
    spilled->buffer = buffer;
    spilled->capacity = wanted;
    return 0;
}

static int note_subxid(pgc_spilled *spilled, uint32_t xid, pgconvoy_error *err)
{
    if (xid == spilled->xid || (spilled->subxid_count > 0 && spilled->subxids[spilled->subxid_count - 1] == xid))
        return 0;
    if (pgc_grow(&spilled->subxids, spilled->subxid_count, &spilled->subxid_capacity, sizeof(uint32_t), err))
        return -1;
    spilled->subxids[spilled->subxid_count++] = xid;
    return 0;
}

int pgc_spill_append(pgc_spill *spill, pgc_spilled *spilled, const pgc_spill_record *record, pgconvoy_error *err)
{
    header head;
    if (note_subxid(spilled, record->xid, err))
        return -1;
    memset(&head, 0, sizeof head); /* padding goes to disk too */
    head.lsn = record->lsn;
    head.length = record->length;
    head.xid = record->xid;
    head.type = record->type;

    if (record->length > SIZE_MAX / 4)
        return pgc_error_out_of_memory(err);
    size_t needed = sizeof head + record->length;
    if (needed > spill->transaction_bytes || spilled->length > spill->transaction_bytes - needed) {
        if (flush(spill, spilled, err))
            return -1;
        if (needed > spill->transaction_bytes) {
            if (write_out(spill, spilled, (const char *)&head, sizeof head, err))
                return -1;
            return write_out(spill, spilled, record->bytes, record->length, err);
        }
    }
    if (grow_buffer(spill, spilled, spilled->length + needed, err))
        return -1;
    memcpy(spilled->buffer + spilled->length, &head, sizeof head);
    if (record->length > 0)
        memcpy(spilled->buffer + spilled->length + sizeof head, record->bytes, record->length);
    spilled->length += needed;
    return keep_to_total(spill, err);
}

int pgc_spill_abort(pgc_spilled *spilled, uint32_t xid, pgconvoy_error *err)
{
    if (pgc_grow(&spilled->aborted, spilled->aborted_count, &spilled->aborted_capacity, sizeof(uint32_t), err))
        return -1;
    spilled->aborted[spilled->aborted_count++] = xid;
    return 0;
}

/* ---- reading back */

static int compare_xids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sort_xids(uint32_t *xids, size_t count)
{
    if (count > 0) /* else there may be none to point to */
        qsort(xids, count, sizeof *xids, compare_xids);
}

/* Once they are sorted. */
static bool was_aborted(const pgc_spilled *spilled, uint32_t xid)
{
    return spilled->aborted_count > 0 && bsearch(&xid, spilled->aborted, spilled->aborted_count, sizeof xid, compare_xids);
}

size_t pgc_spill_subxids(pgc_spilled *spilled, const uint32_t **xids)
{
    size_t kept = 0;
    sort_xids(spilled->subxids, spilled->subxid_count);
    sort_xids(spilled->aborted, spilled->aborted_count);
    for (size_t i = 0; i < spilled->subxid_count; i++) {
        uint32_t xid = spilled->subxids[i];
        if (!was_aborted(spilled, xid) && (kept == 0 || spilled->subxids[kept - 1] != xid))
            spilled->subxids[kept++] = xid;
    }
    spilled->subxid_count = kept;
    *xids = spilled->subxids;
    return kept;
}

void pgc_spill_rewind(pgc_spill *spill, pgc_spilled *spilled)
{
    sort_xids(spilled->aborted, spilled->aborted_count);
    spilled->offset = 0;
    spilled->last_xid = spilled->xid;
    spilled->last_aborted = false; /* the top transaction's own abort drops it whole */
    spill->window_start = 0;
    spill->window_length = 0;
    free(spill->window); /* an outsized one from a huge value does not stay */
    spill->window = NULL;
    spill->window_capacity = 0;
}

static bool is_aborted(pgc_spilled *spilled, uint32_t xid)
{
    if (spilled->aborted_count == 0)
        return false;
    if (xid != spilled->last_xid) {
        spilled->last_xid = xid;
        spilled->last_aborted = was_aborted(spilled, xid);
    }
    return spilled->last_aborted;
}

static int fill_window(pgc_spill *spill, const pgc_spilled *spilled, size_t size, pgconvoy_error *err)
{
    size_t used = (size_t)(spilled->offset - spill->window_start);
    size_t kept = used < spill->window_length ? spill->window_length - used : 0;
    if (kept > 0)
        memmove(spill->window, spill->window + used, kept);
    spill->window_start = spilled->offset;
    spill->window_length = kept;
    if (size > spill->window_capacity) {
        size_t wanted = size > WINDOW_BYTES ? size : WINDOW_BYTES;
        char *window = realloc(spill->window, wanted);
        if (!window)
            return pgc_error_out_of_memory(err);
        spill->window = window;
        spill->window_capacity = wanted;
    }
    while (spill->window_length < size) {
        uint64_t from = spill->window_start + spill->window_length, there = spilled->disk_bytes - from;
        size_t wanted = spill->window_capacity - spill->window_length, piece;
        if (wanted > there)
            wanted = (size_t)there;
        off_t at = wanted > 0 ? place(spilled, from, wanted, &piece) : 0;
        ssize_t count = wanted > 0 ? pread(spill->fd, spill->window + spill->window_length, piece, at) : 0;
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return file_error(spill, "read back", count < 0 ? errno : EIO, err);
        spill->window_length += (size_t)count;
    }
    return 0;
}

/* size bytes from the transaction's offset + skip on, in one piece. NULL and err on failure. */
static const char *bytes_at(pgc_spill *spill, pgc_spilled *spilled, size_t skip, size_t size, pgconvoy_error *err)
{
    if (spilled->offset >= spilled->disk_bytes)
        return spilled->buffer + (spilled->offset - spilled->disk_bytes) + skip;
    uint64_t end = spilled->offset + skip + size;
    if (end > spill->window_start + spill->window_length && fill_window(spill, spilled, skip + size, err))
        return NULL;
    return spill->window + (spilled->offset - spill->window_start) + skip;
}

int pgc_spill_read(pgc_spill *spill, pgc_spilled *spilled, pgc_spill_record *record, pgconvoy_error *err)
{
    for (;;) {
        if (spilled->offset >= spilled->disk_bytes + spilled->length)
            return 0;
        const char *at = bytes_at(spill, spilled, 0, sizeof(header), err);
        if (!at)
            return -1;
        header head;
        memcpy(&head, at, sizeof head);
        size_t length = (size_t)head.length;
        if (!is_aborted(spilled, head.xid)) {
            /* the header is asked for again with the message, so that both stay in one window */
            at = bytes_at(spill, spilled, sizeof head, length, err);
            if (!at)
                return -1;
            bool outsized = spilled->offset < spilled->disk_bytes && length > WINDOW_BYTES;
            *record = (pgc_spill_record){.lsn = head.lsn, .xid = head.xid, .type = head.type, .bytes = at, .length = length,
                                         .memory = outsized ? spill->window : NULL};
            spilled->offset += sizeof head + length;
            return 1;
        }
        spilled->offset += sizeof head + length;
    }
}

void pgc_spill_was_taken(pgc_spill *spill)
{
    spill->window = NULL;
    spill->window_capacity = spill->window_length = 0;
    spill->window_start = 0;
}

size_t pgc_spill_memory(const pgc_spill *spill)
{
    return spill->memory;
}

uint64_t pgc_spill_disk(const pgc_spill *spill)
{
    return (uint64_t)spill->extents_used * EXTENT_BYTES;
}
