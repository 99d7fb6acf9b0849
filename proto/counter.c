#include "proto/counter.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "proto/rfc3339.h"
#include "proto/token.h"

enum { DAY_S = 86400, HOUR_S = 3600 };

static const char hex_digits[] = "0123456789abcdef";
static const char table_letters[COUNTER_ALL_TABLES + 1] = "loce";
static const char dim_letters[COUNTER_DIMS + 1] = "lcdvnrbsfepo";
static const char interval_letters[] = "hdma";

/* Knuth's multiplicative hash: neighbouring numbers, as invoices are, spread evenly. */
static uint32_t spread(uint32_t number)
{
    return number * UINT32_C(2654435761);
}

bool counter_n_shards_ok(unsigned n_shards)
{
    return n_shards > 0 && n_shards <= COUNTER_SHARDS_MAX && (n_shards & (n_shards - 1)) == 0;
}

static void set_key(struct counter_key *key, const char *format, ...) PRINTF_LIKE(2, 3);

static void set_key(struct counter_key *key, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(key->text, sizeof(key->text), format, args);
    va_end(args);
    assert(len > 0 && (size_t)len < sizeof(key->text));
    key->len = (size_t)len;
}

void counter_key_cursor(struct counter_key *key, unsigned shard,
                        const uint8_t log_id[static CLICK_LOG_ID_LEN])
{
    char hex[2 * CLICK_LOG_ID_LEN + 1];

    sodium_bin2hex(hex, sizeof(hex), log_id, CLICK_LOG_ID_LEN);
    set_key(key, "hc:{s%02x}:cur:%s", shard, hex);
}

void counter_key_rejected(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:rejected", shard);
}

void counter_key_names(struct counter_key *key, uint32_t brand)
{
    set_key(key, "hc:{s00}:names:%08x", brand);
}

void counter_key_kept(struct counter_key *key, enum counter_kept sort, uint32_t brand)
{
    static const char *const names[] = {
        [COUNTER_ANNOTATIONS] = "notes", [COUNTER_VIEWS] = "views", [COUNTER_SHARES] = "shares"};

    set_key(key, "hc:{s00}:%s:%08x", names[sort], brand);
}

void counter_key_audit(struct counter_key *key)
{
    set_key(key, "hc:{s00}:audit");
}

void counter_key_pods(struct counter_key *key, int64_t time_s)
{
    set_key(key, "hc:{s00}:pods:%lld", (long long)(time_s / HOUR_S));
}

unsigned counter_bucket_of_link(uint64_t link_id)
{
    return (unsigned)(link_id >> 54); /* a link id is already as good as random */
}

unsigned counter_bucket_of_item(uint32_t brand, uint32_t number)
{
    return spread(brand + number) >> 22;
}

unsigned counter_bucket_of_block(uint32_t brand, uint32_t block)
{
    return counter_bucket_of_item(brand, block);
}

unsigned counter_shard_of_bucket(unsigned bucket, unsigned n_shards)
{
    return bucket * n_shards / COUNTER_BUCKETS;
}

void counter_key_shards(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:shards", shard);
}

void counter_key_reshard(struct counter_key *key)
{
    set_key(key, "hc:{s00}:reshard");
}

void counter_key_alive(struct counter_key *key)
{
    set_key(key, "hc:{s00}:alive");
}

void counter_key_checker(struct counter_key *key)
{
    set_key(key, "hc:{s00}:checker");
}

void counter_key_check(struct counter_key *key, uint64_t page)
{
    set_key(key, "hc:{s00}:check:%016llx", (unsigned long long)page);
}

void counter_key_erasure(struct counter_key *key, uint64_t id)
{
    set_key(key, "hc:{s00}:erasure:%016llx", (unsigned long long)id);
}

void counter_key_reports(struct counter_key *key)
{
    set_key(key, "hc:{s00}:reports");
}

void counter_key_salt(struct counter_key *key, int64_t time_s)
{
    set_key(key, "hc:{s00}:salt:%lld", (long long)(time_s / DAY_S));
}

unsigned counter_shard_of_client(uint32_t brand, uint32_t client, unsigned n_shards)
{
    return counter_shard_of_bucket(counter_bucket_of_item(brand, client), n_shards);
}

void counter_key_siblings(struct counter_key *key, uint32_t brand, uint32_t client,
                          unsigned n_shards)
{
    set_key(key, "hc:{s%02x}:gw:%08x:%08x", counter_shard_of_client(brand, client, n_shards), brand,
            client);
}

