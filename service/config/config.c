#include "service/config/config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/base/error.h"
#include "service/base/ownership.h"
#include "service/config/asnfile.h"
#include "service/config/schema.h"

void config_fail(const struct config *config, struct error *err, const char *key,
                 const char *format, ...)
{
    char what[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    error_set(err, "%s:%u: %s: %s", config->path, schema_doc_line(config->doc, key), key, what);
}

void config_fail_prefix(const struct config *config, struct error *err, const char *key)
{
    error_prefix(err, "%s:%u: %s", config->path, schema_doc_line(config->doc, key), key);
}

/* --- values that are parsed into something --- */

static struct address *parse_addresses(char **texts, unsigned n)
{
    struct address *out = calloc(n, sizeof(*out));

    for (unsigned i = 0; out && i < n; i++) {
        if (!address_parse(texts[i], &out[i]))
            out[i].addr_len = 0; /* the schema has checked it */
    }
    return out;
}

static struct network *parse_networks(char **texts, unsigned n)
{
    struct network *out = calloc(n ? n : 1, sizeof(*out));

    for (unsigned i = 0; out && i < n; i++) {
        if (!network_parse(texts[i], &out[i]))
            out[i].bits = 128; /* the schema has checked it */
    }
    return out;
}

/* Those of `labels.asns`, then those of the file. */
static bool collect_asns(struct config_labels *labels, struct error *err)
{
    for (unsigned i = 0; i < labels->n_asns; i++) {
        const char *text = labels->asns[i];

        if (!asn_list_add(&labels->asn_list,
                          (uint32_t)strtoul(text + (text[0] == 'A' ? 2 : 0), NULL, 10))) {
            error_set(err, "labels.asns: out of memory");
            return false;
        }
    }
    return !labels->asn_file || asnfile_load(labels->asn_file, &labels->asn_list, err);
}

/* --- checks between keys --- */

static bool check_redis(const struct config *config, struct error *err)
{
    const struct config_redis *redis = &config->redis;

    if (redis->shards & (redis->shards - 1)) {
        config_fail(config, err, "redis.shards", "%lld is not a power of two; give 1, 2, 4 … 256",
                    (long long)redis->shards);
        return false;
    }
    if (!redis->tls_cert != !redis->tls_key) {
        config_fail(config, err, redis->tls_cert ? "redis.tls_cert" : "redis.tls_key",
                    "certificate and key go together; give redis.tls_cert and redis.tls_key");
        return false;
    }
    if (!redis->url && (redis->username || redis->password_file || redis->sentinel_username ||
                        redis->sentinel_password_file || redis->tls_ca || redis->tls_cert)) {
        config_fail(config, err, "redis",
                    "has no url; give redis.url, or remove the other keys to "
                    "get a private redis-server");
        return false;
    }
    return true;
}

static bool check_ledger(const struct config *config, struct error *err)
{
    const struct config_ledger *ledger = &config->ledger;

    if (ledger->segment_bytes % 4096) {
        config_fail(config, err, "ledger.segment_bytes", "%lld is not a multiple of 4096",
                    (long long)ledger->segment_bytes);
        return false;
    }
    /* A log has a segment that is written, one prepared ahead, one being read, one applied. */
    if (ledger->disk_max_bytes < 4 * ledger->segment_bytes) {
        config_fail(config, err, "ledger.disk_max_bytes",
                    "%lld leaves no room for four segments; give at least %lld or lower "
                    "ledger.segment_bytes",
                    (long long)ledger->disk_max_bytes, (long long)(4 * ledger->segment_bytes));
        return false;
    }
    if (ledger->retain_max_bytes > ledger->disk_max_bytes) {
        config_fail(config, err, "ledger.retain_max_bytes",
                    "%lld is more than ledger.disk_max_bytes (%lld); lower it",
                    (long long)ledger->retain_max_bytes, (long long)ledger->disk_max_bytes);
        return false;
    }
    return true;
}

/* --- sinks --- */

const char *const config_sink_types[] = {"file", "webhook", "clickhouse", "kafka", "stream", NULL};

#define HTTP_SINKS (1u << CONFIG_SINK_WEBHOOK | 1u << CONFIG_SINK_CLICKHOUSE)
#define NET_SINKS (HTTP_SINKS | 1u << CONFIG_SINK_KAFKA)
#define BATCH_SINKS (NET_SINKS | 1u << CONFIG_SINK_STREAM)

/* Keys that only some types have; bits are those of the types. */
static const struct {
    const char *key;
    unsigned types;
    bool required;
} sink_type_keys[] = {
    {"path", 1u << CONFIG_SINK_FILE, true},
    {"format", 1u << CONFIG_SINK_FILE, false},
    {"compress", 1u << CONFIG_SINK_FILE, false},
    {"rotate_s", 1u << CONFIG_SINK_FILE, false},
    {"rotate_records", 1u << CONFIG_SINK_FILE, false},
    {"url", HTTP_SINKS, true},
    {"secret_file", 1u << CONFIG_SINK_WEBHOOK, false},
    {"preset", 1u << CONFIG_SINK_WEBHOOK, false},
    {"measurement_id", 1u << CONFIG_SINK_WEBHOOK, false},
    {"site_id", 1u << CONFIG_SINK_WEBHOOK, false},
    {"token_file", 1u << CONFIG_SINK_WEBHOOK, false},
    {"tls_ca", HTTP_SINKS, false},
    {"allow_private", 1u << CONFIG_SINK_WEBHOOK, false},
    {"timeout_ms", NET_SINKS, false},
    {"batch_max", BATCH_SINKS, false},
    {"flush_ms", BATCH_SINKS, false},
    {"hold_s", 1u << CONFIG_SINK_WEBHOOK, false},
    {"give_up_s", 1u << CONFIG_SINK_WEBHOOK, false},
    {"table", 1u << CONFIG_SINK_CLICKHOUSE, true},
    {"username", 1u << CONFIG_SINK_CLICKHOUSE | 1u << CONFIG_SINK_KAFKA, false},
    {"password_file", 1u << CONFIG_SINK_CLICKHOUSE | 1u << CONFIG_SINK_KAFKA, false},
    {"brokers", 1u << CONFIG_SINK_KAFKA, true},
    {"topic", 1u << CONFIG_SINK_KAFKA, true},
    {"options", 1u << CONFIG_SINK_KAFKA, false},
    {"message_records", 1u << CONFIG_SINK_KAFKA, false},
    {"max_len", 1u << CONFIG_SINK_STREAM, false},
};

enum { SINK_KEY_MAX = 64, WEBHOOK_BATCH_MAX = 500, STREAM_BATCH_MAX = 1000 };

static bool check_sink_keys(const struct config *config, unsigned index, struct error *err)
{
    const struct config_sink *sink = &config->sinks[index];
    const char *type = config_sink_types[sink->type];
    char key[SINK_KEY_MAX];

    for (size_t i = 0; i < sizeof(sink_type_keys) / sizeof(sink_type_keys[0]); i++) {
        bool fits = sink_type_keys[i].types >> sink->type & 1, is_there;

        snprintf(key, sizeof(key), "sinks[%u].%s", index, sink_type_keys[i].key);
        is_there = schema_doc_has(config->doc, key);
        if (is_there && !fits) {
            config_fail(config, err, key, "is not for a sink of type %s; remove it", type);
            return false;
        }
        if (!is_there && fits && sink_type_keys[i].required) {
            config_fail(config, err, key, "is missing; a sink of type %s needs it", type);
            return false;
        }
    }
    return true;
}

/* G-, capitals and digits. */
static bool is_measurement_id(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    return strncmp(text, "G-", 2) == 0 && text[2] != '\0' &&
           text[2 + strspn(text + 2, letters)] == '\0';
}

/* What a preset needs, and what has no place beside it. */
static bool check_sink_preset(const struct config *config, unsigned index, struct error *err)
{
    const struct config_sink *sink = &config->sinks[index];
    bool is_ga4 = sink->preset == CONFIG_SINK_GA4, is_matomo = sink->preset == CONFIG_SINK_MATOMO;
    const struct {
        const char *key, *wrong;
        bool is_wrong;
    } rules[] = {
        {"measurement_id", "is for preset: ga4; remove it", sink->measurement_id && !is_ga4},
        {"site_id", "is for preset: matomo; remove it", sink->site_id && !is_matomo},
        {"token_file", "is for preset: ga4 or matomo; remove it",
         sink->token_file && !is_ga4 && !is_matomo},
        {"measurement_id", "is missing; preset: ga4 needs it, G-XXXXXXXXXX",
         is_ga4 && !sink->measurement_id},
        {"measurement_id", "is none; a measurement id is G- and capitals and digits",
         is_ga4 && sink->measurement_id && !is_measurement_id(sink->measurement_id)},
        {"site_id", "is missing; preset: matomo needs it", is_matomo && !sink->site_id},
        {"token_file",
         is_ga4 ? "is missing; preset: ga4 needs the API secret of the data stream"
                : "is missing; preset: matomo needs a token_auth",
         (is_ga4 || is_matomo) && !sink->token_file},
        {"secret_file", "signs Standard Webhooks, which a preset does not send; remove it",
         (is_ga4 || is_matomo) && sink->secret_file},
        {"fields", "must be hashed for a preset: numbers of clients are not for web analytics",
         (is_ga4 || is_matomo) && sink->fields != 1},
        {"batch_max", "is not for preset: ga4, which gets a request for each record; remove it",
         is_ga4 && sink->batch_max},
    };
    char key[SINK_KEY_MAX];

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].is_wrong) {
            snprintf(key, sizeof(key), "sinks[%u].%s", index, rules[i].key);
            config_fail(config, err, key, "%s", rules[i].wrong);
            return false;
        }
    }
    for (unsigned i = 0; (is_ga4 || is_matomo) && i < sink->n_types; i++) {
        if (strcmp(sink->types[i], "click") != 0 && strcmp(sink->types[i], "invoice.paid") != 0) {
            snprintf(key, sizeof(key), "sinks[%u].types", index);
            config_fail(config, err, key, "'%s' has no place in web analytics; click, invoice.paid",
                        sink->types[i]);
            return false;
        }
    }
    return true;
}

