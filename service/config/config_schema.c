#include "service/config/config.h"

#include <stddef.h>

#include "service/config/config_check.h"
#include "service/config/schema.h"

/* A table is read by its columns. */
/* clang-format off */

#define MEMBER(owner, member) \
    .offset = offsetof(struct owner, member), .size = sizeof(((struct owner *)0)->member)
#define INT(key, owner, member, low, high, preset, text) \
    {.name = key, .type = SCHEMA_INT, MEMBER(owner, member), .min = low, .max = high, \
     .fallback = preset, .help = text}
#define TEXT(key, owner, member, limit, preset, checker, text) \
    {.name = key, .type = SCHEMA_TEXT, MEMBER(owner, member), .max = limit, .fallback = preset, \
     .check = checker, .help = text}
#define PATH(key, owner, member, preset, text) \
    {.name = key, .type = SCHEMA_PATH, MEMBER(owner, member), .max = 1024, .fallback = preset, \
     .help = text}
#define PATH_AT_USE(key, owner, member, preset, text) \
    {.name = key, .type = SCHEMA_PATH, .at_use = true, MEMBER(owner, member), .max = 1024, \
     .fallback = preset, .help = text}
#define CHOICE(key, owner, member, list, preset, text) \
    {.name = key, .type = SCHEMA_CHOICE, MEMBER(owner, member), .choices = list, \
     .fallback = preset, .help = text}
#define TEXTS(key, owner, member, count, least, most, preset, checker, text) \
    {.name = key, .type = SCHEMA_TEXTS, MEMBER(owner, member), \
     .count_offset = offsetof(struct owner, count), .min = least, .max = most, \
     .fallback = preset, .check = checker, .help = text}
#define GROUP(key, owner, member, table, text) \
    {.name = key, .type = SCHEMA_GROUP, MEMBER(owner, member), .keys = table, .help = text}
#define LIST(key, owner, member, count, entry, least, most, table, text) \
    {.name = key, .type = SCHEMA_LIST, .offset = offsetof(struct owner, member), \
     .size = sizeof(struct entry), .count_offset = offsetof(struct owner, count), .min = least, \
     .max = most, .keys = table, .help = text}
#define END {.name = NULL}

static const char *const forwarded_header_names[] = {"auto", "x_forwarded", "forwarded", NULL};
static const char *const client_address_names[] = {"direct", "forwarded", "proxy_protocol", NULL};
static const char *const durability_names[] = {"process", "interval", "click", NULL};
static const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};
static const char *const log_format_names[] = {"text", "json", NULL};
static const char *const reload_names[] = {"signal", "change", NULL};
static const char *const utm_names[] = {"false", "true", "brand", NULL};
static const char *const page_names[] = {"none", "opt_out", NULL};
static const char *const object_names[] = {"invoice", "other", NULL};
static const char *const revoked_names[] = {"unknown", "page", NULL};
/* enum brand_tracking; a target may leave it to its brand. */
static const char *const tracking_names[] = {"full", "aggregate", "off", NULL};
static const char *const target_tracking_names[] = {"full", "aggregate", "off", "brand", NULL};
static const char *const until_known_names[] = {"default", "open", "closed", NULL};
static const char *const gpc_names[] = {"ignore", "aggregate", NULL};
static const char *const sink_fields_names[] = {"all", "hashed", "counts", NULL};
static const char *const sink_preset_names[] = {"none", "ga4", "matomo", NULL};
static const char *const smtp_tls_names[] = {"required", "none", NULL};
static const char *const every_names[] = {"week", "month", NULL};
static const char *const report_language_names[] = {"en", "de", NULL};
static const char *const report_webhook_names[] = {"none", "slack", "teams", NULL};
static const char *const sink_format_names[] = {"jsonl", "csv", NULL};

static const struct schema_key public_keys[] = {
    TEXTS("listen", config_public, listen, n_listen, 1, 16, "0.0.0.0:8080", config_check_address,
          "Addresses of the public port, IPv4:port or [IPv6]:port."),
    {.name = "workers", .type = SCHEMA_AUTO, MEMBER(config_public, workers), .min = 1,
     .max = CONFIG_WORKERS_MAX, .fallback = "auto",
     .help = "Worker threads; auto is one per core that the process may use."},
    INT("drain_delay_s", config_public, drain_delay_s, 0, 600, "8",
        "Seconds that SIGTERM goes on accepting, so that load balancers notice."),
    CHOICE("client_address", config_public, client_address, client_address_names, "direct",
           "Where a client's address comes from: the socket, X-Forwarded-For or Forwarded, or the "
           "PROXY protocol."),
    CHOICE("forwarded_header", config_public, forwarded_header, forwarded_header_names, "auto",
           "Which header your proxies set: X-Forwarded-For and X-Forwarded-Host, or Forwarded; auto"
           " takes the one that leads through them to a client, neither if they differ."),
    TEXTS("trusted_proxies", config_public, trusted_proxies, n_trusted_proxies, 0, 256, NULL,
          config_check_network,
          "Networks of the proxies that may say a client's address; none are trusted unasked, "
          "and with admin.proxy none wider than an IPv4 /8 or an IPv6 /16."),
    INT("connections_max", config_public, connections_max, 16, 1000000, "16384",
        "Connections per worker; beyond it one makes room that takes no replies, or was idle "
        "longest."),
    INT("requests_max", config_public, requests_max, 1, 1000000000, "10000",
        "Requests per connection; the last reply says Connection: close."),
    INT("idle_s", config_public, idle_s, 1, 3600, "30",
        "Seconds that a connection may wait for its next request."),
    INT("head_s", config_public, head_s, 1, 300, "5",
        "Seconds from a request's first byte to the end of its head."),
    INT("gather_us", config_public, gather_us, 0, 5000, "200",
        "Microseconds for which a worker that wakes thousands of times a second lets requests "
        "gather, which saves up to two fifths of its CPU; 0 = never."),
    END,
};

