/* The turns of the ledger against a server of the test's own, in virtual time: whatever happens to
 * any one command, each click is counted once. */
#include "tests/unit/clicklog_fixture.h"
#include "tests/unit/fake_redis.h"

enum {
    STEP_MS = 100,
    STEPS_MAX = 4000,
    CLICKS = 40,
    BATCH_MAX = 16,
    RANDOM_ROUNDS = 60,
    CLIENTS_MAX = 24
};

static int64_t now_ms;

struct bed {
    char *dir;
    struct clickstore *store;
    struct clicklog *log, *relabels;
    struct ledger ledger;
    uint64_t n_clicks;
    int64_t n_filled, n_filled_saved;
    bool is_person[CLIENTS_MAX]; /* clients who have clicked, and not only as a machine */
};

/* Whose clicks other processes have added: in the third table of the first four, as those of
 * click() are in the first. */
static const uint64_t filler = UINT64_C(2) << 54 | 0xf1;

static void start(struct bed *bed, unsigned n_shards)
{
    bed->ledger.store = bed->store;
    bed->ledger.options = (struct ledger_options){
        .n_shards = n_shards,
        .flush_ms = STEP_MS,
        .batch_max = BATCH_MAX,
        .retention_hours_s = 86400,
        .retention_days_s = 86400,
        .retention_client_hours_s = INT32_MAX,
    };
    assert_true(ledger_turn_init(&bed->ledger, now_ms));
}

static void bed_open(struct bed *bed, unsigned n_shards)
{
    struct clickstore_options options;
    struct error err = {0};

    now_ms = 1000000;
    memset(bed, 0, sizeof(*bed));
    memset(&server, 0, sizeof(server));
    bed->dir = temp_dir_new();
    assert_non_null(bed->dir);
    options = options_of(bed->dir);
    bed->store = open_store(&options);
    bed->log = new_log(bed->store);
    bed->relabels = clickstore_new_relabel_log(bed->store, &err);
    assert_non_null(bed->relabels);
    start(bed, n_shards);
}

static void bed_close(struct bed *bed)
{
    fake_redis_disconnect(&bed->ledger, now_ms);
    ledger_turn_clear(&bed->ledger);
    clickstore_close(bed->store);
    temp_dir_free(bed->dir);
    fake_redis_clear();
}

static void click(struct bed *bed, uint64_t n)
{
    append_range(bed->log, bed->n_clicks, bed->n_clicks + n);
    bed->n_clicks += n;
}

/* Adds clicks of a link to what was added to its tables: as many bytes or some more, so that the
 * ledger is to look when it adds the next.  Returns how many clicks. */
static int64_t fill_with(uint64_t link_id, unsigned n_shards, size_t more)
{
    enum { REPORTED = 4096 };
    uint8_t *records = malloc(more + REPORTED + TABLE_LINK_MAX);
    const struct table_link one = {.human = 1, .first_s = 1, .last_s = 1};
    struct counter_key key;
    struct fake_text name = {.ptr = key.text};
    size_t before, len = 0;

    counter_key_added(&key, COUNTER_LINKS, counter_bucket_of_link(link_id) / COUNTER_QUAD,
                      n_shards);
    name.len = key.len;
    before = fake_make(&name)->len;
    while (len < more || (before + len) % REPORTED != REPORTED - TABLE_RECORD_LEN)
        len += table_put_link(records + len, link_id, &one);
    fake_append(&name, records, len);
    free(records);
    return (int64_t)(len / TABLE_RECORD_LEN);
}

static int64_t fill(uint64_t link_id, unsigned n_shards)
{
    return fill_with(link_id, n_shards, 16384);
}

/* A turn, and the answers to all that it sent. */
static void step(struct bed *bed)
{
    now_ms += STEP_MS;
    if (server.epoch == 0)
        fake_redis_connect();
    ledger_turn(&bed->ledger, now_ms);
    while (fake_redis_answer(&bed->ledger, FAKE_WELL, now_ms))
        ;
}

static bool is_done(struct bed *bed)
{
    return server.n_queued == 0 && ledger_turn_is_drained(&bed->ledger);
}

static void drain(struct bed *bed)
{
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        step(bed);
        if (is_done(bed))
            return;
    }
    fail_msg("not drained after %d turns; cause \"%s\"", STEPS_MAX, bed->ledger.now.cause);
}

