/* people_sent.h - people who were already sent to Redis, so that they need not be sent again.
 *
 * Most clicks are by people who clicked before on the same campaign and day: a client who clicks
 * several links, a gateway that opens all links of a mail.  Adding a person to a HyperLogLog that
 * is still sparse takes Redis longer than all other counts of a click.  A table of fixed size holds
 * the people sent last.  A person who was replaced in the table is sent again, which counts nobody
 * twice.
 *
 * The table is right while Redis holds what was sent.  When the connection is lost, a batch failed
 * or a cursor went back, the caller empties the table.
 */
#ifndef LEDGER_PEOPLE_SENT_H
#define LEDGER_PEOPLE_SENT_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct people_sent;

/* One of a HyperLogLog's people: see counter_key_people() and struct fold_person. */
struct people_sent_person {
    uint64_t id;
    uint32_t brand;
    int32_t campaign;
    int64_t day; /* Unix days */
    bool is_visitor;
};

/* NULL: out of memory. */
MUST_USE struct people_sent *people_sent_new(void);
void people_sent_free(struct people_sent *people);

/* Adds a person.  True: the person was not in the table, and must be sent. */
MUST_USE bool people_sent_add(struct people_sent *people, const struct people_sent_person *person);

void people_sent_forget(struct people_sent *people);

#endif
