/* inspect: opens links and says what they hold and where they lead. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "proto/click.h"
#include "proto/rfc3339.h"
#include "proto/token.h"
#include "proto/unwrap.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/cli/api.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/cli/local_time.h"
#include "service/config/config.h"
#include "service/config/site.h"

enum {
    INSPECT_CONFIG,
    INSPECT_BRAND,
    INSPECT_JSON,
    INSPECT_EXPLAIN,
    INSPECT_URL,
    INSPECT_KEY_FILE,
    INSPECT_KEY,
};

enum { PATH_LEN_MAX = 512, FAULT_MAX = 384 };

static const struct cli_option options[] = {
    [INSPECT_CONFIG] = CONFIG_OPTION,
    [INSPECT_BRAND] = {"brand", "NAME", "of tokens without a host (each is tried)", CLI_BRANDS, 0},
    [INSPECT_JSON] = {"json", NULL, "a JSON object per link and line", NULL, 0},
    [INSPECT_EXPLAIN] = {"explain", NULL, "say why a click would lead there now", NULL, 0},
    [INSPECT_URL] = {"url", "URL", "with --explain: ask there (the configuration's admin address)",
                     NULL, 0},
    [INSPECT_KEY_FILE] = API_KEY_FILE_OPTION,
    [INSPECT_KEY] = API_KEY_OPTION,
};

/* --explain. */
struct explaining {
    bool asks; /* the service; else the configuration alone is known */
    struct api api;
};

/* A link that was opened, or why it wasn't. */
struct finding {
    const char *url;            /* as given */
    struct unwrapped unwrapped; /* what is inside */
    struct slice host, text;
    const struct brand *brand;
    struct token token;
    char canonical[TOKEN_TEXT_MAX + 1];
    enum brand_leads leads;           /* as far as the configuration alone says */
    char target[SITE_TARGET_MAX + 1]; /* "" = nowhere, or to a page */
    bool is_open, is_expired;
    char fault[FAULT_MAX];
    const struct explaining *explaining; /* NULL = nobody asked */
    json_t *told;                        /* by the service; NULL = it was not asked */
};

static bool open_as(const struct site *site, const struct brand *brand, struct finding *f)
{
    if (site_open_token(site, brand, f->text, &f->token) != TOKEN_OK)
        return false;
    f->brand = brand;
    return true;
}

static bool open_as_any(const struct site *site, struct finding *f)
{
    for (unsigned i = 0; i < site_n_brands(site); i++) {
        if (open_as(site, site_brand_at(site, i), f))
            return true;
    }
    return false;
}

/* Why the token opens for no brand; its kid is not secret, so the reasons can be told apart. */
static void explain(const struct site *site, struct finding *f)
{
    enum token_status status = TOKEN_FORGED;
    const char *why = "";
    struct token token;

    /* For all brands but its own, a good token is a forged one. */
    for (unsigned i = 0; i < site_n_brands(site) && status == TOKEN_FORGED; i++)
        status = token_open(site_keys(site), site_brand_at(site, i)->name, f->text, &token);
    switch (status) {
    case TOKEN_OK:
        why = "its key is not for the brand that it was made for; the key file lists the brands "
              "of a key";
        break;
    case TOKEN_FORGED:
        why = "the tag is wrong: it was changed on its way, or made with another key or for "
              "another brand";
        break;
    case TOKEN_MALFORMED:
        why = "this is not the text of a token";
        break;
    case TOKEN_UNKNOWN_KEY:
        why = "its key is not in the key file, or revoked";
        break;
    }
    snprintf(f->fault, sizeof(f->fault), "%s", why);
}

/* Opens for the brand of the host; else finds out for which it would. */
static void open_link(const struct site *site, const struct brand *wanted, int64_t now_s,
                      struct finding *f)
{
    const struct brand *brand = f->host.len > 0 ? site_find_host(site, f->host) : wanted;

    if (brand)
        f->is_open = open_as(site, brand, f);
    else if (f->host.len == 0)
        f->is_open = open_as_any(site, f);
    if (!f->is_open) {
        if (open_as_any(site, f))
            snprintf(f->fault, sizeof(f->fault),
                     "it is a link of brand '%.*s', which has another host",
                     SLICE_ARG(f->brand->name));
        else
            explain(site, f);
        f->brand = NULL;
        return;
    }
    f->is_expired = token_is_expired(&f->token, now_s);
}

static void inspect(const struct site *site, const struct brand *wanted, int64_t now_s,
                    struct finding *f)
{
    static const struct target_facts facts = {.device = CLICK_DEVICE_OTHER};
    const char *scheme, *start, *slash;