static void assert_each_once(struct bed *bed)
{
    for (uint64_t n = 0; n < bed->n_clicks; n++)
        assert_int_equal(fake_redis_count(n + 1), 1);
    ledger_turn_count(&bed->ledger);
    assert_int_equal(bed->ledger.now.applied, bed->n_clicks);
    assert_int_equal(bed->ledger.now.pending, 0);
}

/* --- without faults --- */

static void test_counts(void **state)
{
    const unsigned shards[] = {1, 4, 16};

    (void)state;
    for (size_t i = 0; i < sizeof(shards) / sizeof(shards[0]); i++) {
        struct bed bed;

        print_message("%u shards\n", shards[i]);
        bed_open(&bed, shards[i]);
        click(&bed, CLICKS);
        drain(&bed);
        assert_each_once(&bed);
        bed_close(&bed);
    }
}

static void test_the_script_travels_once(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed, 1);
    click(&bed, 1);
    drain(&bed);
    assert_int_equal(server.n_with_script, 1);
    for (unsigned i = 0; i < 5; i++) {
        click(&bed, 1);
        drain(&bed);
    }
    assert_int_equal(server.n_batches, 6);
    assert_int_equal(server.n_with_script, 1);
    fake_redis_disconnect(&bed.ledger, now_ms); /* it may be another server */
    click(&bed, 1);
    drain(&bed);
    assert_int_equal(server.n_with_script, 2);
    bed_close(&bed);
}

static void test_waits_for_a_batch(void **state)
{
    struct bed bed;
    unsigned before;

    (void)state;
    bed_open(&bed, 1);
    bed.ledger.options.flush_ms = 10 * STEP_MS;
    click(&bed, 1);
    drain(&bed);
    before = server.n_batches;
    click(&bed, 1);
    step(&bed);
    assert_int_equal(server.n_batches, before); /* not yet */
    click(&bed, BATCH_MAX);
    step(&bed);
    assert_int_equal(server.n_batches, before + 1); /* a whole batch doesn't wait */
    drain(&bed);
    assert_each_once(&bed);
    bed_close(&bed);
}

/* --- one command that goes wrong --- */

/* Clicks come and are counted; the command of that number meets the fault.  False: there were not
 * so many. */
static bool survive(unsigned n_shards, enum fake_fault fault, const char *error, unsigned victim)
{
    unsigned n_answered = 0;
    bool hit = false;
    struct bed bed;

    bed_open(&bed, n_shards);
    server.error = error;
    for (unsigned i = 0; i < 8; i++) {
        click(&bed, 5);
        now_ms += STEP_MS;
        if (server.epoch == 0)
            fake_redis_connect();
        ledger_turn(&bed.ledger, now_ms);
        while (server.n_queued > 0) {
            bool is_victim = n_answered++ == victim;

            fake_redis_answer(&bed.ledger, is_victim ? fault : FAKE_WELL, now_ms);
            hit = hit || is_victim;
        }
    }
    drain(&bed);
    assert_each_once(&bed);
    bed_close(&bed);
    return hit;
}

static void test_any_command_fails(void **state)
{
    const struct {
        const char *name;
        enum fake_fault fault;
        const char *error;
    } cases[] = {
        {"it ran, but the answer is lost", FAKE_ANSWER_LOST, NULL},
        {"the connection breaks before it ran", FAKE_NOT_RUN, NULL},
        {"it ran, and the answer is nonsense", FAKE_GARBAGE, NULL},
        {"out of memory", FAKE_ERROR, "OOM command not allowed"},
        {"a replica", FAKE_ERROR, "READONLY You can't write"},
        {"no replicas", FAKE_ERROR, "NOREPLICAS Not enough good replicas"},
        {"still loading", FAKE_ERROR, "LOADING Redis is loading"},
        {"the disk is full", FAKE_ERROR, "MISCONF Redis is configured to save"},
        {"a script runs", FAKE_ERROR, "BUSY Redis is busy"},
        {"the script was flushed", FAKE_ERROR, "NOSCRIPT No matching script."},
        {"not allowed", FAKE_ERROR, "NOPERM no permission"},
        {"an error nobody knows", FAKE_ERROR, "ERR unheard of"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned n_shards = 1; n_shards <= 4; n_shards *= 4) {
            unsigned victim = 0;

            while (survive(n_shards, cases[i].fault, cases[i].error, victim))
                victim++;
            print_message("%s: %u shards, each of %u commands\n", cases[i].name, n_shards, victim);
            assert_true(victim > 8);
        }
    }
}

