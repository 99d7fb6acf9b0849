#include "proto/click.h"

#include <string.h>

#include <sodium.h>

#include "proto/bytes.h"

/* Where each field lives; FORMATS.md "Click record" is this list. */
enum {
    AT_POSITION = 0,
    AT_LINK = 8,
    AT_TIME = 16,
    AT_VISITOR = 24,
    AT_BRAND = 32,
    AT_OBJECT = 36,
    AT_CLIENT = 40,
    AT_ISSUED = 44, /* 3 bytes */
    AT_TYPE = 47,   /* type 4 bits | kind 4 bits */
    AT_CAMPAIGN = 48,
    AT_COUNTRY = 50,
    AT_ROUTE = 52, /* channel 3 bits | variant 3 bits << 3 */
    AT_LABEL = 53, /* label 4 bits | old label 4 bits << 4 */
    AT_REASON = 54,
    AT_DEVICE = 55,
    AT_FAMILY = 56, /* browser 4 bits | system 4 bits << 4 */
    AT_REFERRER = 57,
    AT_ORIGIN = 58, /* 2 bytes: network 14 bits | hints << 14; of a relabel the old reason, of a
                       page which */
    AT_CHECKSUM = 60,
    /* of an event, in place of those from AT_COUNTRY on */
    AT_EVENT_VALUE = 50,
    AT_EVENT_ROUTE = 54,
    AT_EVENT_ID = 55, /* 5 bytes */
};

_Static_assert(crypto_shorthash_KEYBYTES == CLICK_LOG_ID_LEN, "the log id is the SipHash key");

/* The first 4 bytes of SipHash-2-4, so that a record of another log, or of an earlier use of the
 * disk block, never passes for one of this. */
static uint32_t checksum(const uint8_t record[static CLICK_RECORD_LEN],
                         const uint8_t log_id[static CLICK_LOG_ID_LEN])
{
    uint8_t hash[crypto_shorthash_BYTES];

    crypto_shorthash(hash, record, AT_CHECKSUM, log_id);
    return le32_load(hash);
}

static uint8_t route(const struct click *click)
{
    return (uint8_t)((click->channel & 7) | (click->variant & 7) << 3);
}

/* What a click, a relabelling and a page have, and an event hasn't. */
static void encode_visit(const struct click *click, uint8_t out[static CLICK_RECORD_LEN])
{
    memcpy(out + AT_COUNTRY, click->country, 2);
    out[AT_ROUTE] = route(click);
    out[AT_LABEL] = (uint8_t)((click->label & 15) | (click->old_label & 15) << 4);
    out[AT_REASON] = click->reason;
    out[AT_DEVICE] = click->device;
    out[AT_FAMILY] = (uint8_t)((click->browser & 15) | (click->system & 15) << 4);
    out[AT_REFERRER] = click->referrer;
    if (click->type == CLICK_TYPE_RELABEL)
        le16_store(out + AT_ORIGIN, click->old_reason);
    else if (click->type == CLICK_TYPE_PAGE)
        le16_store(out + AT_ORIGIN, click->page);
    else
        le16_store(out + AT_ORIGIN,
                   (uint16_t)((click->network & CLICK_NETWORK_MAX) | (click->hints & 3) << 14));
}

static void encode_event(const struct click *click, uint8_t out[static CLICK_RECORD_LEN])
{
    le32_store(out + AT_EVENT_VALUE, click->event_value);
    out[AT_EVENT_ROUTE] = route(click);
    for (unsigned i = 0; i < 5; i++)
        out[AT_EVENT_ID + i] = (uint8_t)(click->event_id >> 8 * i);
}

void click_encode(const struct click *click, uint64_t position,
                  const uint8_t log_id[static CLICK_LOG_ID_LEN],
                  uint8_t out[static CLICK_RECORD_LEN])
{
    le64_store(out + AT_POSITION, position);
    le64_store(out + AT_LINK, click->link_id);
    le64_store(out + AT_TIME, (uint64_t)click->time_ms);
    le64_store(out + AT_VISITOR, click->visitor);
    le32_store(out + AT_BRAND, click->brand);
    le32_store(out + AT_OBJECT, click->object);
    le32_store(out + AT_CLIENT, click->client);
    le32_store(out + AT_ISSUED, click->issued_min & 0xffffff);
    out[AT_TYPE] = (uint8_t)(click->type << 4 | (click->kind & 15));
    le16_store(out + AT_CAMPAIGN, click->campaign);
    if (click->type == CLICK_TYPE_EVENT)
        encode_event(click, out);
    else
        encode_visit(click, out);
    le32_store(out + AT_CHECKSUM, checksum(out, log_id));
}
static bool is_empty(const uint8_t record[static CLICK_RECORD_LEN])
{
    static const uint8_t zero[CLICK_RECORD_LEN];

    return memcmp(record, zero, CLICK_RECORD_LEN) == 0;
}

static bool is_country(const uint8_t c[static 2])
{
    return (c[0] == 0 && c[1] == 0) || (c[0] >= 'A' && c[0] <= 'Z' && c[1] >= 'A' && c[1] <= 'Z');
}

