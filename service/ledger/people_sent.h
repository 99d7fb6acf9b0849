/* people_sent.h - people who were counted, and clicks by them that were sent to Redis, so that they
 * need not be sent again.
 *
 * Many clicks are by people who were counted for the same campaign and hour: those clicks need not
 * wait (people.h).  A table of fixed size holds the people counted last.  A person who was replaced
 * in the table is counted again, which counts nobody twice.
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

/* Somebody who was counted for an hour and a campaign, for all campaigns, or for both: see struct
 * waiting. */
struct people_sent_person {
    uint64_t id;
    uint32_t brand;
    uint16_t campaign; /* of the click, in any case */
    uint8_t scope;     /* WAITING_CAMPAIGN, WAITING_ALL */
    bool is_visitor;
    uint32_t hour; /* Unix time / 3600 */
};

/* NULL: out of memory. */
MUST_USE struct people_sent *people_sent_new(void);
void people_sent_free(struct people_sent *people);

/* Adds a person, whom Redis has counted. */
void people_sent_add(struct people_sent *people, const struct people_sent_person *person);
MUST_USE bool people_sent_has(const struct people_sent *people,
                              const struct people_sent_person *person);
/* Prefetches the person's place in the table, which the cache rarely holds; call it some people
 * before people_sent_has(). */
void people_sent_expect(const struct people_sent *people, const struct people_sent_person *person);

/* Time is cut into spans of so many seconds, from the epoch on.  Clicks on one link in one span are
 * one click. */
enum { PEOPLE_SENT_CLICKS_S = 60 };

struct people_sent_click {
    uint32_t brand, object; /* the invoice */
    uint64_t link_id;
    int64_t time_s;
};

/* Prefetches what people_sent_is_repetition() will look at; reads the brand and object only. */
void people_sent_expect_click(const struct people_sent *people,
                              const struct people_sent_click *click);
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