    if (!unwrap_all(slice_of(f->url), &f->unwrapped)) {
        snprintf(f->fault, sizeof(f->fault), "%s", f->unwrapped.why);
        return;
    }
    scheme = strstr(f->unwrapped.n > 0 ? f->unwrapped.url : f->url, "://");
    start = scheme ? scheme + 3 : f->url;
    slash = strchr(start, '/');
    /* "https://host/text?query", "host/text" or "text". */
    f->host = slash ? slice_make(start, (size_t)(slash - start)) : (struct slice){0};
    start = slash ? slash + 1 : start;
    f->text = slice_make(start, strcspn(start, "?#"));
    open_link(site, wanted, now_s, f);
    if (f->is_open) {
        size_t len = 0;

        f->leads = brand_lead(f->brand, &f->token, &facts, f->target, &len);
        f->target[len] = '\0';
        (void)token_text(&f->token, f->canonical);
    }
}

/* --- what the service knows --- */

/* Asks for the link's state, and where it leads by that.  False: told on stderr. */
static bool ask_service(struct finding *f)
{
    char path[PATH_LEN_MAX];
    const struct api_request request = {
        .path = path, .purpose = "look links up", .scope = "stats:read"};
    const char *target;

    snprintf(path, sizeof(path), "/v1/links/%s?brand=%.*s", f->canonical,
             SLICE_ARG(f->brand->name));
    f->told = api_ask_json(&f->explaining->api, &request);
    if (!f->told)
        return false;
    target = json_string_value(json_object_get(f->told, "target"));
    snprintf(f->target, sizeof(f->target), "%s", target ? target : "");
    return true;
}

/* Without the service, which alone knows states. */
static const char *why_by_configuration(const struct finding *f)
{
    if (f->is_expired)
        return "it has expired; no state is known: the service was not asked";
    if (f->target[0])
        return "the configuration says so for its kind; no state is known: the service was not "
               "asked (--key-file)";
    return "the brand has no target for its kind, or it needs an argument that the link lacks";
}

static const char *yes_or_no(const struct finding *f, const char *name)
{
    return json_is_true(json_object_get(f->told, name)) ? "yes" : "no";
}

static void print_why(const struct finding *f)
{
    const char *state = json_string_value(json_object_get(f->told, "state"));
    const char *why = json_string_value(json_object_get(f->told, "why"));

    if (!f->told) {
        printf("  why        %s\n", why_by_configuration(f));
        return;
    }
    printf("  why        %s\n", why ? why : "the service does not say");
    printf("  state      %s\n", state ? state : "nothing was said");
    printf("  revoked    %s\n", yes_or_no(f, "revoked"));
    if (json_is_integer(json_object_get(f->told, "max_uses")))
        printf("  used       %lld of %lld times\n",
               json_integer_value(json_object_get(f->told, "uses")),
               json_integer_value(json_object_get(f->told, "max_uses")));
    printf("  opted out  %s\n", yes_or_no(f, "opted_out"));
}

/* --- for people --- */

