/* micro.c - one step of a click's road, many times: `micro CASE N`, for callgrind.
 *
 * bench/micro counts the instructions of N and of 2 N and takes the difference, so that setting up
 * costs nothing.  Inputs vary over a few hundred values, as they do in life: a constant one would
 * flatter caches and branch prediction, and the counts would hide a data-dependent path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "proto/click.h"
#include "proto/http1.h"
#include "proto/template.h"
#include "proto/token.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/gateway/gateway.h"
#include "service/label/known.h"
#include "service/label/label.h"
#include "service/label/salt.h"
#include "service/ledger/fold.h"
#include "service/public/answer.h"
#include "service/public/loop_clock.h"
#include "service/public/reply.h"
#include "service/state/state_table.h"

enum { VARIETY = 256 };

static const char brand[] = "acme";

/* What the cases work on; each fills what it needs. */
struct fixture {
    struct token_keyring *ring;
    bool is_silent; /* the tokens: they redirect and are not counted */
    struct token tokens[VARIETY];
    char texts[VARIETY][TOKEN_TEXT_MAX + 1];
    size_t text_lens[VARIETY];
    char heads[VARIETY][1024];
    size_t head_lens[VARIETY];
    struct template pay;
    struct labeler *labeler;
    struct labeler_counters agents;
    struct salt salt;
    struct config *config;
    struct answerer *answerer;
    struct worker_counters counters;
    struct loop_clock clock;
    char reply[REPLY_MAX];
    struct http1_request requests[VARIETY]; /* slices of heads */
    struct click clicks[VARIETY];
    struct fold *fold;
    struct gateway *gateway;
    uint64_t n_clicks;
    uint64_t sum; /* keeps the compiler from dropping the work */
};

static void setup_tokens(struct fixture *f)
{
    uint8_t key[TOKEN_KEY_LEN];

    for (int i = 0; i < TOKEN_KEY_LEN; i++)
        key[i] = (uint8_t)i;
    f->ring = sodium_malloc(sizeof(*f->ring));
    if (!f->ring)
        abort();
    token_keyring_init(f->ring);
    token_keyring_set(f->ring, 1, TOKEN_KEY_MINT, key);
    for (unsigned i = 0; i < VARIETY; i++) {
        struct token *t = &f->tokens[i];

        *t = (struct token){.kid = 1,
                            .kind = TOKEN_KIND_PAY,
                            .object = 1000000 + i * 7919,
                            .client = 2000 + i * 31,
                            .campaign = (uint16_t)(i % 12),
                            .ttl_code = 9,
                            .issued_min = 1500000 + i,
                            .channel = 1,
                            .silent = f->is_silent};
        if (token_seal(f->ring, slice_of(brand), t, f->texts[i], &f->text_lens[i]))
            abort();
    }
}

static void setup_heads(struct fixture *f)
{
    setup_tokens(f);
    for (unsigned i = 0; i < VARIETY; i++) {
        f->head_lens[i] = (size_t)snprintf(
            f->heads[i], sizeof(f->heads[i]),
            "GET /%s HTTP/1.1\r\nHost: go.acme.example\r\n"
            "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_%u like Mac OS X) "
            "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1\r\n"
            "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
            "Accept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n",
            f->texts[i], i);
    }
}

/* A click from 192.0.2.7. */
static struct label label_of(struct fixture *f, unsigned i, bool has_client, int64_t now_ms)
{
    const struct label_source source = {.request = &f->requests[i],
                                        .ip = {[10] = 0xff, 0xff, 192, 0, 2, 7},
                                        .has_client = has_client};

    return labeler_label(f->labeler, &source, now_ms);
}

static const struct label_rules *make_rules(struct fixture *f)
{
    const struct known_options nothing = {.n_asns = 0};
    struct error err;
    struct label_origin origin = {.salt = &f->salt, .known = known_new(&nothing, &err)};
    struct label_rules *rules = label_rules_new(NULL, &err);

    salt_init(&f->salt);
    salt_set(&f->salt, (const uint8_t[SALT_LEN]){7});
    if (!rules || !origin.known || !label_rules_set_origin(rules, &origin, &err))
        abort();
    return rules;
}