const char *const config_role_names[] = {"read", "name", "admin", NULL};

static const struct schema_key proxy_users_keys[] = {
    TEXT("user_header", config_proxy_users, user_header, 64, NULL, config_check_header,
         "Field in which a proxy of public.trusted_proxies says who has signed in at it, such as "
         "X-Auth-Request-Email; from anybody else it is passed over."),
    TEXT("groups_header", config_proxy_users, groups_header, 64, NULL, config_check_header,
         "Field with their groups, separated by commas, such as X-Auth-Request-Groups."),
    TEXT("sign_out_url", config_proxy_users, sign_out_url, 1024, NULL, config_check_sign_out_url,
         "Where signing out leads, such as /oauth2/sign_out; without it people who came by the "
         "proxy see no way to sign out."),
    END,
};

static const struct schema_key oidc_keys[] = {
    TEXT("issuer", config_oidc, issuer, 1024, NULL, config_check_issuer,
         "The OpenID provider, such as https://id.acme.example/realms/staff; what it says of "
         "itself is read below it, at .well-known/openid-configuration."),
    TEXT("name", config_oidc, name, 64, NULL, NULL,
         "What people call it, for the button to sign in; default: the issuer's host."),
    TEXT("client_id", config_oidc, client_id, 256, NULL, NULL,
         "What hopcount is called there.  Its redirect URI is /v1/session/oidc/callback below "
         "admin.url."),
    PATH("client_secret_file", config_oidc, client_secret_file, NULL,
         "File whose first line is the client's secret; without it hopcount is a public client."),
    TEXT("scopes", config_oidc, scopes, 512, "openid email profile", NULL,
         "What is asked for; add what your provider needs to tell groups."),
    TEXT("user_claim", config_oidc, user_claim, 128, "email", NULL,
         "The claim that says who it is; an email counts only with email_verified."),
    TEXT("groups_claim", config_oidc, groups_claim, 128, "groups", NULL,
         "The claim with their groups, a list of texts."),
    PATH_AT_USE("tls_ca", config_oidc, tls_ca, NULL,
         "PEM file of the authorities that vouch for the provider; default: those of the system."),
    END,
};

static const struct schema_key user_keys[] = {
    TEXT("user", config_user, user, 120, NULL, config_check_user,
         "One person as proxy or provider name them; *@acme.example is anybody there, "
         "* anybody at all."),
    TEXT("group", config_user, group, 256, NULL, NULL, "All people of a group."),
    {.name = "role", .type = SCHEMA_CHOICE, .required = true, MEMBER(config_user, role),
     .choices = config_role_names,
     .help = "read: see figures; name: also mint, name campaigns, revoke, write notes, save views "
             "and share them by links; admin: all."},
    TEXTS("brands", config_user, brands, n_brands, 0, 64, NULL, config_check_brand_name,
          "The brands they see; default: all."),
    END,
};

static const struct schema_key admin_keys[] = {
    TEXTS("listen", config_admin, listen, n_listen, 1, 16, "127.0.0.1:8081", config_check_address,
          "Addresses of API, dashboard, metrics and probes."),
    {.name = "api_keys", .type = SCHEMA_PATH, .at_reload = true, MEMBER(config_admin, api_keys),
     .max = 1024,
     .help = "File of hashed API keys (hopcount apikey --add); without it only people of "
             "admin.users get in, and without those nobody."},
    INT("rate_per_min", config_admin, rate_per_min, 1, 1000000, "600",
        "Requests in a minute that one API key, one person or one link to a view may make."),
    INT("audit_days", config_admin, audit_days, 0, 3650, "365",
        "Days that the audit log goes back: who signed in, named, revoked, exported or erased, and "
        "from where; 0 keeps none."),
    {.name = "url", .type = SCHEMA_TEXT, .at_reload = true, MEMBER(config_admin, url), .max = 1024,
     .check = config_check_folder_url,
     .help = "Where browsers find this address, such as https://hopcount.acme.example; default: as "
             "each request says."},
    {.name = "proxy", .type = SCHEMA_GROUP, .at_reload = true, MEMBER(config_admin, proxy),
     .keys = proxy_users_keys, .help = "Signing in at a proxy in front."},
    {.name = "oidc", .type = SCHEMA_GROUP, .at_reload = true, MEMBER(config_admin, oidc),
     .keys = oidc_keys, .help = "Signing in at an OpenID provider."},
    {.name = "users", .type = SCHEMA_LIST, .at_reload = true,
     .offset = offsetof(struct config_admin, users), .size = sizeof(struct config_user),
     .count_offset = offsetof(struct config_admin, n_users), .min = 0, .max = 1024,
     .keys = user_keys,
     .help = "Who may sign in without an API key, and what they may do; the first entry that fits "
             "counts."},
    END,
};

