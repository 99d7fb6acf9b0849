/* public_fixture.h - a site, a click log and the connections of a worker, for tests of the public
 * port: sockets are socket pairs and the clock stands still until a test moves it. */
#ifndef TESTS_PUBLIC_FIXTURE_H
#define TESTS_PUBLIC_FIXTURE_H
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "files.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/label/label.h"
#include "service/public/answer.h"
#include "service/public/conns.h"
#include "service/public/counters.h"
#include "service/public/loop_clock.h"
#include "service/state/state_table.h"
#include "tests/unit/clicklog_fixture.h"

#define FIXTURE_NOW_S INT64_C(1795348800) /* 2026-11-22T12:00:00Z */
/* FORMATS.md's example: brand acme, pay, object 1234, issued at FIXTURE_NOW_S, valid 30 days. */
#define FIXTURE_LINK "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m"
#define FIXTURE_TARGET "https://billing.acme.example/index.php?rp=/invoice/1234/pay"

struct fixture {
    char *dir;
    struct config *config;
    struct site *site;
    struct clickstore *store;
    struct clicklog *log;
    struct state_table *states;
    struct label_rules *label_rules;
    struct event_base *base;
    int accepted_fd; /* the server's end of the last connection */
    struct worker_counters counters;
    struct loop_clock clock;
    struct answerer *answerer;
    struct conns *conns;
    uint16_t next_port;
};

/* `public` is the inside of the mapping of that name. */
static inline void fixture_load_site(struct fixture *f, const char *public)
{
    struct error err = {0};
    char path[256], text[2048];

    snprintf(path, sizeof(path), "%s/hopcount.yaml", f->dir);
    write_file_in(f->dir, "keys",
                  "1 mint 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
    snprintf(text, sizeof(text),
             "keys: keys\n"
             "public: { listen: '127.0.0.1:0', %s }\n"
             "brands:\n"
             "  - { name: acme, hosts: [go.acme.example], base_url: 'https://go.acme.example',\n"
             "      preset: whmcs, billing_url: 'https://billing.acme.example',\n"
             "      home: 'https://www.acme.example/' }\n"
             "  - { name: bolt, hosts: [go.bolt.example], base_url: 'https://go.bolt.example',\n"
             "      preset: whmcs, billing_url: 'https://billing.bolt.example' }\n",
             public);
    write_file_in(f->dir, "hopcount.yaml", text);
    f->site = site_load(path, &f->config, &err);
    if (!f->site)
        fail_msg("%s", err.text);
}

static inline struct fixture *fixture_new(const char *public)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_true(sodium_init() >= 0);
    f->dir = temp_dir_new();
    assert_non_null(f->dir);
    fixture_load_site(f, public);
    f->clock =
        (struct loop_clock){.wall_ms = FIXTURE_NOW_S * 1000, .mono_ms = 1000000, .is_read = true};
    f->next_port = 1024;
    return f;
}

/* With `sync_clicks` replies wait for the sync at the end of the turn. */
static inline void fixture_start(struct fixture *f, unsigned connections_max, bool sync_clicks)
{
    struct error err = {0};
    struct clickstore_options store_options = options_of(f->dir);
    struct answerer_options answerer_options;
    struct conns_options conns_options;

    store_options.durability = sync_clicks ? DURABILITY_CLICK : DURABILITY_PROCESS;
    f->store = open_store(&store_options);
    f->log = new_log(f->store);
    f->states = state_table_new();
    assert_non_null(f->states);
    f->base = event_base_new();
    f->label_rules = label_rules_new(NULL, &err);
    assert_non_null(f->label_rules);
    answerer_options = (struct answerer_options){.config = &f->config->public,
                                                 .log = f->log,
                                                 .states = f->states,
                                                 .label_rules = f->label_rules,
                                                 .counters = &f->counters,
                                                 .clock = &f->clock};
    f->answerer = answerer_new(&answerer_options, f->site, &err);
    conns_options = (struct conns_options){.base = f->base,
                                           .config = &f->config->public,
                                           .connections_max = connections_max,
                                           .answerer = f->answerer,
                                           .counters = &f->counters,
                                           .clock = &f->clock,
                                           .sync_log = sync_clicks ? f->log : NULL};
    f->conns = conns_new(&conns_options, &err);
    if (!f->base || !f->answerer || !f->conns)
        fail_msg("%s", err.text);
}

static inline void fixture_free(struct fixture *f)
{
    conns_free(f->conns);
    answerer_free(f->answerer);
    label_rules_free(f->label_rules);
    state_table_free(f->states);
    if (f->base)
        event_base_free(f->base);
    clickstore_close(f->store);
    site_unref(f->site);
    config_free(f->config);
    temp_dir_free(f->dir);
    free(f);
}

/* Accepts a connection from 192.0.2.1 that has sent `text` already; returns the client's end. */
static inline int fixture_connect(struct fixture *f, const char *text)
{
    struct sockaddr_in peer = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0xc0000201),
                               .sin_port = htons(f->next_port++)};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(write(ends[0], text, strlen(text)), (ssize_t)strlen(text));
    f->accepted_fd = ends[1];
    conns_accept(f->conns, ends[1], (const struct sockaddr *)&peer);
    return ends[0];
}

/* One turn of the loop. */
static inline void fixture_turn(struct fixture *f)
{
    event_base_loop(f->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    conns_flush(f->conns);
}

static inline void fixture_send(struct fixture *f, int client, const char *text)
{
    assert_int_equal(write(client, text, strlen(text)), (ssize_t)strlen(text));
    fixture_turn(f);
}

/* Time passes. */
static inline void fixture_wait(struct fixture *f, int64_t ms)
{
    f->clock.mono_ms += ms;
    f->clock.wall_ms += ms;
    conns_tick(f->conns);
}

/* What the client can read now, with a NUL: the number of bytes, 0 = end, -1 = nothing. */
static inline ssize_t fixture_read(int client, char *out, size_t size)
{
    ssize_t n = read(client, out, size - 1);

    out[n > 0 ? n : 0] = '\0';
    return n;
}

#endif