/* The agents are in the cache, as those of all but a few clicks are. */
static void setup_label(struct fixture *f)
{
    struct error err;

    setup_heads(f);
    f->labeler = labeler_new(make_rules(f), &f->agents, &err);
    if (!f->labeler)
        abort();
    for (unsigned i = 0; i < VARIETY; i++) {
        struct http1_scan scan = {0};
        struct http1_refusal refusal;

        if (http1_parse(slice_make(f->heads[i], f->head_lens[i]), &scan, &f->requests[i], &refusal))
            abort();
        /* One a second: so many new ones at a time are not looked at. */
        (void)label_of(f, i, true, i * INT64_C(1000));
    }
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, 0600) != 0)
        abort();
}

static struct site *load_site(struct fixture *f)
{
    char dir[] = "/tmp/hopcount-micro-XXXXXX", path[64];
    struct error err;
    struct site *site;

    if (!mkdtemp(dir))
        abort();
    write_file(dir, "keys",
               "1 mint 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
    write_file(dir, "hopcount.yaml",
               "keys: keys\nbrands:\n  - { name: acme, hosts: [go.acme.example], preset: whmcs, "
               "billing_url: 'https://billing.acme.example' }\n");
    snprintf(path, sizeof(path), "%s/hopcount.yaml", dir);
    site = site_load(path, &f->config, &err);
    if (!site)
        abort();
    unlink(path);
    snprintf(path, sizeof(path), "%s/keys", dir);
    unlink(path);
    rmdir(dir);
    return site;
}

/* All that a request takes in user space between recv and send, but for its click: the log's keeper
 * is a thread, whose work would be counted, too. */
static void setup_redirect(struct fixture *f)
{
    struct answerer_options options = {.counters = &f->counters, .clock = &f->clock};
    struct error err;
    struct site *site;

    f->is_silent = true;
    setup_heads(f);
    site = load_site(f);
    options.config = &f->config->public;
    options.label_rules = make_rules(f);
    options.states = state_table_new();
    f->answerer = answerer_new(&options, site, &err);
    if (!f->answerer)
        abort();
    f->clock.wall_ms = (TOKEN_EPOCH_S + INT64_C(1500000) * 60) * 1000;
}

static void setup_template(struct fixture *f)
{
    size_t position;

    setup_tokens(f);
    if (template_compile(
            &f->pay, slice_of("https://billing.acme.example/index.php?rp=/invoice/{object}/pay"),
            false, &position))
        abort();
}

static void run_token_open(struct fixture *f, unsigned i)
{
    struct token token;

    if (token_open(f->ring, slice_of(brand), slice_make(f->texts[i], f->text_lens[i]), &token))
        abort();
    f->sum += token.link_id;
}

/* What a stranger's link costs at most: all tries.  A brand that there is not makes it one. */
static void run_token_refuse(struct fixture *f, unsigned i)
{
    struct token token;

    if (token_open(f->ring, slice_of("nobody"), slice_make(f->texts[i], f->text_lens[i]), &token) !=
        TOKEN_FORGED)
        abort();
    f->sum++;
}

static void run_token_seal(struct fixture *f, unsigned i)
{
    char text[TOKEN_TEXT_MAX + 1];
    size_t len;

    if (token_seal(f->ring, slice_of(brand), &f->tokens[i], text, &len))
        abort();
    f->sum += (uint64_t)text[20] + len;
}

static void run_http1_parse(struct fixture *f, unsigned i)
{
    struct http1_scan scan = {0};
    struct http1_request request;
    struct http1_refusal refusal;

    if (http1_parse(slice_make(f->heads[i], f->head_lens[i]), &scan, &request, &refusal))
        abort();
    f->sum += request.head_len;
}

static void run_label(struct fixture *f, unsigned i)
{
    f->sum += label_of(f, i, true, VARIETY * INT64_C(1000)).network;
}

/* On a link that names no client. */
static void run_label_visitor(struct fixture *f, unsigned i)
{
    f->sum += label_of(f, i, false, VARIETY * INT64_C(1000)).visitor;
}

static void run_redirect(struct fixture *f, unsigned i)
{
    struct answer_source source = {.is_last = false};
    struct answer answer;

    f->clock.mono_ms += 4; /* 250 new agents a second: within the limit at first */
    memcpy(source.ip, (const uint8_t[IP_LEN]){[10] = 0xff, 0xff, 192, 0, 2, 7}, IP_LEN);
    if (!answer_next(f->answerer, slice_make(f->heads[i], f->head_lens[i]), &source, f->reply,
                     &answer) ||
        answer.then != ANSWER_KEEP || memcmp(f->reply, "HTTP/1.1 302 ", 13) != 0)
        abort();
    f->sum += answer.reply_len;
}

static void run_template_expand(struct fixture *f, unsigned i)
{
    char url[TEMPLATE_TEXT_MAX * 2];
    struct template_values values = {.object = f->tokens[i].object, .client = f->tokens[i].client};

    f->sum += template_expand(&f->pay, &values, url);
}

static void run_click_encode(struct fixture *f, unsigned i)
{
    static const uint8_t log_id[CLICK_LOG_ID_LEN] = {7};
    struct click click = {.link_id = f->sum,
                          .object = i,
                          .type = CLICK_TYPE_CLICK,
                          .kind = 2,
                          .time_ms = 1790000000000 + i,
                          .country = {'D', 'E'}};
    uint8_t record[CLICK_RECORD_LEN];

    click_encode(&click, i, log_id, record);
    f->sum += record[63];
}

/* Clicks of as many clients on as many links, of twelve campaigns. */
static void setup_clicks(struct fixture *f)
{
    const struct gateway_options options = {.links = 3,
                                            .links_ms = 10000,
                                            .networks = 3,
                                            .networks_ms = 60000,
                                            .weight_links = 100,
                                            .weight_networks = 100,
                                            .threshold = 100};

    for (unsigned i = 0; i < VARIETY; i++)
        f->clicks[i] = (struct click){.link_id = i * UINT64_C(0x9e3779b97f4a7c15),
                                      .time_ms = 1790000000000,
                                      .brand = 7,
                                      .object = 1000000 + i,
                                      .client = 2000 + i,
                                      .campaign = (uint16_t)(i % 12),
                                      .type = CLICK_TYPE_CLICK,
                                      .kind = 2,
                                      .network = 1,
                                      .country = {'D', 'E'}};
    f->fold = fold_new(VARIETY);
    f->gateway = gateway_new(&options);
    if (!f->fold || !f->gateway)
        abort();
}

/* A batch of VARIETY clicks, and its end. */
static void run_fold(struct fixture *f, unsigned i)
{
    if (!fold_add(f->fold, &f->clicks[i]))
        abort();
    f->sum += f->fold->n_items;
    if ((i + 1) % VARIETY == 0)
        fold_clear(f->fold, VARIETY);
}

/* Two seconds after the client's click before, on the same link. */
static void run_gateway(struct fixture *f, unsigned i)
{
    struct gateway_click found[GATEWAY_FOUND_MAX];
    struct gateway_click click = {.click = f->clicks[i], .number = f->n_clicks, .is_own = true};

    click.click.time_ms += (int64_t)(f->n_clicks++ / VARIETY) * 2000;
    f->sum += gateway_add(f->gateway, &click, found);
}

static void setup_nothing(struct fixture *f)
{
    (void)f;
}

static const struct {
    const char *name;
    void (*setup)(struct fixture *f);
    void (*run)(struct fixture *f, unsigned i);
} cases[] = {
    {"token_open", setup_tokens, run_token_open},
    {"token_refuse", setup_tokens, run_token_refuse},
    {"token_seal", setup_tokens, run_token_seal},
    {"http1_parse", setup_heads, run_http1_parse},
    {"label", setup_label, run_label},
    {"label_visitor", setup_label, run_label_visitor},
    {"redirect", setup_redirect, run_redirect},
    {"template_expand", setup_template, run_template_expand},
    {"click_encode", setup_nothing, run_click_encode}, /* clicklog_append() is little more */
    {"fold", setup_clicks, run_fold},
    {"gateway", setup_clicks, run_gateway},
};

int main(int argc, char **argv)
{
    static struct fixture fixture;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            puts(cases[i].name);
        return 0;
    }
    if (argc != 3 || sodium_init() < 0) {
        fputs("usage: micro CASE N | micro --list\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(cases[i].name, argv[1]) == 0) {
            unsigned long n = strtoul(argv[2], NULL, 10);

            cases[i].setup(&fixture);
            for (unsigned long k = 0; k < n; k++)
                cases[i].run(&fixture, (unsigned)(k % VARIETY));
            printf("%s %lu %llu\n", argv[1], n, (unsigned long long)fixture.sum);
            return 0;
        }
    }
    fprintf(stderr, "micro: no case '%s'; see micro --list\n", argv[1]);
    return 2;
}
