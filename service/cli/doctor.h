/* doctor.h - what the parts of `hopcount doctor` share: each looks at one side of the installation
 * and says, line by line, what is good or what to do. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H
#include <netinet/in.h>
#include <resolv.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"

struct config;
struct error;
struct places;
struct site;

enum doctor_grade {
    DOCTOR_GOOD,
    DOCTOR_NOTE, /* worth a thought, or nothing could be found out */
    DOCTOR_FIX,
};

enum {
    DOCTOR_CLOCK_S = 5, /* clocks that differ by more are told */
    DOCTOR_TEXT_MAX = 1024,
    DOCTOR_DNS_MAX = 16, /* records of one name that are looked at */
};

struct doctor {
    const struct config *config;
    const struct site *site;
    const struct places *places; /* with a fallback for samples */
    const char *tls_ca;          /* NULL = the system's authorities */
    bool as_json;
    struct __res_state dns;
    bool has_dns_server; /* --resolver: hosts are asked at the addresses that it tells */
    unsigned n_notes, n_fixes;
};

/* One line: `about` what it is ("acme", "redis"), `what` was looked at. */
void doctor_say(struct doctor *d, enum doctor_grade grade, const char *about, const char *what,
                const char *format, ...) PRINTF_LIKE(5, 6);

/* Compares a clock of somebody else with ours. */
void doctor_say_clock(struct doctor *d, const char *about, int64_t their_ms);

void doctor_look_at_files(struct doctor *d);
void doctor_look_at_redis(struct doctor *d);
void doctor_look_at_hosts(struct doctor *d);
void doctor_look_at_mail(struct doctor *d);
void doctor_look_at_sign_in(struct doctor *d);

/* --- names (doctor_dns.c) --- */

/* `server` "192.0.2.1" or "192.0.2.1:5353"; NULL: those of the system.  False and `*err`. */
MUST_USE bool doctor_dns_open(struct doctor *d, const char *server, struct error *err);

struct doctor_records {
    size_t n; /* 0: the name has none */
    char text[DOCTOR_DNS_MAX][DOCTOR_TEXT_MAX];
};

/* All addresses, or all texts, of a name.  False: no name server answered. */
MUST_USE bool doctor_dns_addresses(struct doctor *d, const char *name, struct doctor_records *out);
MUST_USE bool doctor_dns_texts(struct doctor *d, const char *name, struct doctor_records *out);

#endif
