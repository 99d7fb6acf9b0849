/* people_sent.h - people, and clicks by them, that were already sent to Redis, so that they need
 * not be sent again.
 *
 * Most clicks are by people who clicked before on the same campaign and day: a client who clicks
 * several links, a gateway that opens all links of a mail.  Adding a person to a HyperLogLog that
 * is still sparse takes Redis longer than all other counts of a click.  A table of fixed size holds
 * the people sent last.  A person who was replaced in the table is sent again, which counts nobody
 * twice.
 *
 * The table holds clicks as well: what a click adds to the funnel of its invoice takes Redis ten
 * times longer than all its other counts.  The newest click decides what earns a payment, so only
 * repetitions are left out: clicks on the link of the invoice that was also clicked last, within
 * PEOPLE_SENT_CLICKS_S.
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

/* Time is cut into spans of so many seconds, from the epoch on.  Clicks on one link in one span are
 * one click. */
enum { PEOPLE_SENT_CLICKS_S = 60 };

struct people_sent_click {
    uint32_t brand, object; /* the invoice */
    uint64_t link_id;
    int64_t time_s;
};

/* Whether the table's click of this invoice is on the same link and in the same span.  If not, the
 * table forgets its click of the invoice, and the caller adds the new one with
 * people_sent_add_click() when it sends it: a batch may hold several clicks of the invoice. */
MUST_USE bool people_sent_is_repetition(struct people_sent *people,
                                        const struct people_sent_click *click);

/* Adds a click, which replaces the one that the table has of its invoice.  True: the table did not
 * have this click, and it must be sent. */
MUST_USE bool people_sent_add_click(struct people_sent *people,
                                    const struct people_sent_click *click);

/* Forgets all clicks.  Call it when a click turned out to be a machine's: the next click on the
 * same link may be a person's, and must be sent. */
void people_sent_forget_clicks(struct people_sent *people);

/* Empties the table, of people and of clicks. */
void people_sent_forget(struct people_sent *people);

#endif
