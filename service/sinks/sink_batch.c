#include "service/sinks/sink_batch.h"

#include <string.h>

#include <sodium.h>

#include "proto/state.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/config/brand.h"
#include "service/config/config.h"
#include "service/sinks/sink_hold.h"
#include "service/sinks/sink_names.h"
#include "service/state/state_table.h"

enum { TYPE_CLICK, TYPE_RELABEL, TYPE_OMITTED, TYPE_EVENT };

/* --- the filter --- */

/* The bit of a type's name, or -1. */
static int type_bit(const char *name)
{
    unsigned event = event_type_find(slice_of(name));

    if (strcmp(name, "click") == 0)
        return TYPE_CLICK;
    if (strcmp(name, "relabel") == 0)
        return TYPE_RELABEL;
    if (strcmp(name, "omitted") == 0)
        return TYPE_OMITTED;
    return event ? (int)(TYPE_EVENT + event) : -1;
}

bool sink_filter_init(struct sink_filter *filter, const struct config_sink *config,
                      bool leaves_out_omitted, struct error *err)
{
    bool is_analytics = config->preset != CONFIG_SINK_OWN;

    *filter = (struct sink_filter){
        .types = config->n_types ? 0
                 : is_analytics
                     ? UINT32_C(1) << TYPE_CLICK | UINT32_C(1) << (TYPE_EVENT + EVENT_PAID)
                 : leaves_out_omitted ? ~(UINT32_C(1) << TYPE_OMITTED)
                                      : UINT32_MAX,
        .labels = config->n_labels ? 0
                  : is_analytics   ? UINT32_C(1) << CLICK_HUMAN
                                   : UINT32_MAX,
        .brands = config->brands,
        .n_brands = config->n_brands,
        .kinds = config->kinds,
        .n_kinds = config->n_kinds,
    };
    for (unsigned i = 0; i < config->n_types; i++) {
        int bit = type_bit(config->types[i]);

        if (bit < 0) {
            error_set(err,
                      "types: '%s' is no type; click, relabel, omitted, or an event such as "
                      "invoice.paid",
                      config->types[i]);
            return false;
        }
        filter->types |= UINT32_C(1) << bit;
    }
    for (unsigned i = 0; i < config->n_labels; i++) {
        unsigned label = 0;

        while (label < CLICK_LABELS && strcmp(config->labels[i], click_label_name(label)) != 0)
            label++;
        if (label == CLICK_LABELS) {
            error_set(err, "labels: '%s' is no label; human, scanner, bot, prefetch or probe",
                      config->labels[i]);
            return false;
        }
        filter->labels |= UINT32_C(1) << label;
    }
    return true;
}

static bool has_name(char *const *names, unsigned n, struct slice name)
{
    for (unsigned i = 0; i < n; i++) {
        if (slice_equal(slice_of(names[i]), name))
            return true;
    }
    return n == 0;
}

static bool passes(const struct sink_filter *filter, const struct record *record)
{
    const char *kind;

    switch (record->what) {
    case RECORD_OMITTED:
        return filter->types >> TYPE_OMITTED & 1;
    case RECORD_EVENT:
        /* Whoever was told of a client must be told that it is erased. */
        if (record->event.type != EVENT_ERASED &&
            !(filter->types >> (TYPE_EVENT + record->event.type) & 1))
            return false;
        break;
    case RECORD_CLICK:
    case RECORD_RELABEL:
        if (!(filter->types >> (record->what == RECORD_CLICK ? TYPE_CLICK : TYPE_RELABEL) & 1) ||
            !(filter->labels >> record->click.label & 1))
            return false;
        break;
    }
    if (filter->n_brands > 0 &&
        (!record->brand || !has_name(filter->brands, filter->n_brands, record->brand->name)))
        return false;
    kind = record_kind_name(record);
    return !kind || has_name(filter->kinds, filter->n_kinds, slice_of(kind));
}

/* --- clicks that wait for their label --- */

uint64_t sink_batch_note_relabellings(struct sink_batch *batch, struct clicklog *log, uint64_t from)
{
    int64_t now_ms = clock_wall_ms();

    for (;;) {
        size_t n_rows;
        uint64_t reached = clicklog_read_rows(log, batch->sink, from, from + SINK_BATCH_CHUNK,
                                              batch->rows, &n_rows);

        if (reached == from)
            return from;
        for (size_t i = 0; i < n_rows; i++)
            sink_hold_note(batch->hold, &batch->rows[i].click, now_ms);
        background_yield();
        from = reached;
    }
}

