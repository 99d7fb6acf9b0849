#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <sodium.h>

#include "proto/rfc3339.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/cli/command.h"
#include "service/cli/ledger.h"
#include "service/cli/local_time.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore.h"
#include "service/config/config.h"
#include "service/sinks/sink_state.h"

enum { HEX_MAX = 2 * CLICK_LOG_ID_LEN + 1 };

/* A log, its positions as of one moment. */
struct row {
    struct clicklog *log;
    const char *holds; /* "clicks", "relabels" or "events" */
    char id[HEX_MAX];
    int64_t made_s;
    uint64_t first, tail, applied, pending, gone;
    int64_t oldest_ms; /* time of the oldest pending click; 0 = none, or it can't be read */
};

struct view {
    struct row *rows;
    struct ledger_cursor *cursors;
    size_t n;
    bool has_cursors;
    uint64_t n_set_aside, pending, gone; /* records of all kinds */
    uint64_t clicks, clicks_pending;     /* Redis has, and has not */
    int64_t lag_ms;
};

/* A log holds records of one kind; an empty one is a worker's. */

static bool find_rows(struct clickstore *store, struct view *view)
{
    struct click first;
    struct clicklog *log = NULL;
    size_t n = 0;

    while ((log = clicklog_next(store, log)))
        view->n++;
    view->rows = calloc(view->n + 1, sizeof(*view->rows));
    view->cursors = calloc(view->n + 1, sizeof(*view->cursors));
    if (!view->rows || !view->cursors)
        return false;
    for (log = NULL; n < view->n && (log = clicklog_next(store, log)); n++) {
        struct row *row = &view->rows[n];

        sodium_bin2hex(row->id, sizeof(row->id), clicklog_id(log), CLICK_LOG_ID_LEN);
        row->made_s = clicklog_created_ms(log) / 1000;
        row->log = view->cursors[n].log = log;
        row->holds = "clicks";
        if (clicklog_peek(log, clicklog_first(log), &first) && first.type != CLICK_TYPE_CLICK)
            row->holds = first.type == CLICK_TYPE_RELABEL ? "relabels" : "events";
        row->first = clicklog_first(log);
        row->tail = clicklog_tail(log);
    }
    return true;
}

/* Compares the logs with the cursors. */
static void measure(struct view *view)
{
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < view->n; i++) {
        struct row *row = &view->rows[i];
        struct click oldest;

        row->applied = view->cursors[i].applied;
        row->gone = row->applied < row->first ? row->first - row->applied : 0;
        if (row->applied + row->gone < row->tail) {
            row->pending = row->tail - row->applied - row->gone;
            if (clicklog_peek(row->log, row->applied + row->gone, &oldest))
                row->oldest_ms = oldest.time_ms;
        }
        view->pending += row->pending;
        if (!clicklog_holds_relabels(row->log)) {
            view->clicks_pending += row->pending;
            view->clicks += row->applied > row->first ? row->applied - row->first : 0;
        }
        view->gone += row->gone;
        if (row->oldest_ms > 0 && now_ms - row->oldest_ms > view->lag_ms)
            view->lag_ms = now_ms - row->oldest_ms;
    }
}

static uint64_t count_files(const char *state_dir, const char *name)
{
    char path[4096];
    struct dirent *entry;
    uint64_t n = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/%s", state_dir, name);
    dir = opendir(path);
    if (!dir)
        return 0;
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* --- sinks --- */

/* What a sink hasn't got of the logs. */
struct sink_view {
    struct sink_state state;
    uint64_t pending;
};

static bool load_sink(const struct view *view, const char *state_dir, const char *name,
                      struct sink_view *out, struct error *err)
{
    *out = (struct sink_view){.pending = 0};
    if (!sink_state_load(state_dir, name, &out->state, err))
        return false;
    for (size_t i = 0; i < view->n; i++) {
        const struct row *row = &view->rows[i];
        const struct sink_cursor *cursor = sink_state_find(&out->state, clicklog_id(row->log));
        uint64_t at = cursor && cursor->at > row->first ? cursor->at : row->first;

        out->pending += at < row->tail ? row->tail - at : 0;
    }
    return true;
}

static json_t *sink_json(const struct view *view, const struct sink_view *sink, const char *name)
{
    json_t *logs = json_object();
    json_t *out = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "sink", name, "at", logs, "pending",
                            (json_int_t)sink->pending, "sent", (json_int_t)sink->state.n_sent,
                            "lost", (json_int_t)sink->state.n_lost, "failed_ranges",
                            (json_int_t)sink->state.n_failed);

    for (size_t i = 0; out && i < view->n; i++) {
        const struct sink_cursor *cursor =
            sink_state_find(&sink->state, clicklog_id(view->rows[i].log));

        if (cursor)
            json_object_set_new(logs, view->rows[i].id, json_integer((json_int_t)cursor->at));
    }
    return out;
}

/* As JSON into `list`, or as lines. */
static bool show_sinks(const struct view *view, const struct ledger_place *place, json_t *list,
                       struct error *err)
{
    for (unsigned i = 0; place->config && i < place->config->n_sinks; i++) {
        const char *name = place->config->sinks[i].name;
        struct sink_view sink;

        if (!load_sink(view, place->state_dir, name, &sink, err)) {
            sink_state_clear(&sink.state);
            return false;
        }
        if (list) {
            json_array_append_new(list, sink_json(view, &sink, name));
        } else {
            printf("sink %s: %" PRIu64 " %s pending, %" PRIu64 " sent, %" PRIu64
                   " lost, %zu %s failed%s%s\n",
                   name, sink.pending, cli_noun(sink.pending, "record", "records"),
                   sink.state.n_sent, sink.state.n_lost, sink.state.n_failed,
                   cli_noun(sink.state.n_failed, "range", "ranges"),
                   sink.state.off_why[0] ? ", off: " : "", sink.state.off_why);
        }
        sink_state_clear(&sink.state);
    }
    return true;
}