void counter_key_claims(struct counter_key *key, uint32_t brand, uint32_t client, unsigned n_shards)
{
    set_key(key, "hc:{s%02x}:gwd:%08x:%08x", counter_shard_of_client(brand, client, n_shards),
            brand, client);
}

void counter_key_event(struct counter_key *key, unsigned shard, uint64_t event)
{
    set_key(key, "hc:{s%02x}:ev:%016llx", shard, (unsigned long long)event);
}

void counter_key_uses(struct counter_key *key, uint64_t link_id, unsigned n_shards)
{
    set_key(key, "hc:{s%02x}:n:%016llx",
            counter_shard_of_bucket(counter_bucket_of_link(link_id), n_shards),
            (unsigned long long)link_id);
}

void counter_key_one_use(struct counter_key *key, uint64_t link_id, unsigned n_shards)
{
    set_key(key, "hc:{s%02x}:once:%016llx",
            counter_shard_of_bucket(counter_bucket_of_link(link_id), n_shards),
            (unsigned long long)link_id);
}

void counter_key_server(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:server", shard);
}

void counter_key_told(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:told", shard);
}

void counter_key_used(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:used", shard);
}

void counter_key_state_stream(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:state", shard);
}

/* Without printf: a batch names up to 768 of those, and a list reads all. */
static void put_head(struct counter_key *key, unsigned shard, enum counter_table table)
{
    memcpy(key->text, "hc:{sHH}:T", 10);
    key->text[5] = hex_digits[shard >> 4];
    key->text[6] = hex_digits[shard & 15];
    key->text[9] = table_letters[table];
    key->len = 10;
}

static void put_number(struct counter_key *key, unsigned number, unsigned n_digits)
{
    for (unsigned i = n_digits; i > 0; i--)
        key->text[key->len++] = hex_digits[number >> 4 * (i - 1) & 15];
    key->text[key->len] = '\0';
}

void counter_key_table(struct counter_key *key, enum counter_table table, unsigned bucket,
                       unsigned n_shards)
{
    assert(bucket < COUNTER_BUCKETS);
    put_head(key, counter_shard_of_bucket(bucket, n_shards), table);
    key->text[key->len++] = ':';
    put_number(key, bucket, 3);
}