uint64_t sink_batch_count_ripe(struct sink_batch *batch, struct clicklog *log, uint64_t from,
                               uint64_t n)
{
    uint64_t at = from, end = from + n;
    int64_t now_ms = clock_wall_ms();

    while (batch->hold && at < end) {
        uint64_t to = end - at > SINK_BATCH_CHUNK ? at + SINK_BATCH_CHUNK : end;
        size_t n_rows;
        uint64_t reached = clicklog_read_rows(log, batch->sink, at, to, batch->rows, &n_rows);

        for (size_t i = 0; i < n_rows; i++) {
            if (!sink_hold_is_ripe(batch->hold, &batch->rows[i].click, now_ms))
                return batch->rows[i].position - from;
        }
        if (reached == at)
            return at - from;
        at = reached;
    }
    return n;
}

/* --- records --- */

void sink_batch_start(struct sink_batch *batch)
{
    sodium_bin2hex(batch->log_hex, sizeof(batch->log_hex), clicklog_id(batch->log),
                   CLICK_LOG_ID_LEN);
    batch->at = batch->read_to = batch->from;
    batch->n_missing = 0;
    batch->n_rows = batch->next_row = 0;
}

/* They may have opted out since the click. */
static bool has_opted_out(const struct state_table *states, const struct click *click)
{
    const struct state_subject subject = {STATE_OPTED_OUT, click->brand, click->client};

    return states && click->client != 0 && state_table_has(states, STATE_OPTED_OUT) &&
           state_what(state_table_find(states, &subject)) != 0;
}

/* False: an event that this version doesn't know, or a relabelling that the click has already. */
static bool make_record(const struct sink_batch *batch, const struct clicklog_row *row,
                        struct record *out)
{
    out->log = batch->log_hex;
    out->position = row->position;
    out->click = row->click;
    out->brand = sink_names_find(batch->names, row->click.brand);
    if (row->click.type == CLICK_TYPE_EVENT) {
        out->what = RECORD_EVENT;
        return event_from_record(&row->click, &out->event);
    }
    /* A page is no click, and the log's positions are to be dense. */
    if (row->click.type == CLICK_TYPE_PAGE) {
        out->what = RECORD_OMITTED;
        return true;
    }
    out->what = row->click.type == CLICK_TYPE_RELABEL ? RECORD_RELABEL : RECORD_CLICK;
    if (batch->hold && out->what == RECORD_CLICK)
        sink_hold_amend(batch->hold, &out->click);
    else if (batch->hold && sink_hold_is_known(batch->hold, &row->click))
        return false;
    /* The worker takes link, object and client out of a click of who must not be tracked. */
    if ((row->click.link_id == 0 && row->click.object == 0 && row->click.client == 0) ||
        has_opted_out(batch->states, &row->click))
        out->what = RECORD_OMITTED;
    return true;
}

/* Positions without a row, of those that were read last. */
static void note_missing(struct sink_batch *batch, uint64_t reached)
{
    uint64_t at = batch->read_to;

    for (size_t i = 0; i <= batch->n_rows; i++) {
        uint64_t next = i < batch->n_rows ? batch->rows[i].position : reached;

        if (at < next) {
            if (batch->n_missing == 0)
                batch->missing_from = at;
            batch->missing_to = next;
            batch->n_missing += next - at;
        }
        at = next + 1;
    }
}

static bool read_chunk(struct sink_batch *batch)
{
    uint64_t end = batch->to - batch->read_to > SINK_BATCH_CHUNK ? batch->read_to + SINK_BATCH_CHUNK
                                                                 : batch->to;
    uint64_t reached = clicklog_read_rows(batch->log, batch->sink, batch->read_to, end, batch->rows,
                                          &batch->n_rows);

    batch->next_row = 0;
    if (reached - batch->read_to != batch->n_rows)
        note_missing(batch, reached);
    if (reached == batch->read_to)
        return false;
    batch->read_to = reached;
    background_yield();
    return true;
}

bool sink_batch_next(struct sink_batch *batch, struct record *out)
{
    for (;;) {
        while (batch->next_row < batch->n_rows) {
            const struct clicklog_row *row = &batch->rows[batch->next_row++];

            batch->at = row->position + 1;
            if (make_record(batch, row, out) && passes(batch->filter, out))
                return true;
        }
        batch->at = batch->read_to;
        if (batch->read_to >= batch->to || !read_chunk(batch))
            return false;
    }
}