/* --- the data go back --- */

static void test_failover_to_a_lagging_replica(void **state)
{
    (void)state;
    for (unsigned n_shards = 1; n_shards <= 4; n_shards *= 4) {
        struct bed bed;

        bed_open(&bed, n_shards);
        click(&bed, CLICKS);
        drain(&bed);
        fake_redis_save();
        click(&bed, CLICKS);
        drain(&bed);
        fake_redis_restore();
        fake_redis_disconnect(&bed.ledger, now_ms);
        drain(&bed);
        assert_each_once(&bed);
        assert_int_equal(bed.ledger.now.replayed, CLICKS);
        bed_close(&bed);
    }
}

/* FLUSHALL tells nobody, and no connection breaks: the sweep finds out. */
static void test_emptied_without_a_word(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed, 1);
    fake_redis_connect();
    fake_redis_save();
    click(&bed, CLICKS);
    drain(&bed);
    fake_redis_restore();
    for (unsigned i = 0; i < 300; i++)
        step(&bed);
    assert_each_once(&bed);
    bed_close(&bed);
}

/* A batch is refused because the cursor went back: the other logs' cursors are asked for too. */
static void test_refused_tells_of_all_logs(void **state)
{
    struct clicklog *second;
    struct bed bed;

    (void)state;
    bed_open(&bed, 1);
    second = new_log(bed.store);
    fake_redis_connect();
    fake_redis_save();
    click(&bed, CLICKS);
    append_range(second, 1000, 1010);
    drain(&bed);
    fake_redis_restore();
    click(&bed, 1);
    for (unsigned i = 0; i < 5; i++) /* far less than the sweep takes */
        step(&bed);
    for (uint64_t n = 1000; n < 1010; n++)
        assert_int_equal(fake_redis_count(n + 1), 1);
    for (uint64_t n = 0; n < bed.n_clicks; n++)
        assert_int_equal(fake_redis_count(n + 1), 1);
    assert_int_equal(bed.ledger.now.refused, 1);
    bed_close(&bed);
}

/* --- a server that won't --- */

static void test_backs_off(void **state)
{
    unsigned n_attempts = 0;
    struct bed bed;

    (void)state;
    bed_open(&bed, 1);
    click(&bed, 1);
    drain(&bed);
    server.error = "OOM command not allowed when used memory > 'maxmemory'";
    click(&bed, CLICKS);
    for (unsigned i = 0; i < 600; i++) { /* a minute */
        now_ms += STEP_MS;
        ledger_turn(&bed.ledger, now_ms);
        while (fake_redis_answer(&bed.ledger, FAKE_ERROR, now_ms))
            n_attempts++;
    }
    print_message("%u attempts in a minute\n", n_attempts);
    assert_true(n_attempts >= 5 && n_attempts <= 40);
    assert_string_equal(bed.ledger.now.cause, "oom");
    assert_int_equal(server.n_reconnects, 0);
    drain(&bed);
    assert_each_once(&bed);
    assert_string_equal(bed.ledger.now.cause, "");
    bed_close(&bed);
}

static void set_key(const struct counter_key *key, const char *value)
{
    struct fake_text name = {(char *)(uintptr_t)key->text, strlen(key->text)};
    struct fake_text text = {(char *)(uintptr_t)value, strlen(value)};

    fake_set(&name, &text);
}

static void test_another_number_of_shards(void **state)
{
    struct counter_key key;
    struct bed bed;

    (void)state;
    bed_open(&bed, 1);
    counter_key_shards(&key, 0);
    set_key(&key, "16");
    click(&bed, CLICKS);
    for (unsigned i = 0; i < 100; i++)
        step(&bed);
    assert_int_equal(server.n_batches, 0);
    assert_string_equal(bed.ledger.now.cause, "shards");
    set_key(&key, "1"); /* put right */
    drain(&bed);
    assert_each_once(&bed);
    bed_close(&bed);
}

