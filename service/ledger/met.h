/* met.h - people who were counted already, so that Redis need not be told of them again.
 *
 * A client who clicks on, and a gateway that opens every link of a mail, are the same clients of
 * the same campaign and day over and over; adding one to a HyperLogLog that is still sparse takes
 * Redis longer than all else that a click counts.  A fixed table remembers the newest; who is
 * forgotten is only told of once more.
 *
 * What it remembers holds while Redis has what it was sent: when that is in doubt (a connection is
 * lost, a batch failed, a cursor went back) everything is to be forgotten.
 */
#ifndef LEDGER_MET_H
#define LEDGER_MET_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct met;

/* One of a HyperLogLog's people: see counter_key_people() and struct fold_person. */
struct met_person {
    uint64_t id;
    uint32_t brand;
    int32_t campaign;
    int64_t day; /* Unix days */
    bool is_visitor;
};

/* NULL: out of memory. */
MUST_USE struct met *met_new(void);
void met_free(struct met *met);

/* Whether the person is remembered; from now on it is. */
bool met_before(struct met *met, const struct met_person *person);

void met_forget(struct met *met);

#endif