/* A checksum says that we wrote it, not that this version understands it. */
static bool is_in_range(const uint8_t in[static CLICK_RECORD_LEN])
{
    unsigned type = in[AT_TYPE] >> 4;

    if (type == CLICK_TYPE_EVENT)
        return (in[AT_TYPE] & 15) != 0 && in[AT_EVENT_ROUTE] < 64;
    return type >= CLICK_TYPE_CLICK && type <= CLICK_TYPE_PAGE && (in[AT_TYPE] & 15) != 0 &&
           (in[AT_LABEL] & 15) < CLICK_LABELS && in[AT_LABEL] >> 4 < CLICK_LABELS &&
           in[AT_ROUTE] < 64 && in[AT_DEVICE] < CLICK_DEVICES &&
           in[AT_REFERRER] < CLICK_REFERRERS && is_country(in + AT_COUNTRY) &&
           (type == CLICK_TYPE_CLICK || le16_load(in + AT_ORIGIN) <= UINT8_MAX);
}

static void decode_visit(const uint8_t in[static CLICK_RECORD_LEN], struct click *out)
{
    unsigned origin = le16_load(in + AT_ORIGIN);

    out->country[0] = (char)in[AT_COUNTRY];
    out->country[1] = (char)in[AT_COUNTRY + 1];
    out->channel = in[AT_ROUTE] & 7;
    out->variant = in[AT_ROUTE] >> 3;
    out->label = in[AT_LABEL] & 15;
    out->old_label = in[AT_LABEL] >> 4;
    out->reason = in[AT_REASON];
    out->device = in[AT_DEVICE];
    out->browser = in[AT_FAMILY] & 15;
    out->system = in[AT_FAMILY] >> 4;
    out->referrer = in[AT_REFERRER];
    if (out->type == CLICK_TYPE_RELABEL) {
        out->old_reason = (uint8_t)origin;
    } else if (out->type == CLICK_TYPE_PAGE) {
        out->page = (uint8_t)origin;
    } else {
        out->network = origin & CLICK_NETWORK_MAX;
        out->hints = (uint8_t)(origin >> 14);
    }
}

static void decode_event(const uint8_t in[static CLICK_RECORD_LEN], struct click *out)
{
    out->event_value = le32_load(in + AT_EVENT_VALUE);
    out->channel = in[AT_EVENT_ROUTE] & 7;
    out->variant = in[AT_EVENT_ROUTE] >> 3;
    for (unsigned i = 0; i < 5; i++)
        out->event_id |= (uint64_t)in[AT_EVENT_ID + i] << 8 * i;
}

enum click_status click_decode(const uint8_t in[static CLICK_RECORD_LEN], uint64_t position,
                               const uint8_t log_id[static CLICK_LOG_ID_LEN], struct click *out)
{
    if (le64_load(in + AT_POSITION) == position &&
        le32_load(in + AT_CHECKSUM) != checksum(in, log_id))
        return is_empty(in) ? CLICK_EMPTY : CLICK_DAMAGED;
    return click_decode_again(in, position, out);
}

enum click_status click_decode_again(const uint8_t in[static CLICK_RECORD_LEN], uint64_t position,
                                     struct click *out)
{
    if (le64_load(in + AT_POSITION) != position || !is_in_range(in))
        return is_empty(in) ? CLICK_EMPTY : CLICK_DAMAGED;
    *out = (struct click){
        .link_id = le64_load(in + AT_LINK),
        .time_ms = (int64_t)le64_load(in + AT_TIME),
        .visitor = le64_load(in + AT_VISITOR),
        .brand = le32_load(in + AT_BRAND),
        .object = le32_load(in + AT_OBJECT),
        .client = le32_load(in + AT_CLIENT),
        .issued_min = le32_load(in + AT_ISSUED) & 0xffffff,
        .campaign = le16_load(in + AT_CAMPAIGN),
        .type = in[AT_TYPE] >> 4,
        .kind = in[AT_TYPE] & 15,
    };
    if (out->type == CLICK_TYPE_EVENT)
        decode_event(in, out);
    else
        decode_visit(in, out);
    return CLICK_OK;
}

uint32_t click_brand_id(struct slice name)
{
    uint8_t hash[crypto_generichash_BYTES];

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)name.ptr, name.len, NULL, 0);
    return be32_load(hash);
}

static const char *name_of(const char *const *names, size_t n, unsigned i)
{
    return i < n ? names[i] : NULL;
}

const char *click_label_name(unsigned label)
{
    static const char *const names[] = {"human", "scanner", "bot", "prefetch", "probe"};

    return name_of(names, CLICK_LABELS, label);
}

const char *click_device_name(unsigned device)
{
    static const char *const names[] = {"other", "phone", "tablet", "desktop"};

    return name_of(names, CLICK_DEVICES, device);
}

const char *click_referrer_name(unsigned referrer)
{
    static const char *const names[] = {"none", "mail", "search", "social", "other"};

    return name_of(names, CLICK_REFERRERS, referrer);
}