static const struct schema_key redis_keys[] = {
    TEXT("url", config_redis, url, 1024, NULL, config_check_redis_url,
         "redis://, rediss://, valkey://, valkeys://, unix://, sentinel:// or cluster:// URL; "
         "without it hopcountd runs a redis-server of its own in state_dir."),
    TEXT("username", config_redis, username, 128, NULL, NULL, "ACL user of Redis."),
    PATH("password_file", config_redis, password_file, NULL,
         "File whose first line is the password of Redis."),
    TEXT("sentinel_username", config_redis, sentinel_username, 128, NULL, NULL,
         "ACL user of the sentinels."),
    PATH("sentinel_password_file", config_redis, sentinel_password_file, NULL,
         "File whose first line is the password of the sentinels."),
    PATH("tls_ca", config_redis, tls_ca, NULL,
         "PEM file of the authorities that vouch for Redis; default: those of the system."),
    PATH("tls_cert", config_redis, tls_cert, NULL, "PEM file of our client certificate."),
    PATH("tls_key", config_redis, tls_key, NULL, "PEM file of its key."),
    TEXT("server", config_redis, server, 1024, NULL, NULL,
         "Program of the private server; without it redis-server or valkey-server, whichever is "
         "there."),
    INT("shards", config_redis, shards, 1, 256, "1",
        "Counter shards, a power of two; 16 or more with Redis Cluster.  While counts are kept it "
        "is changed by `hopcount reshard`."),
    INT("timeout_ms", config_redis, timeout_ms, 50, 60000, "2000",
        "Longest wait for a connect or a command."),
    INT("flush_ms", config_redis, flush_ms, 1, 60000, "200",
        "Longest that a click waits for its batch."),
    INT("batch_max", config_redis, batch_max, 1, 65536, "8192", "Clicks in one batch."),
    END,
};

static const struct schema_key ledger_keys[] = {
    CHOICE("durability", config_ledger, durability, durability_names, "interval",
           "What clicks survive: the end of the process, a power cut but the last interval, or a "
           "power cut (a sync before the replies leave)."),
    INT("sync_ms", config_ledger, sync_ms, 10, 60000, "200",
        "The interval between syncs to disk."),
    INT("segment_bytes", config_ledger, segment_bytes, 65536, 1073741824, "1048576",
        "Size of a segment file, a multiple of 4096."),
    INT("disk_max_bytes", config_ledger, disk_max_bytes, 1048576, 17592186044416, "4294967296",
        "Most that all segments may take; then clicks are dropped and counted."),
    INT("memory_max_bytes", config_ledger, memory_max_bytes, 65536, 68719476736, "67108864",
        "Most kept in memory while the disk takes nothing."),
    INT("retain_s", config_ledger, retain_s, 0, 2592000, "900",
        "How long applied segments stay, for a replay after Redis lost the newest counts."),
    INT("retain_max_bytes", config_ledger, retain_max_bytes, 0, 17592186044416, "1073741824",
        "Most that applied segments may take."),
    END,
};

static const struct schema_key retention_keys[] = {
    INT("hours_days", config_retention, hours_days, 1, 36500, "400",
        "Days that counters per hour are kept."),
    INT("days_days", config_retention, days_days, 1, 36500, "1826",
        "Days that counters per day and month are kept."),
    INT("cells_days", config_retention, cells_days, 0, 3660, "92",
        "Days that clicks are counted by all their dimensions together, so that statistics can be "
        "filtered by several at once.  0: they are not."),
    INT("cells_max_bytes", config_retention, cells_max_bytes, 4096, 33554432, "16777216",
        "Most that these counters of one campaign and day may take, 8 bytes a click at first; "
        "further clicks are left out of them, and statistics say so."),
    INT("client_hours_days", config_retention, client_hours_days, 0, 400, "35",
        "Days for which clients and visitors are kept by the hour.  So a day of any time zone has "
        "the people of its own hours.  Earlier days are counted by days of UTC.  0: all days are."),
    INT("invoices_days", config_retention, invoices_days, 1, 36500, "400",
        "Days that mails, clicks and payments of an invoice are kept after its last one."),
    INT("states_days", config_retention, states_days, 396, 36500, "400",
        "Days that what became of an invoice, and how often a link was used, is kept after it was "
        "said; longer than a link is valid.  Revocations and opt-outs are kept."),
    END,
};

