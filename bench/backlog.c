/* backlog.c - writes a click log of many records into a state directory, as a hopcountd that could
 * not reach Redis would have left it.  It measures how fast a backlog is applied, and it fills
 * Redis with a year of clicks through the product's own road instead of made-up counters.
 *
 *     backlog --dir DIR --brand NAME --records N [--links N] [--brands N] [--campaigns N]
 *             [--days N] [--now S] [--varied]
 *     backlog --dir DIR --brand NAME --invoices N [--campaigns N] [--days N] [--now S]
 *
 * Clicks are spread evenly over the days before `now`; links, objects and clients over `links`,
 * these over `brands` (NAME, NAME1, NAME2 …), and those of a brand over `campaigns`.
 * With --invoices each of them is mailed once, six of ten are clicked, and four of those six paid;
 * campaign 1 has a sixth of them.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <sodium.h>

#include "proto/event.h"
#include "proto/segment.h"
#include "proto/token.h"

enum { CAPACITY = 1 << 20, PATH_LEN = 512 };

struct backlog {
    const char *dir, *brand;
    unsigned long records, links, brands, campaigns, days;
    unsigned long invoices; /* 0 = the records are clicks only */
    bool is_varied; /* clicks have browsers, systems and more, of as many sorts as in life */
    long now_s;
    uint32_t *brand_ids; /* `brands` of them */
    uint8_t log_id[CLICK_LOG_ID_LEN];
};