static void print_span(int64_t span_s)
{
    static const struct {
        int64_t s;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t i = 0;

    while (i < 3 && span_s < 2 * units[i].s)
        i++;
    printf("%" PRId64 " %s%s", span_s / units[i].s, units[i].name,
           span_s / units[i].s == 1 ? "" : "s");
}

static void print_expiry(const struct finding *f, int64_t now_s)
{
    int64_t expires_s = token_expires_s(&f->token);
    char text[RFC3339_TEXT_MAX];

    fputs("  expires    ", stdout);
    if (expires_s == INT64_MAX) {
        puts("never");
        return;
    }
    fputs(local_time_format(expires_s, text), stdout);
    fputs(f->is_expired ? ", EXPIRED " : ", in ", stdout);
    print_span(f->is_expired ? now_s - expires_s : expires_s - now_s);
    puts(f->is_expired ? " ago" : "");
}

static void print_finding(const struct finding *f, const struct site *site, int64_t now_s)
{
    const struct token *t = &f->token;
    const char *kind = brand_kind_name(f->brand, t->kind);
    char text[RFC3339_TEXT_MAX];

    printf("%s\n", f->url);
    for (unsigned i = 0; i < f->unwrapped.n; i++)
        printf("  wrapped    by %s\n", f->unwrapped.by[i]);
    if (f->unwrapped.n > 0)
        printf("  unwrapped  %s\n", f->unwrapped.url);
    printf("  leads to   %s\n", f->target[0] ? f->target
                                : f->told || f->leads == BRAND_LEADS_TO_OPT_OUT
                                    ? "a page of the service"
                                    : "nowhere: a 404");
    if (f->explaining)
        print_why(f);
    print_expiry(f, now_s);
    printf("  brand      %.*s\n", SLICE_ARG(f->brand->name));
    printf("  kind       %s (%u)\n", kind ? kind : "not in the configuration", t->kind);
    printf("  object     %u\n", t->object);
    if (t->client != 0)
        printf("  client     %u\n", t->client);
    if (t->campaign != 0)
        printf("  campaign   %u\n", t->campaign);
    printf("  issued     %s\n", local_time_format(token_issued_s(t), text));
    printf("  channel    %s\n", token_channel_name(t->channel));
    if (t->variant != 0)
        printf("  variant    %c\n", 'A' + t->variant - 1);
    if (t->arg_len > 0)
        printf("  argument   %.*s\n", t->arg_len, t->arg);
    if (t->silent)
        puts("  silent     its clicks are not counted");
    if (f->leads == BRAND_LEADS_TO_BUTTON && !t->once)
        puts("  button     a page with a button comes first");
    if (f->leads == BRAND_LEADS_TO_OPT_OUT)
        puts("  button     opts the client out of tracking");
    if (t->once)
        puts("  once       a page with a button comes first, and one press uses it up");
    printf("  link id    %016" PRIx64 "\n", t->link_id);
    printf("  key        %u%s\n", t->kid,
           site_keys(site)->state[t->kid] == TOKEN_KEY_MINT ? ", which mints" : "");
}

/* --- for programs --- */

static json_t *finding_json(const struct finding *f)
{
    const struct token *t = &f->token;
    int64_t expires_s = token_expires_s(t);
    char id[17], issued[RFC3339_TEXT_MAX], expires[RFC3339_TEXT_MAX] = "", variant[2] = {0};

    if (!f->is_open)
        return json_pack("{ss sb ss}", "url", f->url, "valid", 0, "error", f->fault);
    snprintf(id, sizeof(id), "%016" PRIx64, t->link_id);
    variant[0] = (char)(t->variant ? 'A' + t->variant - 1 : 0);
    rfc3339_format(token_issued_s(t), 0, issued);
    if (expires_s != INT64_MAX)
        rfc3339_format(expires_s, 0, expires);
    return json_pack("{ss sb sb ss ss ss% ss? si sI sI si ss ss ss? ss? ss ss? so sb sb si}", "url",
                     f->url, "valid", !f->is_expired, "expired", (int)f->is_expired, "id", id,
                     "token", f->canonical, "brand", f->brand->name.ptr, f->brand->name.len, "kind",
                     brand_kind_name(f->brand, t->kind), "kind_number", (int)t->kind, "object",
                     (json_int_t)t->object, "client", (json_int_t)t->client, "campaign",
                     (int)t->campaign, "ttl", token_ttl_name(t->ttl_code), "issued_at", issued,
                     "expires_at", expires[0] ? expires : NULL, "target",
                     f->target[0] ? f->target : NULL, "channel", token_channel_name(t->channel),
                     "variant", t->variant ? variant : NULL, "arg",
                     t->arg_len ? json_stringn(t->arg, t->arg_len) : json_null(), "silent",
                     (int)t->silent, "once", (int)t->once, "key", (int)t->kid);
}

/* The service's words, or that it wasn't asked. */
static void add_why(const struct finding *f, json_t *json)
{
    static const char *const names[] = {"state",     "replaced_by", "revoked",  "used_up",
                                        "opted_out", "uses",        "max_uses", "why"};

    for (size_t i = 0; f->told && i < sizeof(names) / sizeof(names[0]); i++) {
        json_t *value = json_object_get(f->told, names[i]);

        json_object_set_new(json, names[i], value ? json_incref(value) : json_null());
    }
    if (!f->told)
        json_object_set_new(json, "why", json_string(why_by_configuration(f)));
}

static void add_wraps(const struct finding *f, json_t *json)
{
    json_t *by = json_array();

    for (unsigned i = 0; i < f->unwrapped.n; i++)
        json_array_append_new(by, json_string(f->unwrapped.by[i]));
    json_object_set_new(json, "wrapped_by", by);
    json_object_set_new(json, "unwrapped", json_string(f->unwrapped.url));
}

static bool print_json(const struct finding *f)
{
    json_t *json = finding_json(f);
    bool ok;

    if (json && f->unwrapped.n > 0)
        add_wraps(f, json);

    if (json && f->explaining && f->is_open)
        add_why(f, json);
    ok = json && json_dumpf(json, stdout, 0) == 0;

    putchar('\n');
    json_decref(json);
    return ok;
}

/* What all links of a command line have in common. */
struct inspection {
    const struct site *site;
    const struct brand *wanted; /* of tokens without a host; NULL = any */
    const struct explaining *explaining;
    int64_t now_s;
    bool as_json;
};

static int inspect_one(const struct inspection *in, const char *url)
{
    struct finding f = {.url = url, .explaining = in->explaining};
    char quoted[LOG_QUOTE_MAX];
    int status = CLI_OK;

    inspect(in->site, in->wanted, in->now_s, &f);
    if (f.is_open && in->explaining && in->explaining->asks && !ask_service(&f))
        return CLI_FAILED;
    if (in->as_json && !print_json(&f))
        status = cli_fail("%s is not UTF-8", log_quote(quoted, url));
    else if (!in->as_json && f.is_open)
        print_finding(&f, in->site, in->now_s);
    else if (!in->as_json)
        cli_fail("%s: %s", log_quote(quoted, url), f.fault);
    json_decref(f.told);
    return f.is_open ? status : CLI_FAILED;
}

/* Without the blanks at its ends, which come along when a link is copied. */
static char *trim(char *text)
{
    static const char blanks[] = " \t\r\n\v\f";
    size_t len;

    text += strspn(text, blanks);
    len = strlen(text);
    while (len > 0 && strchr(blanks, text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

/* A link per line of the input; blank lines are passed over. */
static int inspect_input(const struct inspection *in)
{
    char *line = NULL;
    size_t size = 0;
    int status = CLI_OK;

    while (getline(&line, &size, stdin) >= 0) {
        const char *url = trim(line);

        if (*url && inspect_one(in, url) != CLI_OK)
            status = CLI_FAILED;
    }
    free(line);
    if (ferror(stdin))
        status = cli_fail("cannot read the input: %s", strerror(errno));
    return status;
}

static int inspect_all(const struct inspection *in, const struct cli_args *args)
{
    int status = CLI_OK;

    for (int i = 0; i < args->n_words; i++) {
        char *url = trim(args->words[i]);

        if ((strcmp(url, "-") == 0 ? inspect_input(in) : inspect_one(in, url)) != CLI_OK)
            status = CLI_FAILED;
    }
    return status;
}

static int run_inspect(const struct cli_args *args)
{
    const char *name = args->value[INSPECT_BRAND];
    const char *path = args->value[INSPECT_CONFIG];
    const struct api_options where = {.url = args->value[INSPECT_URL],
                                      .config = path ? path : CONFIG_OPTION_DEFAULT,
                                      .key_file = args->value[INSPECT_KEY_FILE],
                                      .key = args->value[INSPECT_KEY]};
    bool explains = args->value[INSPECT_EXPLAIN] != NULL;
    const struct brand *wanted = NULL;
    struct explaining explaining;
    struct config *config = NULL;
    struct error err = {0};
    struct site *site;
    int status;

    if (args->n_words == 0)
        return cli_usage(&cli_inspect, "which URL?");
    /* The service is asked when the command line names it, or a key for it. */
    explaining.asks = where.url || where.key_file || where.key;
    if (!explains && explaining.asks)
        return cli_usage(&cli_inspect, "--url, --key-file and --key are for --explain");
    if (!(site = config_option_load(args->value[INSPECT_CONFIG], &config, &err)))
        return cli_fail_error(&err);
    if (explaining.asks && !api_find(&where, &explaining.api, &err))
        status = cli_fail_error(&err);
    else if (name && !(wanted = site_find_brand(site, slice_of(name))))
        status = cli_fail("--brand: the configuration has no brand '%s'", name);
    else
        status = inspect_all(&(struct inspection){.site = site,
                                                  .wanted = wanted,
                                                  .explaining = explains ? &explaining : NULL,
                                                  .now_s = clock_wall_ms() / 1000,
                                                  .as_json = args->value[INSPECT_JSON] != NULL},
                             args);
    site_unref(site);
    config_free(config);
    return status;
}

const struct cli_command cli_inspect = {
    .name = "inspect",
    .usage = "-c FILE [--explain [--key-file FILE] [--url URL]] URL… | -",
    .summary = "opens links: what they hold, where they lead, when they expire",
    .notes =
        "URL is a link or the token alone; - reads them from the input, one a line. The exit\n"
        "code is 1 when one of them doesn't open; an expired link opens.\n"
        "\n"
        "What Safe Links, URL Defense, Barracuda, Cisco and search engines have wrapped around a\n"
        "link is taken off, and said. Of a link that Mimecast has wrapped only Mimecast knows "
        "what\n"
        "is inside.\n"
        "\n"
        "--explain says why a click would lead where it leads. What became of the invoice, and\n"
        "whether the link is revoked, only the service knows: it is asked when --url, --key-file\n"
        "or --key is given. The key may also stand in the variable " API_KEY_VARIABLE ".\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_inspect,
};