static const struct schema_key conversions_keys[] = {
    INT("window_days", config_conversions, window_days, 1, 366, "30",
        "A payment is credited to the last click of a person in so many days before it."),
    END,
};

/* A key that a reload applies, in a group whose other keys need a restart. */
#define RELOADED_INT(key, owner, member, low, high, preset, text) \
    {.name = key, .type = SCHEMA_INT, .at_reload = true, MEMBER(owner, member), .min = low, \
     .max = high, .fallback = preset, .help = text}

static const struct schema_key sample_keys[] = {
    {.name = "brand", .type = SCHEMA_TEXT, .required = true, MEMBER(config_sample, brand),
     .max = 63, .check = config_check_brand_name, .help = "Name of the brand."},
    {.name = "kind", .type = SCHEMA_TEXT, .required = true, MEMBER(config_sample, kind),
     .max = 31, .help = "A kind of the brand, or home for its home page."},
    INT("object", config_sample, object, 0, UINT32_MAX, "0",
        "Invoice, service, ticket … that exists, for {object}."),
    INT("client", config_sample, client, 0, UINT32_MAX, "0",
        "Client whose it is, for {client}."),
    TEXT("arg", config_sample, arg, 48, NULL, config_check_arg, "Text for {arg}."),
    TEXT("must_contain", config_sample, must_contain, 200, NULL, NULL,
         "Text that the page must hold in its first 256 KiB, as its bytes are."),
    END,
};

static const struct schema_key checks_keys[] = {
    INT("every_s", config_checks, every_s, 0, 604800, "0",
        "Seconds between two looks at a page that links lead to; one of all processes looks.  0: "
        "none does."),
    RELOADED_INT("retry_s", config_checks, retry_s, 1, 604800, "60",
        "The same of a page that didn't answer and isn't called down yet, if that is sooner."),
    RELOADED_INT("failures", config_checks, failures, 1, 100, "3",
        "Failures in a row after which a page is called down."),
    RELOADED_INT("timeout_ms", config_checks, timeout_ms, 100, 120000, "15000",
        "Longest that a page, or a redirect on the way to it, may take."),
    RELOADED_INT("pace_ms", config_checks, pace_ms, 0, 60000, "200",
        "Least time between two requests to one host; hopcount check keeps to it, too."),
    RELOADED_INT("redirects_max", config_checks, redirects_max, 0, 20, "10",
        "Redirects that are followed; more are a failure."),
    {.name = "tls_ca", .type = SCHEMA_PATH, .at_reload = true, .at_use = true,
     MEMBER(config_checks, tls_ca), .max = 1024,
     .help = "PEM file of the authorities that vouch for the pages; default: those of the system."},
    {.name = "samples", .type = SCHEMA_LIST, .at_reload = true,
     .offset = offsetof(struct config_checks, samples), .size = sizeof(struct config_sample),
     .count_offset = offsetof(struct config_checks, n_samples), .min = 0, .max = 4096,
     .keys = sample_keys,
     .help = "What is put in for {object}, {client} and {arg}; kinds that need them and have no "
             "sample are not looked at."},
    END,
};

static const struct schema_key geo_keys[] = {
    PATH_AT_USE("country", config_geo, country, NULL,
         "MMDB file with countries; reloaded when it changes."),
    PATH_AT_USE("asn", config_geo, asn, NULL, "MMDB file with autonomous systems."),
    END,
};

static const struct schema_key labels_keys[] = {
    INT("gateway_links", config_labels, gateway_links, 2, CONFIG_GATEWAY_MAX, "3",
        "Distinct links of one client's mail that make a burst."),
    INT("gateway_links_s", config_labels, gateway_links_s, 1, 3600, "10",
        "Seconds that a burst takes at most."),
    INT("gateway_two_links_ms", config_labels, gateway_two_links_ms, 0, 60000, "2500",
        "Two links of one mail opened within so many milliseconds weigh as a burst."),
    INT("gateway_networks", config_labels, gateway_networks, 2, CONFIG_GATEWAY_MAX, "3",
        "Networks (/24, /48) opening one client's links that tell of a gateway."),
    INT("gateway_networks_s", config_labels, gateway_networks_s, 1, 3600, "60",
        "Seconds in which they turn up."),
    INT("early_s", config_labels, early_s, 0, 3600, "30",
        "A click so soon after minting supports the label scanner."),
    INT("weight_links", config_labels, weight_links, 0, 1000, "100", "Weight of a burst of links."),
    INT("weight_networks", config_labels, weight_networks, 0, 1000, "100",
        "Weight of several networks."),
    INT("weight_early", config_labels, weight_early, 0, 1000, "40", "Weight of an early click."),
    INT("weight_head", config_labels, weight_head, 0, 1000, "70", "Weight of a HEAD before a GET."),
    INT("weight_asn", config_labels, weight_asn, 0, 1000, "40",
        "Weight of an autonomous system in `asns`."),
    INT("weight_range", config_labels, weight_range, 0, 1000, "100",
        "Weight of a network in `ranges`."),
    INT("repeat_max", config_labels, repeat_max, 0, 100, "10",
        "Clicks of one link by one network in a minute that a person may make; 0: any number."),
    INT("threshold", config_labels, threshold, 1, 10000, "100",
        "Sum of weights that makes a click a scanner's."),
    CHOICE("gpc", config_labels, gpc, gpc_names, "ignore",
           "What a browser's Sec-GPC: 1 (Global Privacy Control) does: nothing, or the click "
           "counts in sums of campaigns only, as that of a client who has opted out."),
    TEXTS("ranges", config_labels, ranges, n_ranges, 0, 1024, NULL, config_check_network,
          "Networks of mail gateways."),
    TEXTS("asns", config_labels, asns, n_asns, 0, 256, NULL, config_check_asn,
          "Autonomous systems of mail gateways; people browse through some of them too."),
    PATH("asn_file", config_labels, asn_file, NULL,
         "File with more of them, one a line: AS22843, a name behind it."),
    END,
};

