/* click.h - the click record, 64 bytes in the click log (FORMATS.md "Click record").
 *
 * Pure: no I/O, no clock, no allocation.  Never holds an address or a user agent.
 */
#ifndef PROTO_CLICK_H
#define PROTO_CLICK_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { CLICK_RECORD_LEN = 64, CLICK_LOG_ID_LEN = 16 };

/* Who clicked.  Everything but HUMAN counts as automated. */
enum click_label {
    CLICK_HUMAN,
    CLICK_SCANNER,
    CLICK_BOT,
    CLICK_PREFETCH,
    CLICK_PROBE,
    CLICK_LABELS /* how many there are */
};

enum click_type {
    CLICK_TYPE_CLICK = 1,
    CLICK_TYPE_RELABEL = 2, /* an earlier click, of label `old_label`, is now of `label` */
    CLICK_TYPE_EVENT = 3,   /* something else that is counted once: see event.h */
    CLICK_TYPE_PAGE = 4,    /* a link that opened led to a page of ours: no click of its own */
};

/* Facts about the origin of a click; bits of click.hints. */
enum click_hint {
    CLICK_HINT_ASN = 1,   /* an autonomous system of labels.asns or labels.asn_file */
    CLICK_HINT_RANGE = 2, /* a network of labels.ranges */
};

enum { CLICK_NETWORK_MAX = 0x3fff };

/* Device classes, browser and system families: small closed lists; names in click_*_name(). */
enum click_device {
    CLICK_DEVICE_OTHER,
    CLICK_DEVICE_PHONE,
    CLICK_DEVICE_TABLET,
    CLICK_DEVICE_DESKTOP,
    CLICK_DEVICES
};

/* A record.  In an EVENT (event.h) the fields up to `variant` may have another meaning, and the
 * last two fields replace those after it. */
struct click {
    uint64_t link_id;
    int64_t time_ms;  /* Unix, the moment of the click */
    uint64_t visitor; /* salted hash of address and agent; 0 = not made */
    uint32_t brand;   /* brand_id() */
    uint32_t object;
    uint32_t client;
    uint32_t issued_min; /* of the token, 24 bits */
    uint16_t campaign;
    uint8_t type;    /* enum click_type */
    uint8_t kind;    /* 1…15 */
    uint8_t channel; /* 0…7 */
    uint8_t variant; /* 0…7 */
    union {
        struct {
            char country[2];    /* ISO 3166-1 alpha-2 upper case; two NULs = unknown */
            uint8_t label;      /* enum click_label */
            uint8_t old_label;  /* of a RELABEL; else 0 */
            uint8_t reason;     /* why this label; see label.h */
            uint8_t device;     /* enum click_device */
            uint8_t browser;    /* 0…15 */
            uint8_t system;     /* 0…15 */
            uint8_t referrer;   /* 0…7, enum click_referrer */
            uint8_t hints;      /* enum click_hint; of a RELABEL 0 */
            uint16_t network;   /* salted hash of the client's /24 or /48, 1…CLICK_NETWORK_MAX;
                                   0 = not made, or a RELABEL */
            uint8_t old_reason; /* of a RELABEL: why the click had its old label; else 0 */
            uint8_t page;       /* of a PAGE: enum click_page (click_names.h); else 0 */
        };
        struct {
            uint32_t event_value;
            uint64_t event_id; /* 40 bits */
        };
    };
};

enum click_referrer {
    CLICK_REFERRER_NONE,
    CLICK_REFERRER_MAIL,
    CLICK_REFERRER_SEARCH,
    CLICK_REFERRER_SOCIAL,
    CLICK_REFERRER_OTHER,
    CLICK_REFERRERS
};

/* Writes `*click` as record number `position` of the log `log_id`. */
void click_encode(const struct click *click, uint64_t position,
                  const uint8_t log_id[static CLICK_LOG_ID_LEN],
                  uint8_t out[static CLICK_RECORD_LEN]);

enum click_status {
    CLICK_OK,
    CLICK_EMPTY,   /* never written: all zero */
    CLICK_DAMAGED, /* the checksum, the position or a field is wrong */
};

/* Decodes record number `position` of the log `log_id`; fills `*out` only on CLICK_OK. */
MUST_USE enum click_status click_decode(const uint8_t in[static CLICK_RECORD_LEN],
                                        uint64_t position,
                                        const uint8_t log_id[static CLICK_LOG_ID_LEN],
                                        struct click *out);

/* The same without testing the checksum, for a record whose checksum was right before. */
MUST_USE enum click_status click_decode_again(const uint8_t in[static CLICK_RECORD_LEN],
                                              uint64_t position, struct click *out);

/* The number that stands for a brand in records and Redis keys: the first 4 bytes, big-endian, of
 * BLAKE2b-256 of its name.  The configuration refuses two brands with one number. */
uint32_t click_brand_id(struct slice name);

static inline bool click_is_automated(uint8_t label)
{
    return label != CLICK_HUMAN;
}

/* The names used in statistics, metrics and the API; NULL when out of range. */
const char *click_label_name(unsigned label);
const char *click_device_name(unsigned device);
const char *click_referrer_name(unsigned referrer);

#endif