static void die(const char *what)
{
    fprintf(stderr, "backlog: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Spreads consecutive numbers over 64 bits, so that link ids look like what they are in life. */
static uint64_t scatter(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct click make_click(const struct backlog *b, uint64_t i)
{
    static const char countries[][2] = {{'D', 'E'}, {'G', 'B'}, {'U', 'S'}, {'F', 'R'}, {'N', 'L'}};
    static const char more_countries[][2] = {{'A', 'T'}, {'C', 'H'}, {'P', 'L'}, {'D', 'K'},
                                             {'S', 'E'}, {'E', 'S'}, {'I', 'T'}, {'B', 'E'},
                                             {'I', 'E'}, {'C', 'Z'}};
    uint64_t link = i % b->links, random = scatter(i + 1);
    int64_t span_ms = (int64_t)b->days * 86400000;

    struct click click = {
        .type = CLICK_TYPE_CLICK,
        .link_id = scatter(link + UINT64_C(0x9e3779b97f4a7c15)),
        .time_ms = (int64_t)b->now_s * 1000 - span_ms +
                   (int64_t)((double)span_ms * (double)i / (double)b->records),
        .brand = b->brand_ids[link % b->brands],
        .object = (uint32_t)(link / b->brands) + 1,
        .client = (uint32_t)(link / b->brands) + 1,
        .issued_min = 1000000,
        .campaign = (uint16_t)(1 + link / b->brands % b->campaigns),
        .kind = (uint8_t)(1 + random % 2),
        .channel = 1,
        .variant = (uint8_t)(random >> 8 & 1) + 1,
        .label = random % 5 == 0 ? CLICK_SCANNER : CLICK_HUMAN,
        .device = (uint8_t)(1 + (random >> 16) % 3),
    };
    memcpy(click.country, countries[(random >> 24) % 5], 2);
    if (b->is_varied) {
        uint64_t more = scatter(random);

        /* What device it is says most of what else it is. */
        click.browser = (uint8_t)(click.device + (more & 7 ? 0 : 3));
        click.system = (uint8_t)(click.device + (more >> 4 & 3 ? 0 : 2));
        click.referrer = (uint8_t)(more >> 8 & 3 ? CLICK_REFERRER_NONE : CLICK_REFERRER_MAIL);
        click.channel = (uint8_t)(more >> 12 & 15 ? 1 : 5);
        click.issued_min =
            (uint32_t)(click.time_ms / 60000 - TOKEN_EPOCH_S / 60 - (int64_t)(more >> 16 & 0x3fff));
        if ((more >> 32 & 7) == 0)
            memcpy(click.country, more_countries[(more >> 40) % 10], 2);
    }
    return click;
}

/* Of ten invoices with consecutive numbers there are twenty records: six clicks, ten mails, four
 * payments.  A click is the first of all, because a log that begins with an event is taken for one
 * of events, in which nothing is counted as clicks. */
enum { GROUP_INVOICES = 10, GROUP_RECORDS = 20, GROUP_CLICKED = 6 };

/* Half a minute to three weeks later, but not in the future; short spans are as frequent as long
 * ones. */
static int64_t later_s(const struct backlog *b, int64_t time_s, uint64_t random)
{
    int64_t later = time_s + 30 + (int64_t)(random >> (43 + random % 15));

    return later < b->now_s ? later : b->now_s;
}

static struct click make_record_of_invoice(const struct backlog *b, uint64_t i)
{
    uint64_t step = i % GROUP_RECORDS;
    bool is_click = step < GROUP_CLICKED;
    bool is_mail = !is_click && step < GROUP_CLICKED + GROUP_INVOICES;
    uint64_t of_group = is_click  ? step
                        : is_mail ? step - GROUP_CLICKED
                                  : step - GROUP_CLICKED - GROUP_INVOICES;
    uint64_t invoice = i / GROUP_RECORDS * GROUP_INVOICES + of_group;
    uint64_t random = scatter(invoice + 1);
    int64_t span_s = (int64_t)b->days * 86400;
    int64_t sent_s =
        b->now_s - span_s + (int64_t)((double)span_s * (double)invoice / (double)b->invoices);
    int64_t clicked_s = later_s(b, sent_s, scatter(random));
    struct event event = {
        .type = is_mail ? EVENT_MAIL_SENT : EVENT_PAID,
        .id = scatter(i) & UINT64_C(0xffffffffff),
        .brand = b->brand_ids[0],
        .object = (uint32_t)invoice + 1,
        .client = (uint32_t)invoice + 1,
        .campaign = (uint16_t)((random >> 32 & 0xff) < 43 ? 1 : 1 + invoice % b->campaigns),
        .channel = 1,
        .variant = (uint8_t)(random & 1) + 1,
    };
    struct click click = {
        .type = CLICK_TYPE_CLICK,
        .link_id = scatter(invoice + UINT64_C(0x9e3779b97f4a7c15)),
        .time_ms = clicked_s * 1000,
        .brand = b->brand_ids[0],
        .object = event.object,
        .client = event.client,
        .issued_min = (uint32_t)((sent_s - TOKEN_EPOCH_S) / 60),
        .campaign = event.campaign,
        .kind = 2,
        .channel = event.channel,
        .variant = event.variant,
        .label = CLICK_HUMAN,
        .device = 1,
        .country = {'D', 'E'},
    };

    if (is_click)
        return click;
    event.at_ms = sent_s * 1000;
    event.value = is_mail;
    if (!is_mail) {
        event.at_ms = later_s(b, clicked_s, scatter(random + 1)) * 1000;
        event.amount = (int64_t)(500 + random % 100000);
        memcpy(event.currency, random % 8 ? "EUR" : "USD", EVENT_CURRENCY_LEN);
    }
    event_to_record(&event, &click);
    return click;
}

static void write_segment(const struct backlog *b, uint32_t sequence, uint64_t first, uint64_t n)
{
    char path[PATH_LEN], log[SEGMENT_LOG_NAME_LEN + 1], file[SEGMENT_FILE_NAME_LEN + 1];
    uint8_t head[SEGMENT_HEADER_LEN], record[CLICK_RECORD_LEN];
    struct segment_header header = {.first = first,
                                    .created_ms = (int64_t)b->now_s * 1000,
                                    .sequence = sequence,
                                    .capacity = (uint32_t)n};
    FILE *f;

    memcpy(header.log_id, b->log_id, CLICK_LOG_ID_LEN);
    segment_log_name(b->log_id, log);
    segment_file_name(sequence, file);
    snprintf(path, sizeof(path), "%s/logs/%s/%s", b->dir, log, file);
    f = fopen(path, "wb");
    if (!f)
        die(path);
    segment_header_encode(&header, head);
    fwrite(head, sizeof(head), 1, f);
    for (uint64_t i = first; i < first + n; i++) {
        struct click click = b->invoices ? make_record_of_invoice(b, i) : make_click(b, i);

        click_encode(&click, i, b->log_id, record);
        fwrite(record, sizeof(record), 1, f);
    }
    if (fclose(f) != 0)
        die(path);
}

/* NAME, NAME1, NAME2 … */
static void name_brands(struct backlog *b)
{
    char name[64];

    b->brand_ids = calloc(b->brands, sizeof(*b->brand_ids));
    if (!b->brand_ids)
        die("out of memory");
    for (unsigned long i = 0; i < b->brands; i++) {
        snprintf(name, sizeof(name), i > 0 ? "%s%lu" : "%s", b->brand, i);
        b->brand_ids[i] = click_brand_id(slice_of(name));
    }
}

static void make_dirs(const struct backlog *b)
{
    char path[PATH_LEN], log[SEGMENT_LOG_NAME_LEN + 1];

    segment_log_name(b->log_id, log);
    mkdir(b->dir, 0700);
    snprintf(path, sizeof(path), "%s/logs", b->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/logs/%s", b->dir, log);
    if (mkdir(path, 0700) != 0)
        die(path);
}

static void read_options(struct backlog *b, int argc, char **argv)
{
    static const struct option longs[] = {
        {"dir", 1, 0, 'd'},
        {"brand", 1, 0, 'b'},
        {"records", 1, 0, 'n'},
        {"links", 1, 0, 'l'},
        {"campaigns", 1, 0, 'c'},
        {"days", 1, 0, 'y'},
        {"now", 1, 0, 't'},
        {"invoices", 1, 0, 'i'},
        {"varied", 0, 0, 'v'},
        {"brands", 1, 0, 'm'},
        {0, 0, 0, 0},
    };
    int c;

    *b = (struct backlog){.brand = "acme",
                          .links = 1000,
                          .brands = 1,
                          .campaigns = 12,
                          .days = 1,
                          .now_s = (long)time(NULL)};
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'd':
            b->dir = optarg;
            break;
        case 'b':
            b->brand = optarg;
            break;
        case 'n':
            b->records = strtoul(optarg, NULL, 10);
            break;
        case 'l':
            b->links = strtoul(optarg, NULL, 10);
            break;
        case 'c':
            b->campaigns = strtoul(optarg, NULL, 10);
            break;
        case 'y':
            b->days = strtoul(optarg, NULL, 10);
            break;
        case 't':
            b->now_s = strtol(optarg, NULL, 10);
            break;
        case 'm':
            b->brands = strtoul(optarg, NULL, 10);
            break;
        case 'i':
            b->invoices = strtoul(optarg, NULL, 10) / GROUP_INVOICES * GROUP_INVOICES;
            b->records = b->invoices / GROUP_INVOICES * GROUP_RECORDS;
            break;
        case 'v':
            b->is_varied = true;
            break;
        default:
            exit(2);
        }
    }
    if (!b->dir || !b->records || !b->links || !b->brands || !b->campaigns) {
        fputs("usage: backlog --dir DIR --records N | --invoices N [--brand B] [--links N] "
              "[--brands N] [--campaigns N] [--days N] [--varied]\n",
              stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct backlog b;
    uint32_t sequence = 0;

    read_options(&b, argc, argv);
    if (sodium_init() < 0)
        return 1;
    name_brands(&b);
    randombytes_buf(b.log_id, sizeof(b.log_id));
    make_dirs(&b);
    for (uint64_t first = 0; first < b.records; first += CAPACITY)
        write_segment(&b, sequence++, first,
                      b.records - first < CAPACITY ? b.records - first : CAPACITY);
    printf("%lu records, %u segments\n", b.records, sequence);
    return 0;
}