void counter_key_added(struct counter_key *key, enum counter_table table, unsigned quad,
                       unsigned n_shards)
{
    assert(quad < COUNTER_QUADS && table < COUNTER_TABLES);
    put_head(key, counter_shard_of_bucket(quad * COUNTER_QUAD, n_shards), table);
    key->text[key->len++] = 'a';
    key->text[key->len++] = ':';
    put_number(key, quad, 2);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads "hc:{sHH}:T", T one of the first `n_tables` letters, then `colon`, then the digits of a
 * number below `n`. */
static bool parse_table(struct slice key, unsigned n_tables, const char *colon, unsigned n,
                        enum counter_table *table, unsigned *out)
{
    size_t at = 10 + strlen(colon);
    unsigned value = 0;
    const char *letter;

    if (key.len != 14 || memcmp(key.ptr, "hc:{s", 5) != 0 || memcmp(key.ptr + 7, "}:", 2) != 0 ||
        memcmp(key.ptr + 10, colon, strlen(colon)) != 0 ||
        !(letter = memchr(table_letters, key.ptr[9], n_tables)))
        return false;
    for (; at < key.len; at++) {
        int digit = hex_value(key.ptr[at]);

        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    if (value >= n)
        return false;
    *table = (enum counter_table)(letter - table_letters);
    *out = value;
    return true;
}

bool counter_table_parse(struct slice key, enum counter_table *table, unsigned *bucket)
{
    return parse_table(key, COUNTER_ALL_TABLES, ":", COUNTER_BUCKETS, table, bucket);
}

bool counter_added_parse(struct slice key, enum counter_table *table, unsigned *quad)
{
    return parse_table(key, COUNTER_TABLES, "a:", COUNTER_QUADS, table, quad);
}

unsigned counter_shard_of_series(uint32_t brand, int32_t campaign, unsigned n_shards)
{
    return (spread(brand + (uint32_t)(campaign + 1)) >> 24) * n_shards / COUNTER_SHARDS_MAX;
}

/* A clock that is far off must not make a key of another shape. */
static void civil_of(int64_t time_s, struct civil *out)
{
    civil_from_s(time_s < 0 ? 0 : time_s > RFC3339_MAX_S ? RFC3339_MAX_S : time_s, out);
}

/* Whether a key holds a day; else it holds a month. */
static bool is_of_day(enum counter_interval interval, int32_t campaign)
{
    return interval == COUNTER_HOURS ||
           (interval == COUNTER_DAYS && campaign == COUNTER_ALL_CAMPAIGNS);
}

/* "20261122" or "202611". */
static void set_period(char out[static 9], bool of_day, int64_t time_s)
{
    struct civil civil;

    civil_of(time_s, &civil);
    if (of_day)
        snprintf(out, 9, "%04u%02u%02u", (unsigned)civil.year % 10000, civil.month % 100,
                 civil.day % 100);
    else
        snprintf(out, 9, "%04u%02u", (unsigned)civil.year % 10000, civil.month % 100);
}

void counter_key_series(struct counter_key *key, const struct counter_series *series,
                        int64_t time_s, unsigned n_shards)
{
    unsigned shard = counter_shard_of_series(series->brand, series->campaign, n_shards);
    char period[9], interval = interval_letters[series->interval];

    set_period(period, is_of_day(series->interval, series->campaign), time_s);
    if (series->campaign == COUNTER_ALL_CAMPAIGNS && series->interval == COUNTER_ALONE)
        set_key(key, "hc:{s%02x}:t:%08x:*:%c:%s", shard, series->brand, interval, period);
    else if (series->campaign == COUNTER_ALL_CAMPAIGNS)
        set_key(key, "hc:{s%02x}:t:%08x:*:%c:%c:%s", shard, series->brand, interval,
                dim_letters[series->dim], period);
    else
        set_key(key, "hc:{s%02x}:t:%08x:%u:%c:%s", shard, series->brand,
                (unsigned)(series->campaign & 0xffff), interval, period);
}

int64_t counter_series_period(const struct counter_series *series, int64_t time_s)
{
    struct civil civil;

    civil_of(time_s, &civil);
    if (!is_of_day(series->interval, series->campaign))
        civil.day = 1;
    civil.hour = civil.minute = civil.second = 0;
    return civil_to_s(&civil);
}

unsigned counter_bucket_of_time(enum counter_interval interval, int64_t time_s)
{
    struct civil civil;

    civil_of(time_s, &civil);
    return interval == COUNTER_HOURS ? civil.hour : interval == COUNTER_DAYS ? civil.day : 0;
}

/* --- reading a key --- */

static bool take_char(struct slice *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    *text = slice_make(text->ptr + 1, text->len - 1);
    return true;
}

/* Takes the letter, one of `letters`, off the text. */
static bool take_letter(struct slice *text, const char *letters, unsigned *index)
{
    const char *found = text->len > 0 ? memchr(letters, text->ptr[0], strlen(letters)) : NULL;

    if (!found)
        return false;
    *index = (unsigned)(found - letters);
    return take_char(text, *found);
}

/* Takes `n` hexadecimal digits off the text. */
static bool take_hex(struct slice *text, size_t n, uint32_t *out)
{
    *out = 0;
    if (text->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int digit = hex_value(text->ptr[i]);

        if (digit < 0)
            return false;
        *out = *out << 4 | (unsigned)digit;
    }
    *text = slice_make(text->ptr + n, text->len - n);
    return true;
}

/* Takes a decimal number of at most 8 digits off the text; returns how many, 0 = none. */
static size_t take_decimal(struct slice *text, uint32_t *out)
{
    size_t n = 0;

    *out = 0;
    while (n < text->len && n < 9 && text->ptr[n] >= '0' && text->ptr[n] <= '9')
        *out = *out * 10 + (uint32_t)(text->ptr[n++] - '0');
    if (n > 8)
        return 0;
    *text = slice_make(text->ptr + n, text->len - n);
    return n;
}

static bool take_campaign(struct slice *text, int32_t *out)
{
    uint32_t number;

    *out = COUNTER_ALL_CAMPAIGNS;
    if (take_char(text, '*'))
        return true;
    if (take_decimal(text, &number) == 0 || number > UINT16_MAX)
        return false;
    *out = (int32_t)number;
    return true;
}

static bool take_period(struct slice *text, bool of_day, int64_t *time_s)
{
    struct civil civil = {.day = 1};
    uint32_t number;

    if (take_decimal(text, &number) != (of_day ? 8 : 6) || text->len > 0)
        return false;
    if (of_day) {
        civil.day = number % 100;
        number /= 100;
    }
    civil.year = (int)(number / 100);
    civil.month = number % 100;
    if (civil.year < 1970 || civil.month < 1 || civil.month > 12 || civil.day < 1 ||
        civil.day > civil_days_in_month(civil.year, civil.month))
        return false;
    *time_s = civil_to_s(&civil);
    return true;
}

bool counter_series_parse(struct slice key, struct counter_series *out, unsigned *shard,
                          int64_t *time_s)
{
    struct counter_series series = {.dim = COUNTER_DIM_LABEL};
    struct slice rest;
    uint32_t number;
    unsigned interval, dim = 0;

    if (key.len < 11 || memcmp(key.ptr, "hc:{s", 5) != 0 || memcmp(key.ptr + 7, "}:t:", 4) != 0)
        return false;
    rest = slice_make(key.ptr + 5, 2);
    if (!take_hex(&rest, 2, &number))
        return false;
    rest = slice_make(key.ptr + 11, key.len - 11);
    if (!take_hex(&rest, 8, &series.brand) || !take_char(&rest, ':') ||
        !take_campaign(&rest, &series.campaign) || !take_char(&rest, ':') ||
        !take_letter(&rest, interval_letters, &interval) || !take_char(&rest, ':'))
        return false;
    series.interval = (enum counter_interval)interval;
    if (series.campaign != COUNTER_ALL_CAMPAIGNS && series.interval == COUNTER_MONTHS)
        return false;
    if (series.campaign == COUNTER_ALL_CAMPAIGNS && series.interval != COUNTER_ALONE &&
        (!take_letter(&rest, dim_letters, &dim) || !take_char(&rest, ':')))
        return false;
    series.dim = (enum counter_dim)dim;
    if (!take_period(&rest, is_of_day(series.interval, series.campaign), time_s))
        return false;
    *shard = number;
    *out = series;
    return true;
}

void counter_key_cells(struct counter_key *key, const struct counter_cells *cells, int64_t time_s,
                       unsigned n_shards)
{
    char period[9];

    set_period(period, true, time_s);
    set_key(key, "hc:{s%02x}:x:%08x:%u:%s",
            counter_shard_of_series(cells->brand, cells->campaign, n_shards), cells->brand,
            (unsigned)cells->campaign, period);
}

bool counter_cells_parse(struct slice key, struct counter_cells *out, unsigned *shard,
                         int64_t *time_s)
{
    struct slice rest;
    uint32_t brand, number;
    int32_t campaign;

    if (key.len < 11 || memcmp(key.ptr, "hc:{s", 5) != 0 || memcmp(key.ptr + 7, "}:x:", 4) != 0)
        return false;
    rest = slice_make(key.ptr + 5, 2);
    if (!take_hex(&rest, 2, &number))
        return false;
    rest = slice_make(key.ptr + 11, key.len - 11);
    if (!take_hex(&rest, 8, &brand) || !take_char(&rest, ':') || !take_campaign(&rest, &campaign) ||
        campaign == COUNTER_ALL_CAMPAIGNS || !take_char(&rest, ':') ||
        !take_period(&rest, true, time_s))
        return false;
    *shard = number;
    *out = (struct counter_cells){brand, (uint16_t)campaign};
    return true;
}

/* The steps of a delay: what falls below `end_s` seconds and not into an earlier one. */
static const struct {
    int64_t end_s;
    const char *name;
} delays[COUNTER_DELAYS] = {
    {60, "1m"},          {300, "5m"},         {900, "15m"},         {HOUR_S, "1h"},
    {3 * HOUR_S, "3h"},  {6 * HOUR_S, "6h"},  {12 * HOUR_S, "12h"}, {DAY_S, "1d"},
    {2 * DAY_S, "2d"},   {3 * DAY_S, "3d"},   {7 * DAY_S, "7d"},    {14 * DAY_S, "14d"},
    {30 * DAY_S, "30d"}, {90 * DAY_S, "90d"}, {INT64_MAX, "more"},
};

unsigned counter_delay_value(const struct click *click)
{
    int64_t issued_s = TOKEN_EPOCH_S + (int64_t)click->issued_min * 60;
    int64_t delay_s = click->time_ms / 1000 - issued_s;
    unsigned value = 0;

    while (value < COUNTER_DELAYS - 1 && delay_s >= delays[value].end_s)
        value++;
    return value;
}

const char *counter_delay_name(unsigned value)
{
    return value < COUNTER_DELAYS ? delays[value].name : NULL;
}

/* A key of people whose name begins with `u` or `v` and `kind`. */
static void set_people(struct counter_key *key, const struct counter_people *people,
                       const char *kind, const char *period, unsigned n_shards)
{
    char campaign[6] = "*";

    if (people->campaign != COUNTER_ALL_CAMPAIGNS)
        snprintf(campaign, sizeof(campaign), "%u", (unsigned)(people->campaign & 0xffff));
    set_key(key, "hc:{s%02x}:%c%s:%08x:%s:%s",
            counter_shard_of_series(people->brand, people->campaign, n_shards),
            people->are_visitors ? 'v' : 'u', kind, people->brand, campaign, period);
}

void counter_key_people(struct counter_key *key, const struct counter_people *people,
                        int64_t time_s, unsigned n_shards)
{
    char period[11];

    set_period(period, people->of != COUNTER_PEOPLE_OF_MONTH, time_s);
    if (people->of == COUNTER_PEOPLE_OF_HOUR)
        snprintf(period + 8, 3, "%02u", counter_bucket_of_time(COUNTER_HOURS, time_s) % 100);
    set_people(key, people, "", period, n_shards);
}

void counter_key_people_hours(struct counter_key *key, const struct counter_people *people,
                              int64_t time_s, unsigned n_shards)
{
    char period[9];

    set_period(period, true, time_s);
    set_people(key, people, "h", period, n_shards);
}

void counter_key_moment(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:moment", shard);
}

int64_t counter_people_next_s(enum counter_people_of of, int64_t time_s)
{
    struct civil civil;

    if (of == COUNTER_PEOPLE_OF_HOUR)
        return time_s - time_s % HOUR_S + HOUR_S;
    civil_from_s(time_s, &civil);
    if (of == COUNTER_PEOPLE_OF_DAY)
        civil.day++;
    else
        civil = (struct civil){.year = civil.year, .month = civil.month + 1, .day = 1};
    civil.hour = civil.minute = civil.second = 0;
    return civil_to_s(&civil);
}

void counter_key_waiting(struct counter_key *key, unsigned shard, uint32_t slot)
{
    set_key(key, "hc:{s%02x}:w:%u", shard, slot);
}

void counter_key_waiting_slots(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:ws", shard);
}

void counter_key_waiting_list(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:wq", shard);
}

/* Without printf: a batch names one for each click. */
void counter_key_block(struct counter_key *key, uint32_t brand, uint32_t block, unsigned n_shards)
{
    unsigned shard = counter_shard_of_bucket(counter_bucket_of_block(brand, block), n_shards);

    memcpy(key->text, "hc:{sHH}:f:BBBBBBBB:NNNNNNN", 28);
    key->text[5] = hex_digits[shard >> 4];
    key->text[6] = hex_digits[shard & 15];
    for (unsigned i = 0; i < 8; i++)
        key->text[11 + i] = hex_digits[brand >> (28 - 4 * i) & 15];
    for (unsigned i = 0; i < 7; i++)
        key->text[20 + i] = hex_digits[block >> (24 - 4 * i) & 15];
    key->len = 27;
}

void counter_key_mailed(struct counter_key *key, unsigned shard, uint32_t brand, uint16_t campaign,
                        int64_t time_s)
{
    char period[9];

    set_period(period, false, time_s);
    set_key(key, "hc:{s%02x}:fi:%08x:%u:%s", shard, brand, campaign, period);
}

void counter_key_blocks(struct counter_key *key, unsigned shard, uint32_t brand)
{
    set_key(key, "hc:{s%02x}:fb:%08x", shard, brand);
}

void counter_key_facts(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:fq", shard);
}

void counter_key_changes(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:fc", shard);
}

void counter_key_taker(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:ft", shard);
}

void counter_key_funnel(struct counter_key *key, unsigned shard, const struct counter_funnel *of,
                        int64_t time_s)
{
    char period[9];

    set_period(period, of->interval != COUNTER_MONTHS, time_s);
    set_key(key, "hc:{s%02x}:f%c:%08x:%s", shard, of->of_kinds ? 'k' : 's', of->brand, period);
}

bool counter_funnel_parse(struct slice key, unsigned *shard)
{
    struct slice rest;
    uint32_t number;
    int64_t time_s;

    if (key.len < 12 || memcmp(key.ptr, "hc:{s", 5) != 0 ||
        (memcmp(key.ptr + 7, "}:fs:", 5) != 0 && memcmp(key.ptr + 7, "}:fk:", 5) != 0))
        return false;
    rest = slice_make(key.ptr + 5, 2);
    if (!take_hex(&rest, 2, shard))
        return false;
    rest = slice_make(key.ptr + 12, key.len - 12);
    return take_hex(&rest, 8, &number) && take_char(&rest, ':') &&
           take_period(&rest, rest.len == 8, &time_s);
}

void counter_key_payments(struct counter_key *key, unsigned shard)
{
    set_key(key, "hc:{s%02x}:payments", shard);
}