static const struct schema_key rule_keys[] = {
    TEXTS("variant", config_rule, variant, n_variant, 0, 8, NULL, config_check_variant,
          "Variants it is for: none, A … G."),
    TEXTS("country", config_rule, country, n_country, 0, 250, NULL, config_check_country,
          "Countries it is for: two capital letters, \"NO\" in quotes."),
    TEXTS("language", config_rule, language, n_language, 0, 64, NULL, config_check_language,
          "Languages it is for; de is for de-at too."),
    TEXTS("device", config_rule, device, n_device, 0, 4, NULL, config_check_device,
          "Devices it is for: phone, tablet, desktop, other."),
    {.name = "url", .type = SCHEMA_TEXT, .required = true, MEMBER(config_rule, url), .max = 2048,
     .help = "Template to use when all of the above match."},
    END,
};

#define WHEN(key, state) \
    {.name = key, .type = SCHEMA_TEXT, \
     .offset = offsetof(struct config_when, of) + (state) * sizeof(char *), \
     .size = sizeof(char *), .max = 2048, .check = config_check_when, \
     .help = "Where it leads when its object is " key "."}

const struct schema_key config_when_keys[] = {
    WHEN("unpaid", STATE_UNPAID),
    WHEN("paid", STATE_PAID),
    WHEN("partly_paid", STATE_PARTLY_PAID),
    WHEN("cancelled", STATE_CANCELLED),
    WHEN("refunded", STATE_REFUNDED),
    WHEN("credited", STATE_CREDITED),
    WHEN("replaced", STATE_REPLACED),
    END,
};

static const struct schema_key target_keys[] = {
    {.name = "kind", .type = SCHEMA_TEXT, .required = true, MEMBER(config_target, kind), .max = 16,
     .check = config_check_kind, .help = "view, pay, login, or 4 … 15 for a kind of your own."},
    TEXT("name", config_target, name, 31, NULL, config_check_kind_name,
         "Name of an own kind, for minting and statistics."),
    TEXT("url", config_target, url, 2048, NULL, NULL,
         "Template: a URL with {object}, {client}, {arg}, {campaign}, {variant}, {channel}, "
         "{token}; default: the preset's."),
    CHOICE("utm", config_target, utm, utm_names, "brand",
           "Whether utm_source, utm_medium, utm_campaign and utm_content are appended."),
    LIST("rules", config_target, rules, n_rules, config_rule, 0, 64, rule_keys,
         "Other templates by variant, country, language or device; the first that fits is taken."),
    GROUP("when", config_target, when, config_when_keys,
          "Where links lead once events (POST /v1/events) have said what became of their object: a "
          "kind of the brand, `page`, `same` (for replaced: the same of the new object), or a "
          "template; default: the preset's."),
    {.name = "confirm", .type = SCHEMA_BOOL, MEMBER(config_target, confirm), .fallback = "false",
     .help = "Whether a page with a button comes first, so that only who presses it gets to the "
             "target."},
    CHOICE("page", config_target, page, page_names, "none",
           "A page of ours in place of a URL: opt_out has a button by which a client opts out of "
           "tracking."),
    CHOICE("object", config_target, object, object_names, "invoice",
           "What its object is: invoice, or other for what events of invoices are not about."),
    CHOICE("tracking", config_target, tracking, target_tracking_names, "brand",
           "The same for this kind alone; brand: as the brand says."),
    CHOICE("until_known", config_target, until_known, until_known_names, "default",
           "What links do while a process has never heard what became of links and invoices: lead "
           "on (open), or ask to try again in a moment (closed, 503); default: login closed, "
           "others open."),
    INT("max_uses", config_target, max_uses, 0, 1000000, "0",
        "Clicks by people that each link is good for; then it answers with a page (410).  0: any "
        "number."),
    END,
};