static void test_a_cursor_that_is_no_number(void **state)
{
    const char *const texts[] = {"", "abc", "-1", "1e3", "99999999999999999999", " 7"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct counter_key key;
        struct bed bed;

        print_message("\"%s\"\n", texts[i]);
        bed_open(&bed, 1);
        counter_key_cursor(&key, 0, clicklog_id(bed.log));
        set_key(&key, texts[i]);
        click(&bed, CLICKS);
        for (unsigned n = 0; n < 100; n++)
            step(&bed);
        assert_int_equal(server.n_batches, 0);
        assert_string_not_equal(bed.ledger.now.cause, "");
        bed_close(&bed);
    }
}

/* --- sums --- */

static void test_moves_what_was_added_into_tables(void **state)
{
    for (unsigned refuses = 0; refuses < 2; refuses++) {
        struct click again = click_of(0);
        unsigned n = 0;
        struct bed bed;

        (void)state;
        print_message(refuses ? "a table changes meanwhile\n" : "a table that has grown\n");
        bed_open(&bed, 1);
        server.refuses_compacted = refuses;
        for (; n < 2000; n++) {
            clicklog_append(bed.log, &again);
            if (n % 2 == 0)
                step(&bed);
        }
        drain(&bed);
        for (unsigned i = 0; i < 20; i++)
            step(&bed);
        ledger_turn_count(&bed.ledger);
        assert_int_equal(fake_redis_count(again.link_id), bed.ledger.now.applied);
        assert_true(bed.ledger.now.applied > 1000);
        assert_int_equal(server.n_compacted > 0, !refuses);
        bed_close(&bed);
    }
}

/* Turns in which the first such command has that fault; true: there was one. */
static bool strike(struct bed *bed, enum ledger_what what, enum fake_fault fault)
{
    bool was_struck = false;

    for (unsigned i = 0; i < 5; i++) {
        now_ms += STEP_MS;
        if (server.epoch == 0)
            fake_redis_connect();
        ledger_turn(&bed->ledger, now_ms);
        while (server.n_queued > 0) {
            bool is_it = !was_struck && ledger_ticket_unpack(server.queue[0].ticket).what == what;

            fake_redis_answer(&bed->ledger, is_it ? fault : FAKE_WELL, now_ms);
            was_struck = was_struck || is_it;
        }
    }
    return was_struck;
}

/* More often than there are places for what is under way: none is lost by that. */
static void test_goes_on_moving_after_faults(void **state)
{
    enum { TIMES = 10, TRIES = 100 };
    static const enum ledger_what whats[] = {LEDGER_MERGE_READ, LEDGER_MERGE_WRITE};

    (void)state;
    for (unsigned i = 0; i < 2 * (FAKE_GARBAGE + 1); i++) {
        enum ledger_what what = whats[i % 2];
        enum fake_fault fault = (enum fake_fault)(i / 2);
        unsigned n_struck = 0, tries = 0, n_compacted;
        struct bed bed;

        print_message("%s, fault %d\n", i % 2 ? "writing" : "reading", (int)fault);
        bed_open(&bed, 1);
        server.error = "OOM command not allowed";
        for (; n_struck < TIMES && tries < TRIES; tries++) {
            bed.n_filled += fill(filler, 1);
            click(&bed, 1);
            n_struck += strike(&bed, what, fault);
        }
        assert_int_equal(n_struck, TIMES);
        n_compacted = server.n_compacted;
        for (tries = 0; tries < TRIES && server.n_compacted == n_compacted; tries++) {
            bed.n_filled += fill(filler, 1);
            click(&bed, 1);
            drain(&bed);
            step(&bed);
        }
        assert_true(server.n_compacted > n_compacted);
        assert_int_equal(fake_redis_count(filler), bed.n_filled);
        assert_each_once(&bed);
        bed_close(&bed);
    }
}

/* More was added than fits into an answer, while nothing could be moved. */
static void test_moves_part_by_part(void **state)
{
    enum { LONG = 50 << 20, LOOKS = 12 };
    struct counter_key key;
    struct bed bed;

    (void)state;
    bed_open(&bed, 1);
    bed.n_filled = fill_with(filler, 1, LONG);
    counter_key_added(&key, COUNTER_LINKS, 0, 1);
    for (unsigned i = 0; i < LOOKS; i++) {
        bed.n_filled += fill(filler, 1);
        click(&bed, 1);
        drain(&bed);
        step(&bed);
    }
    assert_true(server.n_compacted > 3);
    assert_true(fake_find(&(struct fake_text){key.text, key.len})->len < LONG / 10);
    assert_int_equal(fake_redis_count(filler), bed.n_filled);
    bed_close(&bed);
}

