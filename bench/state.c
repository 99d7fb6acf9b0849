/* state.c - what the state table costs: `state [ENTRIES]`, 10^7 by default; `state --redis ENTRIES`
 * writes the same entries as commands for redis-cli --pipe, as the ledger would have left them.
 *
 * Prints how long merging took, the bytes of an entry, and the nanoseconds of a look-up of a link
 * in an empty and in the full table, where every subject is a miss of the processor's caches: by
 * itself, and as a redirect does it, which finds the click's label while the memory is fetched.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/counter.h"
#include "proto/token.h"
#include "service/state/state_look_up.h"
#include "service/state/state_table.h"

enum { BRAND = 7, LOOKS = 1000000, OTHER_STEPS = 150, MERGED = 1024 };

static double cpu_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID,
                  &ts); /* other programs may have the processor meanwhile */
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* In place of a label, which takes 592 instructions (bench/micro.json): each step, of four, waits
 * for the one before. */
static uint64_t other_work(uint64_t x, unsigned n_steps)
{
    for (unsigned i = 0; i < n_steps; i++)
        x = (x ^ x >> 29) * UINT64_C(0xff51afd7ed558ccd);
    return x;
}

/* Nanoseconds of a look-up; half of the objects and clients are in the table. */
static double measure(const struct state_table *table, uint32_t n_known, unsigned n_steps)
{
    static struct state_looks looks;
    uint64_t x = 88172645463325252u, sum = 0;
    double start = cpu_s(), empty = 0;

    for (unsigned pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            empty = cpu_s() - start;
            start = cpu_s();
        }
        for (unsigned i = 0; i < LOOKS; i++) {
            struct state_of_link out = {.newest = 0};
            struct token token;

            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            token = (struct token){.link_id = x,
                                   .object = (uint32_t)(x >> 8) % (2 * n_known) + 1,
                                   .client = (uint32_t)(x >> 32) % (2 * n_known) + 1,
                                   .campaign = (uint16_t)(x >> 16 | 1),
                                   .issued_min = 1000};
            if (pass == 1)
                state_look_up_begin(table, BRAND, &token, true, &looks);
            sum += other_work(x, n_steps);
            if (pass == 1)
                state_look_up_end(table, &looks, &out);
            sum += out.object + token.client;
        }
    }
    fprintf(stderr, sum == 1 ? "\n" : "");
    return (cpu_s() - start - empty) / LOOKS * 1e9;
}

/* All types are there, so that no look-up is spared; nine in ten are states of objects. */
static struct state_entry entry_of(unsigned long i)
{
    static const enum state_type types[] = {STATE_OBJECT, STATE_OPTED_OUT, STATE_REVOKED_CLIENT,
                                            STATE_REVOKED_OBJECT};
    const struct state_subject subject = {i % 10 ? STATE_OBJECT : types[i / 10 % 4], BRAND, i + 1};

    return (struct state_entry){state_key(&subject),
                                state_value(subject.type, time(NULL) * INT64_C(1000), 2)};
}

static int write_commands(unsigned long n)
{
    struct state_entry *entries = malloc(n * sizeof(*entries));
    unsigned long ends[COUNTER_BUCKETS + 1] = {0}, at = 0;

    if (!entries)
        return 1;
    for (unsigned long i = 0; i < n; i++)
        ends[counter_bucket_of_item(BRAND, (uint32_t)i + 1)]++;
    for (unsigned bucket = 0; bucket <= COUNTER_BUCKETS; bucket++)
        ends[bucket] = at += ends[bucket];
    for (unsigned long i = 0; i < n; i++)
        entries[--ends[counter_bucket_of_item(BRAND, (uint32_t)i + 1)]] = entry_of(i);
    for (unsigned bucket = 0; bucket < COUNTER_BUCKETS; bucket++) {
        unsigned long len = (ends[bucket + 1] - ends[bucket]) * STATE_ENTRY_LEN;
        struct counter_key key;

        counter_key_table(&key, COUNTER_STATES, bucket, 1);
        printf("*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%lu\r\n", strlen(key.text), key.text, len);
        for (unsigned long i = ends[bucket]; i < ends[bucket + 1]; i++) {
            uint8_t bytes[STATE_ENTRY_LEN];

            state_entry_put(bytes, &entries[i]);
            fwrite(bytes, 1, sizeof(bytes), stdout);
        }
        fputs("\r\n", stdout);
    }
    free(entries);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool for_redis = argc > 2 && strcmp(argv[1], "--redis") == 0;
    unsigned long n = argc > 1 ? strtoul(argv[argc - 1], NULL, 10) : 10000000;
    struct state_table *table = state_table_new();
    double start, merged_s;

    if (!table || n == 0 || n >= UINT32_MAX) {
        fputs("usage: state [--redis] [ENTRIES]\n", stderr);
        return 2;
    }
    if (for_redis)
        return write_commands(n);
    printf("empty table: %.1f ns a link\n", measure(table, 1000, 0));
    start = cpu_s();
    if (!state_table_reserve(table, n + n / 64)) { /* as a load from Redis does */
        fputs("state: no memory\n", stderr);
        return 1;
    }
    for (unsigned long i = 0; i < n;) {
        static uint8_t some[MERGED * STATE_ENTRY_LEN];
        size_t len = 0;

        for (; i < n && len < sizeof(some); i++, len += STATE_ENTRY_LEN) {
            struct state_entry entry = entry_of(i);

            state_entry_put(some + len, &entry);
        }
        if (state_table_merge_all(table, slice_make((char *)some, len)) == STATE_NO_MEMORY) {
            fputs("state: no memory\n", stderr);
            return 1;
        }
    }
    merged_s = cpu_s() - start;
    state_table_reclaim(table, INT64_MAX);
    printf("%lu entries: merged in %.2f s, %.1f bytes each\n", n, merged_s,
           (double)state_table_bytes(table) / (double)n);
    printf("full table: %.1f ns a link, %.1f beside a label\n", measure(table, (uint32_t)n, 0),
           measure(table, (uint32_t)n, OTHER_STEPS));
    state_table_free(table);
    return 0;
}
