/* Reads clicks, a line each, and writes which of them service/label/gateway.h takes for a mail
 * gateway's: `replay.py` plays hundreds of worlds in seconds by it.
 *
 *     label_clicks LINKS LINKS_MS NETWORKS NETWORKS_MS EARLY_MS W_LINKS W_NETWORKS W_EARLY W_HEAD
 *                  THRESHOLD
 *
 * A line: time (ms, Unix), client, link, network, 1 if it is a HEAD, minute of issue as in tokens.
 * By time.  Written is a line for each: 1 if it is a gateway's, else 0.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/label/gateway.h"

enum { OPTIONS = 10, CLICKS_MAX = 1000000 };

static struct gateway *make_gateway(char **argv)
{
    int64_t n[OPTIONS];
    struct gateway_options options;

    for (int i = 0; i < OPTIONS; i++)
        n[i] = strtoll(argv[i], NULL, 10);
    options = (struct gateway_options){
        .links = n[0],
        .links_ms = n[1],
        .networks = n[2],
        .networks_ms = n[3],
        .early_ms = n[4],
        .weight_links = n[5],
        .weight_networks = n[6],
        .weight_early = n[7],
        .weight_head = n[8],
        .threshold = n[9],
    };
    return gateway_new(&options);
}

static bool read_click(struct gateway_click *out)
{
    int64_t time_ms;
    uint32_t client, network, is_head, issued_min;
    uint64_t link;

    if (scanf("%" SCNd64 " %" SCNu32 " %" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu32, &time_ms,
              &client, &link, &network, &is_head, &issued_min) != 6)
        return false;
    *out = (struct gateway_click){
        .click = {.type = CLICK_TYPE_CLICK,
                  .kind = 1,
                  .time_ms = time_ms,
                  .client = client,
                  .link_id = link,
                  .network = (uint16_t)(network & CLICK_NETWORK_MAX),
                  .issued_min = issued_min,
                  .label = is_head ? CLICK_PROBE : CLICK_HUMAN},
        .is_own = true,
    };
    return true;
}

int main(int argc, char **argv)
{
    static char marks[CLICKS_MAX];
    struct gateway *gateway = argc == 1 + OPTIONS ? make_gateway(argv + 1) : NULL;
    struct gateway_click click, found[GATEWAY_FOUND_MAX];
    uint64_t n = 0;

    if (!gateway) {
        fprintf(stderr, "label_clicks: needs %d numbers, and memory\n", OPTIONS);
        return 2;
    }
    for (; n < CLICKS_MAX && read_click(&click); n++) {
        click.number = n;
        for (unsigned i = gateway_add(gateway, &click, found); i > 0; i--)
            marks[found[i - 1].number] = 1;
    }
    for (uint64_t i = 0; i < n; i++)
        printf("%d\n", marks[i]);
    gateway_free(gateway);
    return 0;
}
