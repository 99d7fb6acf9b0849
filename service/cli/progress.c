#include "service/cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service/base/clock.h"
#include "service/cli/command.h"

enum { PERIOD_MS = 100, BAR_CHARS = 30 };

void progress_init(struct progress *progress, bool is_on, uint64_t total)
{
    *progress = (struct progress){.is_on = is_on, .total = total, .start_ms = clock_mono_ms()};
    progress->next_ms = progress->start_ms + PERIOD_MS;
}

void progress_update(struct progress *progress, uint64_t done, uint64_t n_links)
{
    int64_t now_ms = progress->is_on ? clock_mono_ms() : 0;
    uint64_t spent_ms;

    if (!progress->is_on || now_ms < progress->next_ms)
        return;
    progress->next_ms = now_ms + PERIOD_MS;
    spent_ms = (uint64_t)(now_ms - progress->start_ms);
    fputc('\r', stderr);
    if (progress->total > 0) {
        uint64_t total = progress->total, part = done < total ? done : total;
        char bar[BAR_CHARS + 1];

        memset(bar, '-', BAR_CHARS);
        memset(bar, '#', (size_t)(part * BAR_CHARS / total));
        bar[BAR_CHARS] = '\0';
        fprintf(stderr, "[%s] %3d %%  ", bar, (int)(part * 100 / total));
    }
    fprintf(stderr, "%" PRIu64 " %s, %" PRIu64 "/s\033[K", n_links,
            cli_noun(n_links, "link", "links"), n_links * 1000 / (spent_ms ? spent_ms : 1));
    fflush(stderr);
}

void progress_wipe(const struct progress *progress)
{
    if (progress->is_on)
        fputs("\r\033[K", stderr);
}
