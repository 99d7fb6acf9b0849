#include "service/admin/attempts.h"

#include <stdlib.h>

enum { ADDRESS_MAX = 64 };

/* The failures since `since_ms`; n 0 = a free place. */
struct window {
    int64_t since_ms;
    unsigned n;
};

struct attempts {
    struct window all;
    struct {
        struct window window;
        size_t address_len;
        char address[ADDRESS_MAX];
    } table[ATTEMPTS_ADDRESSES_MAX];
};

struct attempts *attempts_new(void)
{
    return calloc(1, sizeof(struct attempts));
}

void attempts_free(struct attempts *attempts)
{
    free(attempts);
}

static bool is_over(const struct window *window, int64_t now_ms)
{
    return window->n == 0 || now_ms - window->since_ms >= ATTEMPTS_WINDOW_MS;
}

static int64_t wait_ms(const struct window *window, unsigned max, int64_t now_ms)
{
    return is_over(window, now_ms) || window->n < max
               ? 0
               : window->since_ms + ATTEMPTS_WINDOW_MS - now_ms;
}

static void note(struct window *window, int64_t now_ms)
{
    if (is_over(window, now_ms))
        *window = (struct window){.since_ms = now_ms};
    window->n++;
}

static struct slice shortened(struct slice address)
{
    return slice_make(address.ptr, address.len < ADDRESS_MAX ? address.len : ADDRESS_MAX);
}

/* The place of `address`, or ATTEMPTS_ADDRESSES_MAX. */
static size_t find(const struct attempts *attempts, struct slice address)
{
    size_t i = 0;

    while (i < ATTEMPTS_ADDRESSES_MAX &&
           (attempts->table[i].window.n == 0 ||
            !slice_equal(slice_make(attempts->table[i].address, attempts->table[i].address_len),
                         address)))
        i++;
    return i;
}

int64_t attempts_own_wait_ms(const struct attempts *attempts, struct slice address, int64_t now_ms)
{
    size_t i = find(attempts, shortened(address));

    return i < ATTEMPTS_ADDRESSES_MAX ? wait_ms(&attempts->table[i].window, ATTEMPTS_MAX, now_ms)
                                      : 0;
}

int64_t attempts_wait_ms(const struct attempts *attempts, struct slice address, int64_t now_ms)
{
    int64_t all_ms = wait_ms(&attempts->all, ATTEMPTS_TOTAL_MAX, now_ms);
    int64_t own_ms = attempts_own_wait_ms(attempts, address, now_ms);

    return all_ms > own_ms ? all_ms : own_ms;
}

void attempts_note_failure(struct attempts *attempts, struct slice address, int64_t now_ms)
{
    struct slice name = shortened(address);
    size_t i = find(attempts, name);

    note(&attempts->all, now_ms);
    if (i == ATTEMPTS_ADDRESSES_MAX) {
        i = 0;
        /* When the table is full the oldest entry is replaced; the total stays right. */
        for (size_t k = 1; k < ATTEMPTS_ADDRESSES_MAX; k++) {
            if (is_over(&attempts->table[i].window, now_ms))
                break;
            if (is_over(&attempts->table[k].window, now_ms) ||
                attempts->table[k].window.since_ms < attempts->table[i].window.since_ms)
                i = k;
        }
        attempts->table[i].window = (struct window){.n = 0};
        attempts->table[i].address_len = name.len;
        memcpy(attempts->table[i].address, name.ptr, name.len);
    }
    note(&attempts->table[i].window, now_ms);
}