/* The queue of what is to be moved begins with a shard that Redis refuses. */
static void test_a_shard_that_is_refused_holds_up_no_other(void **state)
{
    const uint64_t other = UINT64_C(0xff) << 56 | 0xf1;
    struct click last = click_of(0);
    int64_t n_filled;
    struct bed bed;

    (void)state;
    bed_open(&bed, 4);
    last.link_id = other + 1;
    click(&bed, 1);
    clicklog_append(bed.log, &last);
    drain(&bed);
    fill(filler, 4);
    n_filled = fill(other, 4);
    click(&bed, 1);
    clicklog_append(bed.log, &last);
    now_ms += STEP_MS;
    ledger_turn(&bed.ledger, now_ms);
    while (server.n_queued > 0) {
        /* What grew is noted, and looked at in the next turn. */
        fake_redis_answer(&bed.ledger, FAKE_WELL, now_ms);
    }
    bed.ledger.shards[0].retry_ms = INT64_MAX;
    for (unsigned i = 0; i < 20; i++)
        step(&bed);
    assert_int_equal(server.n_compacted, 1);
    assert_int_equal(fake_redis_count(other), n_filled);
    bed_close(&bed);
}

/* --- distinct clients --- */

/* What is added to a log, in parts, for they may come in any order. */
static struct click click_by(struct bed *bed, unsigned client)
{
    struct click click = click_of(bed->n_clicks);

    click.client = client + 1;
    click.campaign = (uint16_t)(client % 3);
    click.time_ms += (int64_t)client * 7000;
    return click;
}

static void relabel(struct bed *bed, struct click click)
{
    click.type = CLICK_TYPE_RELABEL;
    click.old_label = CLICK_HUMAN;
    click.label = CLICK_SCANNER;
    clicklog_append(bed->relabels, &click);
}

static void click_as(struct bed *bed, unsigned client, bool is_machine)
{
    struct click click = click_by(bed, client);

    clicklog_append(bed->log, &click);
    bed->n_clicks++;
    if (is_machine)
        relabel(bed, click);
    else
        bed->is_person[client] = true;
}

/* The clients that the HyperLogLogs of the day, or of its hours, hold, of all campaigns or of each:
 * see fake_redis.h. */
static unsigned read_people(bool of_all, bool of_hours, bool is_person[static CLIENTS_MAX])
{
    size_t len = of_hours ? sizeof("2026112212") : sizeof("20261122"); /* with a colon */
    unsigned n = 0;

    memset(is_person, 0, CLIENTS_MAX * sizeof(is_person[0]));
    for (size_t i = 0; i < server.keys.n; i++) {
        const struct fake_key *key = &server.keys.of[i];
        const char *name = strstr(key->name.ptr, "}:u:00000007:");

        if (!name || (strstr(name, ":*:") != NULL) != of_all || strlen(strrchr(name, ':')) != len)
            continue;
        for (size_t at = 0; at < key->value.len; at += 4) {
            uint32_t client = be32_load((const uint8_t *)key->value.ptr + at);

            assert_in_range(client, 1, CLIENTS_MAX);
            n += !is_person[client - 1];
            is_person[client - 1] = true;
        }
    }
    return n;
}

static bool nobody_waits(unsigned n_shards)
{
    for (unsigned s = 0; s < n_shards; s++) {
        if (fake_slots_listed(s) > 0)
            return false;
    }
    return true;
}

/* Those are counted who are people, for their campaigns and for all. */
static void assert_people(struct bed *bed)
{
    drain(bed);
    for (unsigned i = 0; !nobody_waits(bed->ledger.options.n_shards); i++) {
        assert_true(i < STEPS_MAX);
        step(bed);
    }
    for (unsigned which = 0; which < 4; which++) {
        bool of_all = which & 1, of_hours = which & 2, is_person[CLIENTS_MAX];

        (void)read_people(of_all, of_hours, is_person);
        for (unsigned i = 0; i < CLIENTS_MAX; i++) {
            if (is_person[i] != bed->is_person[i])
                fail_msg("client %u is %s counted%s%s", i + 1, is_person[i] ? "" : "not",
                         of_hours ? " by the hour" : "", of_all ? ", of all campaigns" : "");
        }
    }
}

