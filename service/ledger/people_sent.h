/* people_sent.h - people who were already sent to Redis, so that they need not be sent again.
 *
 * A client who clicks on, and a gateway that opens every link of a mail, are the same clients of
 * the same campaign and day over and over.  Adding one to a HyperLogLog that is still sparse takes
 * Redis longer than all else that a click counts.  A table of fixed size remembers the newest
 * people; one that it has lost is sent once more, which counts nobody twice.
 *
 * The table is right while Redis holds what it was sent.  When that is in doubt (a connection is
 * lost, a batch failed, a cursor went back) the caller forgets everybody.
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

/* Adds a person.  True: he is new, and is to be sent. */
MUST_USE bool people_sent_add(struct people_sent *people, const struct people_sent_person *person);

void people_sent_forget(struct people_sent *people);

#endif