static const struct schema_key expired_keys[] = {
    {.name = "renew", .type = SCHEMA_BOOL, MEMBER(config_expired, renew), .fallback = "false",
     .help = "Whether the page of an expired link offers to have a fresh one sent, which "
             "GET /v1/events then tells the billing system."},
    END,
};

static const struct schema_key brand_keys[] = {
    {.name = "name", .type = SCHEMA_TEXT, .required = true, MEMBER(config_brand, name), .max = 63,
     .check = config_check_brand_name,
     .help = "Name of the brand; it is sealed into every link, so it can't be changed later."},
    {.name = "hosts", .type = SCHEMA_TEXTS, .required = true, MEMBER(config_brand, hosts),
     .count_offset = offsetof(struct config_brand, n_hosts), .min = 1, .max = 64,
     .check = config_check_host, .help = "Host names that links of the brand have, without port."},
    TEXT("base_url", config_brand, base_url, 255, NULL, config_check_base_url,
         "What minted links start with; default: https:// and the first host."),
    {.name = "preset", .type = SCHEMA_NAME_OR_PATH, MEMBER(config_brand, preset), .max = 1024,
     .fallback = "none",
     .help =
         "Templates of a billing system: whmcs, fossbilling, paymenter, invoiceninja, blesta, "
         "hostbill, clientexec, stripe, none, or the path (with a '/') of a file of your own."},
    TEXT("billing_url", config_brand, billing_url, 1024, NULL, config_check_folder_url,
         "Where the billing system lives; may have a folder."),
    TEXT("home", config_brand, home, 1024, NULL, config_check_url,
         "Where / leads; default: a small page."),
    {.name = "utm", .type = SCHEMA_BOOL, MEMBER(config_brand, utm), .fallback = "false",
     .help = "Whether targets append utm_… unless they say otherwise."},
    CHOICE("revoked", config_brand, revoked, revoked_names, "unknown",
           "How a revoked link answers: as an unknown one (404), or with a page that says so "
           "(410)."),
    GROUP("expired", config_brand, expired, expired_keys, "What expired links offer."),
    CHOICE("tracking", config_brand, tracking, tracking_names, "full",
           "What clicks are counted by: full; aggregate for sums of campaigns only, never by link, "
           "object or client; off for nothing: minting gives the billing system's own URL."),
    TEXT("logo_text", config_brand, logo_text, 60, NULL, NULL,
         "How pages call the brand; default: its name."),
    TEXT("color", config_brand, color, 7, "#1d4ed8", config_check_color,
         "Colour of the button and the line on pages, '#rrggbb'."),
    TEXT("language", config_brand, language, 16, "en", config_check_language,
         "Language of pages for a browser that asks for none of those that there are texts in."),
    PATH("texts", config_brand, texts, NULL,
         "Folder of files such as de.yaml: what pages say, line by line over the texts that are "
         "built in (en, de, fr, es, pt, it, nl, pl), or whole in another language."),
    TEXT("mail_domain", config_brand, mail_domain, 253, NULL, config_check_host,
         "Domain that mails with the links come from (From:), for hopcount doctor."),
    TEXT("support", config_brand, support, 200, NULL, NULL,
         "How to reach you, shown on pages: a mail address, an https URL or any text."),
    LIST("targets", config_brand, targets, n_targets, config_target, 0, 15, target_keys,
         "Own kinds, and overrides of the preset's."),
    END,
};

static const struct schema_key sink_option_keys[] = {
    TEXT("NAME", config_sink_option, name, 100, NULL, NULL, "Name of the option."),
    TEXT("value", config_sink_option, value, 1000, NULL, NULL,
         "kafka: an option of librdkafka such as security.protocol."),
    END,
};