/* --- output --- */

static json_t *row_json(const struct row *row, bool has_cursor)
{
    char text[RFC3339_TEXT_MAX];
    json_t *out = json_pack("{s:s, s:s, s:s, s:I, s:I}", "log", row->id, "holds", row->holds,
                            "made_at", rfc3339_format(row->made_s, 0, text), "first",
                            (json_int_t)row->first, "tail", (json_int_t)row->tail);

    if (!out || !has_cursor)
        return out;
    json_object_set_new(out, "applied", json_integer((json_int_t)row->applied));
    json_object_set_new(out, "pending", json_integer((json_int_t)row->pending));
    json_object_set_new(out, "gone", json_integer((json_int_t)row->gone));
    json_object_set_new(out, "oldest_pending_at",
                        row->oldest_ms ? json_string(rfc3339_format(row->oldest_ms / 1000, 0, text))
                                       : json_null());
    return out;
}

static int print_json(const struct view *view, const struct ledger_place *place)
{
    json_t *logs = json_array(), *sinks = json_array();
    json_t *out = json_object();
    struct error err = {0};

    for (size_t i = 0; i < view->n; i++)
        json_array_append_new(logs, row_json(&view->rows[i], view->has_cursors));
    json_object_set_new(out, "logs", logs);
    json_object_set_new(out, "set_aside", json_integer((json_int_t)view->n_set_aside));
    if (view->has_cursors) {
        json_object_set_new(out, "clicks", json_integer((json_int_t)view->clicks));
        json_object_set_new(out, "clicks_pending", json_integer((json_int_t)view->clicks_pending));
        json_object_set_new(out, "pending", json_integer((json_int_t)view->pending));
        json_object_set_new(out, "gone", json_integer((json_int_t)view->gone));
        json_object_set_new(out, "lag_s", json_real((double)view->lag_ms / 1000));
    }
    json_object_set_new(out, "sinks", sinks);
    if (!show_sinks(view, place, sinks, &err)) {
        json_decref(out);
        return cli_fail_error(&err);
    }
    if (json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) != 0) {
        json_decref(out);
        return cli_fail("out of memory");
    }
    putchar('\n');
    json_decref(out);
    return CLI_OK;
}

static void print_table(const struct view *view)
{
    if (view->n > 0)
        printf("%-32s  %-8s  %-25s  %10s  %10s  %10s  %10s\n", "log", "holds", "made", "first",
               "tail", "applied", "pending");
    for (size_t i = 0; i < view->n; i++) {
        const struct row *row = &view->rows[i];
        char made[RFC3339_TEXT_MAX];

        printf("%s  %-8s  %-25s  %10" PRIu64 "  %10" PRIu64, row->id, row->holds,
               local_time_format(row->made_s, made), row->first, row->tail);
        if (view->has_cursors)
            printf("  %10" PRIu64 "  %10" PRIu64 "\n", row->applied, row->pending);
        else
            printf("  %10s  %10s\n", "?", "?");
    }
}

static void print_text(const struct view *view)
{
    print_table(view);
    if (!view->has_cursors) {
        printf("%zu %s; name the Redis with -c FILE or --redis URL to see what it has of them\n",
               view->n, cli_noun(view->n, "log", "logs"));
    } else {
        printf("%zu %s: %" PRIu64 " %s counted, %" PRIu64 " pending, and %" PRIu64
               " relabels and events pending (%" PRIu64 " bytes), lag %.1f s\n",
               view->n, cli_noun(view->n, "log", "logs"), view->clicks,
               cli_noun(view->clicks, "click", "clicks"), view->clicks_pending,
               view->pending - view->clicks_pending, view->pending * CLICK_RECORD_LEN,
               (double)view->lag_ms / 1000);
        if (view->gone > 0)
            printf("%" PRIu64 " %s gone: Redis has lost what it counted of them, and the logs no "
                   "longer hold them\n",
                   view->gone, cli_noun(view->gone, "click is", "clicks are"));
    }
    if (view->n_set_aside > 0)
        printf("%" PRIu64 " %s set aside: damaged, foreign or newer\n", view->n_set_aside,
               cli_noun(view->n_set_aside, "file is", "files are"));
}

int ledger_show(const struct ledger_place *place, bool as_json)
{
    struct view view = {.n = 0};
    struct error err = {0};
    struct clickstore *store = ledger_place_open(place, CLICKSTORE_INSPECT, &err);
    int status = CLI_OK;

    if (!store)
        return cli_fail_error(&err);
    view.n_set_aside = count_files(place->state_dir, "set-aside");
    if (!find_rows(store, &view)) {
        status = cli_fail("out of memory");
        goto out;
    }
    if (place->redis_url) {
        if (!ledger_cursors_ask(place, view.cursors, view.n, &err)) {
            status = cli_fail_error(&err);
            goto out;
        }
        view.has_cursors = true;
        measure(&view);
    }
    if (as_json)
        status = print_json(&view, place);
    else
        print_text(&view);
    if (!as_json && !show_sinks(&view, place, NULL, &err))
        status = cli_fail_error(&err);
out:
    free(view.rows);
    free(view.cursors);
    clickstore_close(store);
    return status;
}