static void test_people_are_counted_when_they_have_waited(void **state)
{
    (void)state;
    for (unsigned n_shards = 1; n_shards <= 16; n_shards *= 16) {
        bool is_person[CLIENTS_MAX];
        int64_t clicked_ms, waited_ms;
        struct bed bed;

        bed_open(&bed, n_shards);
        drain(&bed);
        ledger_turn_count(&bed.ledger);
        click_as(&bed, 0, false);
        click_as(&bed, 1, true);
        click_as(&bed, 2, true);
        click_as(&bed, 2, false);
        clicked_ms = now_ms;
        while (read_people(true, false, is_person) == 0 && now_ms - clicked_ms < 60000)
            step(&bed);
        waited_ms = now_ms - clicked_ms;
        print_message("%u shards: after %d ms\n", n_shards, (int)waited_ms);
        assert_in_range(waited_ms, 50 * STEP_MS, 80 * STEP_MS);
        assert_people(&bed);
        for (unsigned i = 0; i < 60; i++) /* a look at an empty list */
            step(&bed);
        ledger_turn_count(&bed.ledger);
        assert_true(bed.ledger.now.people_as_of_ms > 0);
        print_message("who was counted need not wait again\n");
        click_as(&bed, 0, false);
        drain(&bed);
        assert_true(nobody_waits(n_shards));
        assert_people(&bed);
        bed_close(&bed);
    }
}

/* As after an outage of hours: slots of ten seconds, a click in each. */
static void test_people_of_many_slots_are_counted_page_by_page(void **state)
{
    enum { SLOTS = 1000 };
    int64_t first_ms;
    struct bed bed;

    (void)state;
    bed_open(&bed, 1);
    first_ms = click_by(&bed, 0).time_ms / 10000 * 10000;
    for (unsigned i = 0; i < SLOTS; i++) {
        struct click click = click_by(&bed, 0);

        click.client = i % CLIENTS_MAX + 1;
        click.campaign = (uint16_t)(1 + i);
        click.time_ms = first_ms + (int64_t)i * 10000;
        clicklog_append(bed.log, &click);
        bed.is_person[i % CLIENTS_MAX] = true;
        if (++bed.n_clicks % 200 == 0)
            drain(&bed);
    }
    assert_in_range(fake_slots_listed(0), 4 * 128, SLOTS);
    server.n_slots_max = 0;
    while (!nobody_waits(1)) {
        size_t n_before = fake_slots_listed(0);

        step(&bed);
        ledger_turn_count(&bed.ledger);
        if (fake_slots_listed(0) > 0 && fake_slots_listed(0) < n_before) {
            print_message("%zu slots, of which the earliest were counted\n", n_before);
            assert_int_equal(fake_first_slot(0), waiting_slot(first_ms / 1000) + SLOTS -
                                                     (unsigned)fake_slots_listed(0));
            assert_true(bed.ledger.now.people_as_of_ms <= (int64_t)fake_first_slot(0) * 10000);
        }
    }
    assert_int_equal(server.n_slots_max, 128);
    assert_people(&bed);
    bed_close(&bed);
}

static void test_a_relabelling_may_come_before_its_click(void **state)
{
    struct click click;
    struct bed bed;

    (void)state;
    bed_open(&bed, 1);
    click = click_by(&bed, 5);
    relabel(&bed, click);
    assert_people(&bed);
    clicklog_append(bed.log, &click);
    bed.n_clicks++;
    assert_people(&bed);
    print_message("and a click of the same slot is the client's\n");
    click_as(&bed, 5, false);
    assert_people(&bed);
    bed_close(&bed);
}

/* Clicks are in Redis, and the relabellings are not: they come late, after an error or a restart.
 */