static const struct schema_key sink_keys[] = {
    {.name = "name", .type = SCHEMA_TEXT, .required = true, MEMBER(config_sink, name), .max = 31,
     .check = config_check_kind_name,
     .help = "Name of the sink; its cursors are kept under it."},
    {.name = "type", .type = SCHEMA_CHOICE, .required = true, MEMBER(config_sink, type),
     .choices = config_sink_types, .help = "What it is."},
    TEXTS("types", config_sink, types, n_types, 0, 20, NULL, NULL,
          "Only these records: click, relabel, omitted, or events such as invoice.paid; default: "
          "all.  client.erased always comes, but not to a preset."),
    TEXTS("labels", config_sink, labels, n_labels, 0, 5, NULL, NULL,
          "Only clicks with these labels."),
    TEXTS("brands", config_sink, brands, n_brands, 0, 4096, NULL, NULL, "Only these brands."),
    TEXTS("kinds", config_sink, kinds, n_kinds, 0, 64, NULL, NULL, "Only links of these kinds."),
    CHOICE("fields", config_sink, fields, sink_fields_names, "all",
           "Link, object and client: as they are, hashed with a key, or left out."),
    PATH("hash_key_file", config_sink, hash_key_file, NULL,
         "File with the key for fields: hashed, a line of 16 characters or more; every process "
         "needs the same."),
    PATH_AT_USE("path", config_sink, path, NULL, "file: folder that the files are put into."),
    CHOICE("format", config_sink, format, sink_format_names, "jsonl",
           "file: a JSON object or CSV, a record a line."),
    {.name = "compress", .type = SCHEMA_BOOL, MEMBER(config_sink, compress), .fallback = "false",
     .help = "file: with zstd."},
    INT("rotate_s", config_sink, rotate_s, 1, 86400, NULL,
        "file: seconds that a record may wait for its file; default: 3600."),
    INT("rotate_records", config_sink, rotate_records, 1, 100000000, NULL,
        "file: most records in a file; default: 1000000."),
    TEXT("url", config_sink, url, 2048, NULL, NULL,
         "webhook: where to POST to; clickhouse: its HTTP port, http://host:8123."),
    CHOICE("preset", config_sink, preset, sink_preset_names, "none",
           "webhook: clicks of people and payments in the words of Google Analytics 4 or Matomo; "
           "none: records as they are, by Standard Webhooks."),
    TEXT("measurement_id", config_sink, measurement_id, 32, NULL, NULL,
         "preset ga4: the data stream, G-XXXXXXXXXX."),
    INT("site_id", config_sink, site_id, 1, 1000000000, NULL, "preset matomo: number of the site."),
    PATH("token_file", config_sink, token_file, NULL,
         "preset ga4: file with the API secret of the data stream; matomo: with a token_auth."),
    PATH("secret_file", config_sink, secret_file, NULL,
         "webhook: file with a line whsec_… that signs, and maybe a second one, the secret before; "
         "without it nothing is signed."),
    PATH_AT_USE("tls_ca", config_sink, tls_ca, NULL,
         "webhook, clickhouse: PEM file of the authorities that vouch for the host; default: those "
         "of the system."),
    {.name = "allow_private", .type = SCHEMA_BOOL, MEMBER(config_sink, allow_private),
     .fallback = "false",
     .help = "webhook: whether the host may have an address of this machine or a private network."},
    INT("timeout_ms", config_sink, timeout_ms, 100, 300000, "15000",
        "webhook, clickhouse, kafka: longest that a request may take."),
    INT("batch_max", config_sink, batch_max, 1, 1000000, NULL,
        "Most records at a time.  webhook: 500, by default too; 1: an event by itself, without a "
        "list.  clickhouse: default 100000.  kafka: default 50000.  stream: 1000."),
    INT("flush_ms", config_sink, flush_ms, 1, 3600000, NULL,
        "webhook, clickhouse, kafka, stream: how long records may wait for more of them; default: "
        "1000, 2000, 500, 200."),
    INT("hold_s", config_sink, hold_s, 0, 3600, "90",
        "webhook: how long a person's click waits, so that mail gateways are told from people; 0: "
        "it doesn't."),
    INT("give_up_s", config_sink, give_up_s, 1, 2592000, "86400",
        "webhook: how long a request is repeated; then its records are listed as failed."),
    TEXT("table", config_sink, table, 200, NULL, NULL,
         "clickhouse: the table, as deploy/clickhouse/schema.sql makes it: database.table."),
    TEXT("username", config_sink, username, 128, NULL, NULL, "clickhouse, kafka (SASL): the user."),
    PATH("password_file", config_sink, password_file, NULL,
         "clickhouse, kafka (SASL): file whose first line is the password."),
    TEXT("brokers", config_sink, brokers, 1024, NULL, NULL, "kafka: host:port, with commas."),
    TEXT("topic", config_sink, topic, 249, NULL, NULL,
         "kafka: the topic, which must be there or be made by the broker."),
    {.name = "options", .type = SCHEMA_MAP, .offset = offsetof(struct config_sink, options),
     .size = sizeof(struct config_sink_option),
     .count_offset = offsetof(struct config_sink, n_options), .min = 0, .max = 64,
     .keys = sink_option_keys, .help = "kafka: options of librdkafka, security.protocol: ssl."},
    INT("message_records", config_sink, message_records, 1, 500, "1",
        "kafka: most records in a message, a line of JSON each.  Several cost a fraction of the "
        "processor's time, here and at the broker."),
    INT("max_len", config_sink, max_len, 1000, 1000000000, "1000000",
        "stream: entries that it keeps, about; the oldest go."),
    END,
};

static const struct schema_key smtp_keys[] = {
    TEXT("url", config_smtp, url, 255, NULL, config_check_smtp_url,
         "smtp://host:587, or smtps://host where TLS comes first."),
    TEXT("from", config_smtp, from, 255, NULL, config_check_mail_from,
         "Sender: an address, or a name and <address>."),
    TEXT("username", config_smtp, username, 128, NULL, NULL, "Who signs in there."),
    PATH("password_file", config_smtp, password_file, NULL,
         "File whose first line is the password."),
    CHOICE("tls", config_smtp, tls, smtp_tls_names, "required",
           "Of an smtp:// URL.  required: a mail goes out only after STARTTLS; none: it goes out "
           "unencrypted, and no password may be set."),
    PATH_AT_USE("tls_ca", config_smtp, tls_ca, NULL,
         "PEM file of the authorities that vouch for the server; default: those of the system."),
    INT("timeout_ms", config_smtp, timeout_ms, 1000, 300000, "60000",
        "Longest that sending a mail may take, or a message to a chat."),
    END,
};

