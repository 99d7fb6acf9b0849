/* config.h - the configuration file: YAML, read by one table of keys (config_schema.c).
 *
 * config_load() fills every key with its value or its default, checks every range, parses addresses
 * and networks, and makes relative paths relative to the folder of the configuration file.
 * Templates, presets and keys are checked by site_new().
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/state.h"
#include "service/base/address.h"
#include "service/base/durability.h"
#include "service/base/log.h"
#include "service/config/asnfile.h"
#include "service/config/schema.h"

struct error;
struct schema_doc;
struct schema_key;

/* Every key of struct config; ends with a NULL name.  For --help-config, for the README, and for
 * what a reload can't change. */
extern const struct schema_key config_schema[];

/* Where a client's address comes from. */
enum config_client_address {
    CONFIG_CLIENT_DIRECT,         /* the socket */
    CONFIG_CLIENT_FORWARDED,      /* X-Forwarded-For or Forwarded, from trusted_proxies */
    CONFIG_CLIENT_PROXY_PROTOCOL, /* v1 or v2, required from trusted_proxies */
};

/* Which header the trusted proxies say it in. */
enum config_forwarded_header {
    CONFIG_FORWARDED_AUTO,    /* either */
    CONFIG_FORWARDED_X,       /* X-Forwarded-For and X-Forwarded-Host */
    CONFIG_FORWARDED_RFC7239, /* Forwarded */
};

enum { CONFIG_WORKERS_MAX = 256 };

struct config_public {
    char **listen; /* as written */
    unsigned n_listen;
    struct address *addresses; /* n_listen, parsed */
    int64_t workers;           /* 0 = auto: one per core that may be used */
    int64_t drain_delay_s;
    enum config_client_address client_address;
    enum config_forwarded_header forwarded_header;
    char **trusted_proxies; /* as written */
    unsigned n_trusted_proxies;
    struct network *trusted_networks; /* n_trusted_proxies, parsed */
    int64_t connections_max;          /* per worker */
    int64_t requests_max;             /* per connection */
    int64_t idle_s;
    int64_t head_s;
    int64_t gather_us; /* 0 = answers at once, always */
};

/* What a person, or all of a group, may do (service/config/users.h). */
struct config_user {
    char *user, *group; /* one of them */
    int64_t role;       /* names: config_role_names */
    char **brands;      /* none: all */
    unsigned n_brands;
};

/* Fields in which a trusted proxy says who somebody is. */
struct config_proxy_users {
    char *user_header; /* NULL = none says it */
    char *groups_header;
    char *sign_out_url;
};

/* An OpenID provider at which people sign in. */
struct config_oidc {
    char *issuer; /* NULL = none */
    char *name;   /* on the button; NULL = the issuer's host */
    char *client_id;
    char *client_secret_file; /* NULL: a client without a secret */
    char *scopes;
    char *user_claim;
    char *groups_claim;
    char *tls_ca; /* PEM file; NULL = the system's authorities */
};

struct config_admin {
    char **listen;
    unsigned n_listen;
    struct address *addresses; /* n_listen, parsed */
    char *api_keys;            /* file; NULL = none: every call that needs a key is refused */
    int64_t rate_per_min;      /* requests per key and minute */
    int64_t audit_days;        /* that the audit log goes back; 0 = none is kept */
    char *url;                 /* where browsers find it; NULL = as each request says */
    struct config_proxy_users proxy;
    struct config_oidc oidc;
    struct config_user *users;
    unsigned n_users;
};

/* "read", "name", "admin"; as apikeys_role_scopes() knows them. */
extern const char *const config_role_names[];

/* All texts as written; redis_settings_url() makes one URL of them. */
struct config_redis {
    char *url; /* NULL: a private redis-server */
    char *username;
    char *password_file;
    char *sentinel_username;
    char *sentinel_password_file;
    char *tls_ca, *tls_cert, *tls_key; /* PEM files; NULL = the system's CAs, no certificate */
    char *server;                      /* the program of the private redis-server */
    int64_t shards;                    /* a power of two, 1…256 */
    int64_t timeout_ms;
    int64_t flush_ms;
    int64_t batch_max; /* records */
};

struct config_ledger {
    enum durability durability;
    int64_t sync_ms;
    int64_t segment_bytes;
    int64_t disk_max_bytes;
    int64_t memory_max_bytes;
    int64_t retain_s;
    int64_t retain_max_bytes;
};

struct config_retention {
    int64_t states_days;
    int64_t hours_days; /* how long buckets of an hour are kept */
    int64_t days_days;
    int64_t cells_days;        /* clicks by all dimensions together; 0 = not counted */
    int64_t cells_max_bytes;   /* of a campaign's day */
    int64_t client_hours_days; /* how long people are kept by the hour; 0 = by days only */
    int64_t invoices_days;     /* after the last event or click of an invoice */
};

struct config_conversions {
    int64_t window_days; /* a payment is credited to a click that is not older */
};

struct config_geo {
    char *country; /* MMDB file; NULL = none */
    char *asn;
};