bool config_has_brand(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->n_brands; i++) {
        if (strcmp(config->brands[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Whether no sink before it has its name, or its folder: files are named by log and positions, so
 * two sinks in one folder would replace each other's. */
static bool check_sink_is_alone(const struct config *config, unsigned index, struct error *err)
{
    const struct config_sink *sink = &config->sinks[index];
    char key[SINK_KEY_MAX];

    for (unsigned i = 0; i < index; i++) {
        const struct config_sink *other = &config->sinks[i];

        if (strcmp(other->name, sink->name) == 0) {
            snprintf(key, sizeof(key), "sinks[%u].name", index);
            config_fail(config, err, key, "'%s' is there twice; give each sink a name of its own",
                        sink->name);
            return false;
        }
        if (other->path && sink->path && strcmp(other->path, sink->path) == 0) {
            snprintf(key, sizeof(key), "sinks[%u].path", index);
            config_fail(config, err, key,
                        "is the folder of sink '%s' already; give each sink a folder of its own",
                        other->name);
            return false;
        }
    }
    return true;
}

static bool check_sink(const struct config *config, unsigned index, struct error *err)
{
    const struct config_sink *sink = &config->sinks[index];
    char key[SINK_KEY_MAX];

    if (!check_sink_is_alone(config, index, err))
        return false;
    for (unsigned i = 0; i < sink->n_brands; i++) {
        if (!config_has_brand(config, sink->brands[i])) {
            snprintf(key, sizeof(key), "sinks[%u].brands", index);
            config_fail(config, err, key, "there is no brand '%s'", sink->brands[i]);
            return false;
        }
    }
    if ((sink->fields == 1) != (sink->hash_key_file != NULL)) {
        snprintf(key, sizeof(key), "sinks[%u].fields", index);
        config_fail(config, err, key, "fields: hashed and hash_key_file go together");
        return false;
    }
    if (!check_sink_keys(config, index, err) || !check_sink_preset(config, index, err))
        return false;
    for (unsigned i = 0; i < sink->n_options; i++) {
        if (strcmp(sink->options[i].name, "sasl.password") == 0) {
            snprintf(key, sizeof(key), "sinks[%u].options.sasl.password", index);
            config_fail(config, err, key,
                        "a password isn't written here; name its file in "
                        "password_file");
            return false;
        }
    }
    if ((sink->type == CONFIG_SINK_WEBHOOK && sink->batch_max > WEBHOOK_BATCH_MAX) ||
        (sink->type == CONFIG_SINK_STREAM && sink->batch_max > STREAM_BATCH_MAX)) {
        snprintf(key, sizeof(key), "sinks[%u].batch_max", index);
        config_fail(config, err, key, "a %s gets at most %d records at a time",
                    config_sink_types[sink->type],
                    sink->type == CONFIG_SINK_WEBHOOK ? WEBHOOK_BATCH_MAX : STREAM_BATCH_MAX);
        return false;
    }
    if (sink->type == CONFIG_SINK_WEBHOOK && sink->hold_s > 0 &&
        (sink->hold_s < config->labels.gateway_links_s ||
         sink->hold_s < config->labels.gateway_networks_s)) {
        snprintf(key, sizeof(key), "sinks[%u].hold_s", index);
        config_fail(config, err, key,
                    "is shorter than labels.gateway_links_s or gateway_networks_s: people and mail "
                    "gateways are not told apart by then; raise it, or give 0");
        return false;
    }
    return true;
}

static bool check_samples(const struct config *config, struct error *err)
{
    const struct config_checks *checks = &config->checks;
    char key[SINK_KEY_MAX];

    for (unsigned i = 0; i < checks->n_samples; i++) {
        const struct config_sample *sample = &checks->samples[i];

        if (!config_has_brand(config, sample->brand)) {
            snprintf(key, sizeof(key), "checks.samples[%u].brand", i);
            config_fail(config, err, key, "there is no brand '%s'", sample->brand);
            return false;
        }
        for (unsigned k = 0; k < i; k++) {
            if (strcmp(checks->samples[k].brand, sample->brand) == 0 &&
                strcmp(checks->samples[k].kind, sample->kind) == 0) {
                snprintf(key, sizeof(key), "checks.samples[%u].kind", i);
                config_fail(config, err, key, "brand '%s' has a sample of '%s' already",
                            sample->brand, sample->kind);
                return false;
            }
        }
    }
    return true;
}

/* --- reports --- */

static bool check_smtp(const struct config *config, struct error *err)
{
    const struct config_smtp *smtp = &config->smtp;

    if (!smtp->url != !smtp->from) {
        config_fail(config, err, smtp->url ? "smtp.url" : "smtp.from",
                    "server and sender go together; give smtp.url and smtp.from");
        return false;
    }
    if (!smtp->username != !smtp->password_file) {
        config_fail(config, err, smtp->username ? "smtp.username" : "smtp.password_file",
                    "go together: smtp.username and smtp.password_file");
        return false;
    }
    if (smtp->username && smtp->tls == 1 && smtp->url && strncmp(smtp->url, "smtps:", 6) != 0) {
        config_fail(config, err, "smtp.tls", "no password is sent without TLS; remove `none`");
        return false;
    }
    return true;
}

static bool check_report(const struct config *config, unsigned index, struct error *err)
{
    const struct config_report *report = &config->reports[index];
    const char *wrong = NULL, *key = "name";
    char path[SINK_KEY_MAX];

    for (unsigned i = 0; i < index; i++) {
        if (strcmp(config->reports[i].name, report->name) == 0)
            wrong = "is there twice; give each report a name of its own";
    }
    if (!config_has_brand(config, report->brand)) {
        key = "brand";
        wrong = "there is no such brand";
    } else if (report->n_to == 0 && !report->webhook_file) {
        key = "to";
        wrong = "nobody gets the report; give addresses in `to`, or a webhook and its webhook_file";
    } else if ((report->webhook != CONFIG_WEBHOOK_NONE) != (report->webhook_file != NULL)) {
        key = report->webhook_file ? "webhook_file" : "webhook";
        wrong = "webhook and webhook_file go together";
    } else if (report->n_to > 0 && !config->smtp.url) {
        key = "to";
        wrong = "no server takes the mails; name it in smtp.url";
    }
    if (!wrong)
        return true;
    snprintf(path, sizeof(path), "reports[%u].%s", index, key);
    config_fail(config, err, path, "%s", wrong);
    return false;
}

const char *config_sink_type_name(const struct config_sink *sink)
{
    return config_sink_types[sink->type];
}

bool config_sink_is_single(const struct config_sink *sink)
{
    return sink->type == CONFIG_SINK_WEBHOOK &&
           (sink->batch_max == 1 || sink->preset == CONFIG_SINK_GA4);
}

int64_t config_sink_linger_ms(const struct config_sink *sink, int64_t by_default)
{
    if (config_sink_is_single(sink))
        return 0;
    if (sink->flush_ms)
        return sink->flush_ms;
    return sink->rotate_s ? sink->rotate_s * 1000 : by_default;
}

uint64_t config_sink_rows_max(const struct config_sink *sink, uint64_t by_default)
{
    if (config_sink_is_single(sink))
        return by_default;
    if (sink->batch_max)
        return (uint64_t)sink->batch_max;
    return sink->rotate_records ? (uint64_t)sink->rotate_records : by_default;
}

/* --- a file --- */

struct config *config_parse(const char *path, const char *text, size_t len, struct error *err)
{
    struct config_public *public;
    struct config_labels *labels;
    struct schema_doc *doc;
    struct config *config;

    doc = schema_parse(config_schema, sizeof(*config), path, text, len, err);
    if (!doc)
        return NULL;
    config = schema_doc_data(doc);
    config->doc = doc;
    config->path = strdup(path);
    public = &config->public;
    labels = &config->labels;
    public->addresses = parse_addresses(public->listen, public->n_listen);
    public->trusted_networks = parse_networks(public->trusted_proxies, public->n_trusted_proxies);
    config->admin.addresses = parse_addresses(config->admin.listen, config->admin.n_listen);
    labels->range_networks = parse_networks(labels->ranges, labels->n_ranges);
    if (!config->path || !public->addresses || !public->trusted_networks ||
        !config->admin.addresses || !labels->range_networks) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    if (!collect_asns(&config->labels, err))
        goto out;
    if (config->public.client_address != CONFIG_CLIENT_DIRECT &&
        config->public.n_trusted_proxies == 0) {
        config_fail(config, err, "public.client_address",
                    "no proxy is trusted to name the client's address; list the networks of your "
                    "proxies in public.trusted_proxies");
        goto out;
    }
    if (!check_redis(config, err))
        goto out;
    if (config->labels.asn_list.n > 0 && !config->geo.asn) {
        config_fail(
            config, err, config->labels.n_asns ? "labels.asns" : "labels.asn_file",
            "nothing tells the autonomous system of an address; name an MMDB file in geo.asn");
        goto out;
    }
    if (!check_ledger(config, err))
        goto out;
    for (unsigned i = 0; i < config->n_sinks; i++) {
        if (!check_sink(config, i, err))
            goto out;
    }
    if (!check_samples(config, err) || !check_smtp(config, err))
        goto out;
    for (unsigned i = 0; i < config->n_reports; i++) {
        if (!check_report(config, i, err))
            goto out;
    }
    return config;
out:
    config_free(config);
    return NULL;
}

/* A password may stand in redis.url, "redis://user:password@host". */
static bool holds_password(const struct config *config)
{
    const char *url = config->redis.url, *authority, *at;

    authority = url ? strstr(url, "://") : NULL;
    if (!authority)
        return false;
    authority += strlen("://");
    at = memrchr(authority, '@', strcspn(authority, "/"));
    return at && memchr(authority, ':', (size_t)(at - authority));
}

struct config *config_load(const char *path, struct error *err)
{
    struct config *config = NULL;
    size_t len;
    char *text = schema_read_file(path, &len, err);
    int fd;

    if (text)
        config = config_parse(path, text, len, err);
    free(text);
    /* Others may not read a file with a password in it.  If it can't be opened any more, it is
     * gone, and nobody reads it. */
    if (config && holds_password(config) && (fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
        bool is_safe = own_secret_check(fd, path, err);

        close(fd);
        if (!is_safe) {
            config_free(config);
            config = NULL;
        }
    }
    return config;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    free(config->path);
    free(config->public.addresses);
    free(config->public.trusted_networks);
    free(config->admin.addresses);
    free(config->labels.range_networks);
    free(config->labels.asn_list.numbers);
    schema_doc_free(config->doc);
}