static void test_relabellings_are_waited_for(void **state)
{
    (void)state;
    for (unsigned restarts = 0; restarts < 2; restarts++) {
        struct bed bed;

        print_message(restarts ? "the process starts anew\n" : "their batch fails\n");
        bed_open(&bed, 1);
        click_as(&bed, 3, true);
        click_as(&bed, 4, false);
        server.error = "OOM command not allowed";
        now_ms += STEP_MS;
        fake_redis_connect();
        for (unsigned i = 0; i < 300; i++) {
            now_ms += STEP_MS;
            ledger_turn(&bed.ledger, now_ms);
            while (server.n_queued > 0) {
                struct ledger_ticket ticket = ledger_ticket_unpack(server.queue[0].ticket);
                bool is_late = ticket.what == LEDGER_BATCH && ticket.log == 1;

                fake_redis_answer(&bed.ledger, is_late ? FAKE_ERROR : FAKE_WELL, now_ms);
            }
        }
        assert_int_equal(fake_redis_count(1), 1);
        if (restarts) {
            fake_redis_disconnect(&bed.ledger, now_ms);
            ledger_turn_clear(&bed.ledger);
            memset(&bed.ledger, 0, sizeof(bed.ledger));
            start(&bed, 1);
        }
        assert_people(&bed);
        bed_close(&bed);
    }
}

/* --- all of it at random --- */

static void random_event(struct bed *bed)
{
    switch (rand() % 13) {
    case 0:
        fake_redis_disconnect(&bed->ledger, now_ms);
        break;
    case 1:
        fake_redis_save();
        bed->n_filled_saved = bed->n_filled;
        break;
    case 2: /* a failover, or a restart with a cut file */
        fake_redis_restore();
        bed->n_filled = bed->n_filled_saved;
        fake_redis_disconnect(&bed->ledger, now_ms);
        server.knows_script = rand() % 2;
        break;
    case 3:
        server.knows_script = false;
        break;
    case 4:
        now_ms += rand() % 20000;
        break;
    case 5:
    case 6:
    case 7:
        click_as(bed, (unsigned)rand() % CLIENTS_MAX, rand() % 2);
        break;
    case 8:
        bed->n_filled += fill(filler, bed->ledger.options.n_shards);
        break;
    default:
        click(bed, (uint64_t)rand() % 8);
    }
}

static void test_random_schedules(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

    (void)state;
    print_message("SEED=%u\n", seed);
    for (unsigned round = 0; round < RANDOM_ROUNDS; round++) {
        struct bed bed;

        srand(seed + round);
        bed_open(&bed, rand() % 2 ? 1 : 4);
        fake_redis_save();
        for (unsigned i = 0; i < 60; i++) {
            random_event(&bed);
            now_ms += STEP_MS;
            if (server.epoch == 0 && rand() % 3 == 0)
                fake_redis_connect();
            ledger_turn(&bed.ledger, now_ms);
            while (server.n_queued > 0 && rand() % 8) {
                enum fake_fault fault =
                    rand() % 10 ? FAKE_WELL : (enum fake_fault)(rand() % (FAKE_GARBAGE + 1));

                server.error = rand() % 2 ? "OOM no memory" : "NOSCRIPT No matching script.";
                fake_redis_answer(&bed.ledger, fault, now_ms);
            }
        }
        drain(&bed);
        assert_each_once(&bed);
        assert_int_equal(fake_redis_count(filler), bed.n_filled);
        assert_people(&bed);
        bed_close(&bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_the_script_travels_once),
        cmocka_unit_test(test_waits_for_a_batch),
        cmocka_unit_test(test_any_command_fails),
        cmocka_unit_test(test_failover_to_a_lagging_replica),
        cmocka_unit_test(test_emptied_without_a_word),
        cmocka_unit_test(test_refused_tells_of_all_logs),
        cmocka_unit_test(test_backs_off),
        cmocka_unit_test(test_another_number_of_shards),
        cmocka_unit_test(test_a_cursor_that_is_no_number),
        cmocka_unit_test(test_moves_what_was_added_into_tables),
        cmocka_unit_test(test_goes_on_moving_after_faults),
        cmocka_unit_test(test_moves_part_by_part),
        cmocka_unit_test(test_a_shard_that_is_refused_holds_up_no_other),
        cmocka_unit_test(test_people_are_counted_when_they_have_waited),
        cmocka_unit_test(test_people_of_many_slots_are_counted_page_by_page),
        cmocka_unit_test(test_a_relabelling_may_come_before_its_click),
        cmocka_unit_test(test_relabellings_are_waited_for),
        cmocka_unit_test(test_random_schedules),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