/* How many clicks of one client are looked at together: a threshold above it would never be met. */
enum { CONFIG_GATEWAY_MAX = 32 };

/* Thresholds of the labels (service/label). */
struct config_labels {
    int64_t gateway_links;        /* so many distinct links of one client … */
    int64_t gateway_links_s;      /* … within so many seconds */
    int64_t gateway_two_links_ms; /* two of one mail within so many are enough */
    int64_t gateway_networks;     /* so many networks (/24, /48) for one client … */
    int64_t gateway_networks_s;
    int64_t early_s; /* a click so soon after minting supports "scanner" */
    int64_t weight_links, weight_networks, weight_early, weight_head, weight_asn, weight_range;
    int64_t repeat_max; /* clicks of one link by one network in a minute; 0 = no limit */
    int64_t threshold;  /* a sum of weights from which on a click is a scanner's */
    int64_t gpc;        /* 0 ignore, 1 aggregate */
    char **ranges;      /* networks of mail gateways, as written */
    unsigned n_ranges;
    struct network *range_networks; /* n_ranges, parsed */
    char **asns;                    /* "AS22843" as written */
    unsigned n_asns;
    char *asn_file;           /* more of them; NULL = none */
    struct asn_list asn_list; /* of both, parsed */
};

enum config_reload { CONFIG_RELOAD_SIGNAL, CONFIG_RELOAD_CHANGE };
enum config_utm { CONFIG_UTM_NO, CONFIG_UTM_YES, CONFIG_UTM_BRAND /* as the brand says */ };

/* One rule of a target: all that is set must match; the first rule that does is taken. */
struct config_rule {
    char **variant; /* "none", "A" … "G"; any of them */
    unsigned n_variant;
    char **country; /* "DE"; any of them */
    unsigned n_country;
    char **language; /* "pt" or "pt-br"; any of them */
    unsigned n_language;
    char **device; /* click_device_name(); any of them */
    unsigned n_device;
    char *url;
};

/* What a link does when its object is in a state: a kind of the brand, `page`, `same`, or a
 * template; by enum state_object, NULL = what it always does. */
struct config_when {
    char *of[STATE_OBJECTS];
};

/* The keys of a struct config_when; presets have them too. */
extern const struct schema_key config_when_keys[];

struct config_target {
    char *kind; /* "view", "pay", "login" or "4" … "15" */
    char *name; /* of an own kind */
    char *url;  /* template */
    enum config_utm utm;
    struct config_rule *rules;
    unsigned n_rules;
    struct config_when when;
    bool confirm;
    int64_t page;     /* 0 none: it leads to a URL; 1 opt_out */
    int64_t object;   /* 0 an invoice, 1 something else, which events of invoices are not about */
    int64_t tracking; /* 0 full, 1 aggregate, 2 off, 3 as the brand says */
    int64_t until_known; /* 0 as suits the kind, 1 open, 2 closed */
    int64_t max_uses;    /* clicks by people that each link is good for; 0 = any number */
};

struct config_expired {
    bool renew;
};

struct config_brand {
    char *name;
    char **hosts;
    unsigned n_hosts;
    char *base_url;
    char *preset; /* a name, or a path (it holds a '/') of an own file */
    char *billing_url;
    char *home;
    bool utm;
    int64_t revoked; /* how a revoked link answers: 0 as an unknown one, 1 with a page */
    struct config_expired expired;
    int64_t tracking;  /* 0 full, 1 aggregate, 2 off */
    char *logo_text;   /* shown on pages instead of the name */
    char *color;       /* "#rrggbb" */
    char *language;    /* of the pages, for browsers that ask for none of the languages there are */
    char *texts;       /* folder of the brand's own; NULL = none */
    char *mail_domain; /* that mails of the brand come from; NULL = not told */
    char *support;     /* how to reach people: a mail address, an https URL or any text */
    struct config_target *targets;
    unsigned n_targets;
};

enum config_sink_type {
    CONFIG_SINK_FILE,
    CONFIG_SINK_WEBHOOK,
    CONFIG_SINK_CLICKHOUSE,
    CONFIG_SINK_KAFKA,
    CONFIG_SINK_STREAM,
    CONFIG_SINK_TYPES
};
enum config_sink_format { CONFIG_SINK_JSONL, CONFIG_SINK_CSV };
/* Whose words a webhook speaks. */
enum config_sink_preset { CONFIG_SINK_OWN, CONFIG_SINK_GA4, CONFIG_SINK_MATOMO };

/* An option of librdkafka. */
struct config_sink_option {
    char *name, *value;
};

