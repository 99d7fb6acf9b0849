#include "service/admin/stats/anomalies.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "service/admin/fetch.h"
#include "service/admin/server.h"
#include "service/admin/stats/points.h"
#include "service/base/clock.h"
#include "service/checks/check_record.h"
#include "service/checks/checks.h"
#include "service/checks/places.h"
#include "service/config/brandlist.h"
#include "service/config/site.h"

enum {
    HOUR_S = 3600,
    DAY_S = 86400,
    LOOK_S = 60,
    FIRST_LOOK_S = 5,        /* after the start: by then what was found at pages has been read */
    DAYS = 7,                /* that the last day is compared with; as anomalies.js */
    PEOPLE_MIN = 20,         /* clicks a day: with fewer, a day without any is no wonder */
    STOPPED_PER_MILLE = 100, /* of the usual */
    CLICKS_MIN = 50,         /* in the day: of fewer, a share says nothing */
    JUMP_PER_MILLE = 250,    /* by how much the machines' share must have grown */
    CAMPAIGNS = 1 << 16,
    BRAND_NAME_MAX = 64,
};

enum anomaly { ANOMALY_STOPPED, ANOMALY_MACHINES, ANOMALY_BROKEN };

static const char *const names[] = {"stopped", "machines", "broken"};

struct found {
    uint16_t campaign;
    uint8_t anomaly;
};

/* What the last look at a brand found. */
struct of_brand {
    char name[BRAND_NAME_MAX];
    size_t n;
    struct found found[ANOMALIES_PER_BRAND_MAX];
};

/* Clicks of a campaign, in the last day and in the days before. */
struct campaign {
    int64_t human, automated, old_human, old_automated;
    uint16_t kinds; /* bits, of those that people clicked in the last day */
};

struct anomalies {
    struct server *server;
    struct event *timer;

    /* The look under way; NULL: none is. */
    struct campaign *campaigns;
    struct site *site; /* a reference: a reload may come in between */
    unsigned at;       /* the brand */
    int64_t now_s;
    struct points points;

    pthread_mutex_t lock; /* of what follows, which metrics read */
    unsigned n_brands;
    struct of_brand *brands;
};

/* --- what is unusual --- */

struct down {
    const struct brand *brand;
    uint16_t kinds;
};

static void note_down(void *owner, const struct place *place, const json_t *record)
{
    struct down *down = owner;
    const char *state = record ? check_record_text(record, "state") : NULL;

    if (state && strcmp(state, "down") == 0 && slice_equal(place->brand->name, down->brand->name))
        down->kinds |= (uint16_t)(1u << place->kind);
}

static void add_found(struct of_brand *brand, unsigned campaign, enum anomaly anomaly)
{
    if (brand->n < ANOMALIES_PER_BRAND_MAX)
        brand->found[brand->n++] =
            (struct found){.campaign = (uint16_t)campaign, .anomaly = (uint8_t)anomaly};
}

static void judge(const struct campaign *c, unsigned number, uint16_t down_kinds,
                  struct of_brand *brand)
{
    int64_t total = c->human + c->automated, old_total = c->old_human + c->old_automated;

    if (c->old_human >= PEOPLE_MIN * DAYS &&
        c->human * 1000 * DAYS <= c->old_human * STOPPED_PER_MILLE)
        add_found(brand, number, ANOMALY_STOPPED);
    else if (total >= CLICKS_MIN && old_total >= CLICKS_MIN &&
             c->automated * 1000 / total - c->old_automated * 1000 / old_total >= JUMP_PER_MILLE)
        add_found(brand, number, ANOMALY_MACHINES);
    if (c->human > 0 && (c->kinds & down_kinds))
        add_found(brand, number, ANOMALY_BROKEN);
}

static void store_found(struct anomalies *anomalies)
{
    const struct brand *brand = site_brand_at(anomalies->site, anomalies->at);
    struct of_brand *of = &anomalies->brands[anomalies->at];
    struct down down = {.brand = brand};

    if (anomalies->server->sources.checks)
        checks_visit(anomalies->server->sources.checks, note_down, &down);
    pthread_mutex_lock(&anomalies->lock);
    snprintf(of->name, sizeof(of->name), "%.*s", (int)brand->name.len, brand->name.ptr);
    of->n = 0;
    for (unsigned i = 1; i < CAMPAIGNS; i++) /* 0 is no campaign */
        judge(&anomalies->campaigns[i], i, down.kinds, of);
    pthread_mutex_unlock(&anomalies->lock);
}

/* --- looking: a fetch of each brand, one after the other --- */

static void look(struct anomalies *anomalies);

static struct points points_of_day(const struct anomalies *anomalies, size_t index)
{
    return (struct points){
        .series = {.brand = site_brand_at(anomalies->site, anomalies->at)->id,
                   .campaign = COUNTER_ALL_CAMPAIGNS,
                   .interval = COUNTER_HOURS,
                   .dim = COUNTER_DIM_CAMPAIGN},
        .time_s = anomalies->now_s - (int64_t)index * DAY_S,
    };
}

static void on_anomalies_command(void *owner, size_t index, struct fetch_command *command)
{
    struct anomalies *anomalies = owner;

    anomalies->points = points_of_day(anomalies, index);
    points_command(&anomalies->points, anomalies->server->n_shards, command);
}