static const struct schema_key report_keys[] = {
    {.name = "name", .type = SCHEMA_TEXT, .required = true, MEMBER(config_report, name), .max = 31,
     .check = config_check_kind_name,
     .help = "Name of the report; what was sent of it is kept under it."},
    {.name = "brand", .type = SCHEMA_TEXT, .required = true, MEMBER(config_report, brand),
     .max = 63, .help = "The brand that it is about."},
    CHOICE("every", config_report, every, every_names, "week", "A week, from Monday, or a month."),
    TEXT("tz", config_report, tz, 64, "UTC", NULL,
         "Time zone of its days and of at_hour, as Europe/Berlin."),
    INT("at_hour", config_report, at_hour, 1, 23, "7",
        "Hour of the first day after the week or month at which it goes out."),
    CHOICE("language", config_report, language, report_language_names, "en",
           "What it is written in."),
    TEXTS("to", config_report, to, n_to, 0, 16, NULL, config_check_mail_address,
          "Mail addresses; each gets a mail of its own."),
    CHOICE("webhook", config_report, webhook, report_webhook_names, "none",
           "A chat that gets it: an incoming webhook of slack, or a workflow of teams."),
    PATH("webhook_file", config_report, webhook_file, NULL,
         "File whose first line is the URL of the chat's webhook, which is a secret."),
    {.name = "allow_private", .type = SCHEMA_BOOL, MEMBER(config_report, allow_private),
     .fallback = "false",
     .help = "Whether the webhook's host may have an address of this machine or a private "
             "network."},
    END,
};

static const struct schema_key log_keys[] = {
    CHOICE("format", config_log, format, log_format_names, "text",
           "text: level=warn at=redis.down retry_ms=400; json: an object per line, with the time."),
    INT("access_sample", config_log, access_sample, 0, 1000000, "0",
        "One request of so many gets a line with the link's id and the caller's trace, never with "
        "a token or an address; 0: none, 1: each."),
    INT("access_per_s", config_log, access_per_s, 1, 10000, "100",
        "Most lines of requests per second; the others are dropped and counted."),
    END,
};

const struct schema_key config_schema[] = {
    GROUP("public", config, public, public_keys, "The public port."),
    GROUP("admin", config, admin, admin_keys, "The admin address."),
    PATH_AT_USE("state_dir", config, state_dir, "/var/lib/hopcount",
         "Folder of the click logs and the private Redis; made if absent.  It is no link, "
         "belongs to the user of the service, and nobody else may write to it."),
    GROUP("redis", config, redis, redis_keys, "Where counters are kept."),
    GROUP("ledger", config, ledger, ledger_keys, "The click log."),
    GROUP("retention", config, retention, retention_keys, "How long counters are kept."),
    GROUP("conversions", config, conversions, conversions_keys,
          "Which payments are credited to clicks."),
    GROUP("checks", config, checks, checks_keys,
          "Whether the pages that links lead to still answer."),
    {.name = "keys", .type = SCHEMA_PATH, .required = true, .at_reload = true,
     MEMBER(config, keys), .max = 1024,
     .help = "File of token keys, made by hopcount keygen --add FILE."},
    GROUP("geo", config, geo, geo_keys, "Where countries come from."),
    GROUP("labels", config, labels, labels_keys, "When a click is a mail gateway's."),
    CHOICE("reload", config, reload, reload_names, "signal",
           "When a changed configuration, or a file that it names, is loaded: at SIGHUP, or also "
           "by itself when it has changed, within seconds."),
    CHOICE("log_level", config, log_level, log_level_names, "info", "What is logged."),
    GROUP("log", config, log, log_keys, "What log lines look like, and which requests get one."),
    {.name = "brands", .type = SCHEMA_LIST, .required = true, .at_reload = true,
     .offset = offsetof(struct config, brands), .size = sizeof(struct config_brand),
     .count_offset = offsetof(struct config, n_brands), .min = 1, .max = 4096, .keys = brand_keys,
     .help = "At least one brand, with name and hosts."},
    LIST("sinks", config, sinks, n_sinks, config_sink, 0, CONFIG_SINKS_MAX, sink_keys,
         "Where the records of the click log go besides Redis."),
    GROUP("smtp", config, smtp, smtp_keys, "The server that takes the mails of reports."),
    LIST("reports", config, reports, n_reports, config_report, 0, CONFIG_REPORTS_MAX, report_keys,
         "Figures of a week or month that go out by mail, or to a chat."),
    END,
};
