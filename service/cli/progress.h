/* progress.h - a bar on stderr for work that may take seconds. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_on;
    uint64_t total; /* bytes, 0 = unknown */
    int64_t start_ms, next_ms;
};

void progress_init(struct progress *progress, bool is_on, uint64_t total);

/* Draws, a few times a second, `done` of `total` and how many links that were. */
void progress_update(struct progress *progress, uint64_t done, uint64_t n_links);

/* Wipes the bar, so that other text can be written. */
void progress_wipe(const struct progress *progress);

#endif
