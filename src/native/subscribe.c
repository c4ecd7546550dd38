/* A subscription from its beginning: read what there is, then make it, add to it or drop it, and watch. */
#include "native/subscribe_internal.h"

#include "format/json_object.h"
#include "native/ends.h"
#include "source/postgres/names.h"

#include <stdlib.h>

static int open_ends(subscribe_state *state, pgconvoy_error *err)
{
    const pgc_subscribe_options *options = state->options;
    state->source = native_connect_source(options->source, "pgconvoy subscribe", err);
    state->target = state->source ? native_connect_target(options->target, "pgconvoy subscribe", err) : NULL;
    if (!state->target || pgc_execute(state->source, "SET lock_timeout = '60s'", err) ||
        pgc_execute(state->target, "SET lock_timeout = '60s'; SET client_min_messages = warning", err))
        return -1;
    state->source_version = PQserverVersion(state->source);
    state->target_version = PQserverVersion(state->target);
    /* what is to go need not be fit for anything */
    if (!options->drop && native_check_publisher(state->source, state->publication, &state->source_is_standby, err))
        return -1;
    state->address = native_address_new(options->source, state->source, options->via, options->password, err);
    return state->address ? 0 : -1;
}

static int run(subscribe_state *state, pgconvoy_error *err)
{
    const pgc_subscribe_options *options = state->options;
    if (open_ends(state, err) || subscribe_read(state, err))
        return -1;
    if (options->drop)
        return subscribe_drop(state, err);
    if (options->to_pipeline)
        return subscribe_to_pipeline(state, err);
    if (options->from_pipeline    ? subscribe_from_pipeline(state, err)
        : options->refresh        ? subscribe_refresh(state, err)
        : state->has_subscription ? 0
                                  : subscribe_make(state, err))
        return -1;
    return options->dry_run ? 0 : subscribe_watch(state, options->until_caught_up, err);
}

static void say_json(const subscribe_state *state, pgc_buffer *out)
{
    const pgc_subscribe_options *options = state->options;
    pgc_buffer_byte(out, '{');
    pgc_json_member_text(out, "result", options->drop ? "dropped" : options->to_pipeline ? "pipeline" : "subscription");
    pgc_json_member_text(out, "name", options->name);
    pgc_json_member_text(out, "subscription", state->name);
    pgc_json_member_text(out, "slot", state->name);
    pgc_json_member_text(out, "publication", state->publication);
    pgc_json_member_bool(out, "caught_up", state->caught_up);
    pgc_json_member_number(out, "lag_bytes", state->lag_bytes);
    pgc_json_member_number(out, "sequences", state->sequences);
    pgc_json_name(out, "tables");
    pgc_buffer_format(out, "[%s]}\n", state->watched.data ? state->watched.data : "");
    out->failed = out->failed || state->watched.failed;
}

int pgc_subscribe_run(const pgc_subscribe_options *options, pgconvoy_error *err)
{
    subscribe_state state = {.options = options, .lag_bytes = -1, .sequences = -1};
    pgc_buffer_init(&state.watched, 64 << 20);
    pgc_slot_name_derive(options->name, state.name);
    state.publication = options->publication ? options->publication : state.name;
    int failed = run(&state, err);
    if (!failed && options->json) {
        say_json(&state, options->json);
        failed = pgc_buffer_check(options->json, err);
    }
    pgc_buffer_free(&state.watched);
    native_address_free(state.address);
    PQclear(state.tables);
    free(state.is_there);
    PQfinish(state.source);
    PQfinish(state.target);
    return failed;
}