/* Numbers that are 0 when they aren't given have a default that depends on the type. */
struct config_sink {
    char *name;
    enum config_sink_type type;
    char **types; /* of records; none: all */
    unsigned n_types;
    char **labels;
    unsigned n_labels;
    char **brands;
    unsigned n_brands;
    char **kinds;
    unsigned n_kinds;
    int64_t fields; /* 0 all, 1 hashed, 2 counts */
    char *hash_key_file;
    /* file */
    char *path;
    enum config_sink_format format;
    bool compress;
    int64_t rotate_s;
    int64_t rotate_records;
    /* webhook */
    enum config_sink_preset preset;
    char *measurement_id; /* GA4 */
    int64_t site_id;      /* Matomo */
    char *token_file;     /* both */
    char *url;
    char *secret_file;
    char *tls_ca;
    bool allow_private;
    int64_t timeout_ms;
    int64_t batch_max;
    int64_t flush_ms;
    int64_t hold_s;
    int64_t give_up_s;
    /* clickhouse, as are url, tls_ca, timeout_ms and flush_ms */
    char *table;
    char *username;
    char *password_file;
    /* kafka, as are username, password_file, timeout_ms, batch_max and flush_ms */
    char *brokers;
    char *topic;
    struct config_sink_option *options;
    unsigned n_options;
    int64_t message_records;
    /* stream, as are batch_max and flush_ms */
    int64_t max_len;
};

enum { CONFIG_SINKS_MAX = 16 };

/* What links of a kind are looked at with. */
struct config_sample {
    char *brand;
    char *kind; /* a kind of the brand, or "home" */
    int64_t object, client;
    char *arg;          /* NULL = none */
    char *must_contain; /* of the page; NULL = anything */
};

/* Links that are watched (service/checks). */
struct config_checks {
    int64_t every_s; /* 0 = they are not */
    int64_t retry_s;
    int64_t failures;
    int64_t timeout_ms;
    int64_t pace_ms;
    int64_t redirects_max;
    char *tls_ca;
    struct config_sample *samples;
    unsigned n_samples;
};

/* The server that takes mails from us. */
struct config_smtp {
    char *url;  /* smtp:// or smtps://; NULL = none */
    char *from; /* "Name <address>" or "address" */
    char *username;
    char *password_file;
    int64_t tls; /* 0 required, 1 none */
    char *tls_ca;
    int64_t timeout_ms; /* of chats, too */
};

enum config_webhook { CONFIG_WEBHOOK_NONE, CONFIG_WEBHOOK_SLACK, CONFIG_WEBHOOK_TEAMS };
enum { CONFIG_REPORTS_MAX = 256 };

/* A report that is sent every week or month (service/reports). */
struct config_report {
    char *name;
    char *brand;
    int64_t every; /* 0 week, 1 month */
    char *tz;
    int64_t at_hour;  /* of the first day after it */
    int64_t language; /* 0 English, 1 German */
    char **to;        /* addresses */
    unsigned n_to;
    enum config_webhook webhook;
    char *webhook_file; /* holds its URL */
    bool allow_private;
};

struct config_log {
    enum log_format format;
    int64_t access_sample; /* one request of so many is written; 0 = none */
    int64_t access_per_s;
};

struct config {
    char *path;             /* as given, for messages */
    struct schema_doc *doc; /* owns this struct and knows where each key stands */
    struct config_public public;
    struct config_admin admin;
    struct config_redis redis;
    struct config_ledger ledger;
    struct config_retention retention;
    struct config_conversions conversions;
    struct config_checks checks;
    struct config_geo geo;
    struct config_labels labels;
    char *state_dir;
    char *keys;
    enum config_reload reload;
    enum log_level log_level;
    struct config_log log;
    struct config_brand *brands;
    unsigned n_brands;
    struct config_sink *sinks;
    unsigned n_sinks;
    struct config_smtp smtp;
    struct config_report *reports;
    unsigned n_reports;
};

/* Reads and checks a file.  NULL and `*err` ("file:line: key: what is wrong; remedy") on failure.
 */
MUST_USE struct config *config_load(const char *path, struct error *err);
/* The same of `len` bytes of text; `path` is for messages and as folder of relative paths. */
MUST_USE struct config *config_parse(const char *path, const char *text, size_t len,
                                     struct error *err);
void config_free(struct config *config);

bool config_has_brand(const struct config *config, const char *name);

/* Names of enum config_sink_type; ends with a NULL. */
extern const char *const config_sink_types[];
/* "file" … */
const char *config_sink_type_name(const struct config_sink *sink);
/* How long records may wait for more, and how many are given away at a time; the default is that of
 * the type. */
/* Of a webhook that sends each record by itself they are 0, and the type's default: it takes one
 * record out of such a range and passes over what it doesn't send. */
bool config_sink_is_single(const struct config_sink *sink);
int64_t config_sink_linger_ms(const struct config_sink *sink, int64_t by_default);
uint64_t config_sink_rows_max(const struct config_sink *sink, uint64_t by_default);

/* Sets "file:line: key: …", when another part finds a fault in the value of `key`, which is a path
 * such as "brands[0].targets[1].url". */
void config_fail(const struct config *config, struct error *err, const char *key,
                 const char *format, ...) PRINTF_LIKE(4, 5);
/* Puts "file:line: key: " before the text that is there: for files that a key names. */
void config_fail_prefix(const struct config *config, struct error *err, const char *key);

#endif
