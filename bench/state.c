/* state.c - what the state table costs: `state [ENTRIES]`, 10^7 by default.
 *
 * Prints how long merging took, the bytes of an entry, and the nanoseconds of a look-up of a link
 * (state_look_up(): six keys) in an empty and in the full table, where every key is a miss of
 * the processor's caches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/token.h"
#include "service/state/state_look_up.h"
#include "service/state/state_table.h"

enum { BRAND = 7, LOOKS = 1000000 };

static double cpu_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID,
                  &ts); /* other programs may have the processor meanwhile */
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Nanoseconds of a look-up; half of the objects and clients are in the table. */
static double measure(const struct state_table *table, uint32_t n_known)
{
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
                state_look_up(table, BRAND, &token, true, &out);
            sum += out.object + token.client;
        }
    }
    fprintf(stderr, sum == 1 ? "\n" : "");
    return (cpu_s() - start - empty) / LOOKS * 1e9;
}

int main(int argc, char **argv)
{
    static const enum state_type types[] = {STATE_OBJECT, STATE_OPTED_OUT, STATE_REVOKED_CLIENT,
                                            STATE_REVOKED_OBJECT};
    unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000000;
    struct state_table *table = state_table_new();
    double start, merged_s;

    if (!table || n == 0) {
        fputs("usage: state [ENTRIES]\n", stderr);
        return 2;
    }
    printf("empty table: %.1f ns a link\n", measure(table, 1000));
    start = cpu_s();
    for (unsigned long i = 0; i < n; i++) {
        /* All types are there, so that no look-up is spared; nine in ten are states of objects. */
        enum state_type type = i % 10 ? STATE_OBJECT : types[i / 10 % 4];
        struct state_subject subject = {type, BRAND, i + 1};
        struct state_entry entry = {state_key(&subject),
                                    state_value(type, (TOKEN_EPOCH_S + 1000) * 1000, 2)};

        if (state_table_merge(table, &entry) == STATE_NO_MEMORY) {
            fputs("state: no memory\n", stderr);
            return 1;
        }
    }
    merged_s = cpu_s() - start;
    state_table_reclaim(table, INT64_MAX);
    printf("%lu entries: merged in %.2f s, %.1f bytes each\n", n, merged_s,
           (double)state_table_bytes(table) / (double)n);
    printf("full table: %.1f ns a link\n", measure(table, (uint32_t)n));
    state_table_free(table);
    return 0;
}
