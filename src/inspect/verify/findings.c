/* What is found, kept for the report: values are clipped, those of a long one around the place where it differs. */
#include "inspect/verify/verify_internal.h"

#define WHOLE 120 /* bytes that are shown of a value */
#define BEFORE 40 /* of them before the place where it differs */

static const char *const kind_names[] = {"missing", "extra", "changed"};

const char *verify_kind_name(verify_kind kind)
{
    return kind_names[kind];
}

verify_finding *verify_finding_add(verify_findings *findings, pgc_arena *arena, verify_kind kind, const char *what)
{
    verify_finding *finding = pgc_arena_zalloc(arena, sizeof *finding);
    char *copy = pgc_arena_strdup(arena, what);
    if (!finding || !copy)
        return NULL;
    *finding = (verify_finding){.kind = kind, .what = copy};
    finding->details_end = &finding->details;
    if (!findings->end)
        findings->end = &findings->first;
    *findings->end = finding;
    findings->end = &finding->next;
    findings->count++;
    return finding;
}

static bool is_inside_character(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

static char *clip(pgc_arena *arena, const char *value, size_t from)
{
    size_t length = strlen(value), end = from + WHOLE;
    if (length <= WHOLE)
        return pgc_arena_strdup(arena, value);
    while (from > 0 && from < length && is_inside_character(value[from]))
        from--;
    end = end > length ? length : end;
    from = from > end ? end : from;
    while (end < length && end > from && is_inside_character(value[end]))
        end--;
    size_t room = end - from + 80;
    char *out = pgc_arena_alloc(arena, room);
    if (out)
        snprintf(out, room, "%s%.*s%s (%zu bytes)", from ? "…" : "", (int)(end - from), value + from,
                 end < length ? "…" : "", length);
    return out;
}

int verify_detail_add(verify_finding *finding, pgc_arena *arena, const char *name, const char *source,
                      const char *target, pgconvoy_error *err)
{
    size_t same = 0;
    while (source && target && source[same] && source[same] == target[same])
        same++;
    size_t from = same > BEFORE ? same - BEFORE : 0;
    verify_detail *detail = pgc_arena_zalloc(arena, sizeof *detail);
    if (!detail)
        return pgc_error_out_of_memory(err);
    detail->name = pgc_arena_strdup(arena, name);
    const char *values[2] = {source, target};
    for (int side = 0; side < 2; side++)
        if (values[side] && !(detail->value[side] = clip(arena, values[side], from)))
            return pgc_error_out_of_memory(err);
    if (!detail->name)
        return pgc_error_out_of_memory(err);
    *finding->details_end = detail;
    finding->details_end = &detail->next;
    return 0;
}