/* An hour of a campaign, in the answer under way. */
static void take_hour(void *arg, const struct series_point *point)
{
    struct anomalies *anomalies = arg;
    struct campaign *c = &anomalies->campaigns[point->value % CAMPAIGNS];
    int64_t hour_s = anomalies->now_s - anomalies->now_s % HOUR_S;
    int64_t day_s = anomalies->points.time_s - anomalies->points.time_s % DAY_S;
    int64_t age_s = hour_s - (day_s + point->bucket * HOUR_S);
    bool is_new = age_s < DAY_S;

    if (age_s >= (DAYS + 1) * DAY_S)
        return;
    if (is_new && !point->automated)
        c->kinds |= (uint16_t)(1u << point->kind);
    *(is_new             ? point->automated ? &c->automated : &c->human
      : point->automated ? &c->old_automated
                         : &c->old_human) += point->count;
}

static void on_anomalies_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct anomalies *anomalies = owner;

    anomalies->points = points_of_day(anomalies, index); /* answers come in any order */
    points_take(&anomalies->points, answer, take_hour, anomalies);
}

static void end_looks(struct anomalies *anomalies)
{
    const struct timeval wait = {.tv_sec = LOOK_S};

    free(anomalies->campaigns);
    anomalies->campaigns = NULL;
    site_unref(anomalies->site);
    anomalies->site = NULL;
    evtimer_add(anomalies->timer, &wait);
}

static void on_anomalies_done(void *owner, const char *cause)
{
    struct anomalies *anomalies = owner;

    /* Without Redis what was found last stays: it is of a day. */
    if (!cause)
        store_found(anomalies);
    anomalies->at++;
    if (cause || anomalies->at == site_n_brands(anomalies->site))
        end_looks(anomalies);
    else
        look(anomalies);
}

static void look(struct anomalies *anomalies)
{
    const struct fetch_options options = {
        .n_commands = DAYS + 2,
        .on_command = on_anomalies_command,
        .on_answer = on_anomalies_answer,
        .on_done = on_anomalies_done,
        .is_long = true,
        .owner = anomalies,
    };

    memset(anomalies->campaigns, 0, CAMPAIGNS * sizeof(*anomalies->campaigns));
    anomalies->now_s = clock_wall_ms() / 1000;
    fetch_start(anomalies->server->fetches, &options);
}

/* It is time to look again. */
static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct anomalies *anomalies = arg;
    struct of_brand *brands;
    unsigned n;

    (void)fd;
    (void)events;
    anomalies->at = 0;
    anomalies->site = site_ref(anomalies->server->site);
    anomalies->campaigns = calloc(CAMPAIGNS, sizeof(*anomalies->campaigns));
    n = site_n_brands(anomalies->site);
    brands = n == anomalies->n_brands ? anomalies->brands : calloc(n, sizeof(*brands));
    if (!anomalies->server->fetches || !anomalies->campaigns || !brands) {
        if (brands != anomalies->brands)
            free(brands);
        end_looks(anomalies);
        return;
    }
    if (brands != anomalies->brands) { /* the first look, or the configuration has changed */
        pthread_mutex_lock(&anomalies->lock);
        free(anomalies->brands);
        anomalies->brands = brands;
        anomalies->n_brands = n;
        pthread_mutex_unlock(&anomalies->lock);
    }
    look(anomalies);
}

void anomalies_write(struct anomalies *anomalies, struct evbuffer *out, const char *metric)
{
    pthread_mutex_lock(&anomalies->lock);
    for (unsigned i = 0; i < anomalies->n_brands; i++) {
        const struct of_brand *brand = &anomalies->brands[i];

        for (size_t j = 0; j < brand->n; j++)
            evbuffer_add_printf(out, "%s{brand=\"%s\",campaign=\"%u\",what=\"%s\"} 1\n", metric,
                                brand->name, brand->found[j].campaign,
                                names[brand->found[j].anomaly]);
    }
    pthread_mutex_unlock(&anomalies->lock);
}

json_t *anomalies_json(struct anomalies *anomalies, const char *brands)
{
    json_t *array = json_array();

    pthread_mutex_lock(&anomalies->lock);
    for (unsigned i = 0; i < anomalies->n_brands; i++) {
        const struct of_brand *brand = &anomalies->brands[i];

        for (size_t j = 0; j < brand->n && brandlist_has(brands, slice_of(brand->name)); j++)
            json_array_append_new(array, json_pack("{ss si ss}", "brand", brand->name, "campaign",
                                                   (int)brand->found[j].campaign, "what",
                                                   names[brand->found[j].anomaly]));
    }
    pthread_mutex_unlock(&anomalies->lock);
    return array;
}

struct anomalies *anomalies_new(struct server *server, struct event_base *base)
{
    struct anomalies *anomalies = calloc(1, sizeof(*anomalies));
    const struct timeval soon = {.tv_sec = FIRST_LOOK_S};

    if (!anomalies)
        return NULL;
    anomalies->server = server;
    pthread_mutex_init(&anomalies->lock, NULL);
    anomalies->timer = evtimer_new(base, on_timer, anomalies);
    if (!anomalies->timer || evtimer_add(anomalies->timer, &soon) != 0) {
        anomalies_free(anomalies);
        return NULL;
    }
    return anomalies;
}

void anomalies_free(struct anomalies *anomalies)
{
    if (!anomalies)
        return;
    if (anomalies->timer)
        event_free(anomalies->timer);
    site_unref(anomalies->site);
    free(anomalies->campaigns);
    free(anomalies->brands);
    pthread_mutex_destroy(&anomalies->lock);
    free(anomalies);
}
