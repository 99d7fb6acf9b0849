/* eventform.h - makes an event from texts, as a request, a table or a person gives them. */
#ifndef CONFIG_EVENTFORM_H
#define CONFIG_EVENTFORM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/event.h"
#include "proto/slice.h"

struct site;

enum event_field {
    EVENT_FIELD_ID,
    EVENT_FIELD_TYPE,
    EVENT_FIELD_BRAND,
    EVENT_FIELD_AT,
    EVENT_FIELD_OBJECT,
    EVENT_FIELD_CLIENT,
    EVENT_FIELD_CAMPAIGN,
    EVENT_FIELD_VARIANT,
    EVENT_FIELD_CHANNEL,
    EVENT_FIELD_N,
    EVENT_FIELD_AMOUNT,
    EVENT_FIELD_CURRENCY,
    EVENT_FIELD_BY,
    EVENT_FIELDS
};

/* An empty value counts as absent. */
struct eventform {
    struct slice field[EVENT_FIELDS];
};

struct eventform_fault {
    const char *field; /* its name */
    bool is_forbidden; /* the key is not for the brand */
    char detail[256];  /* goes on behind the field's name: "is missing" */
};

/* All of them; at most one of a field. */
struct eventform_faults {
    size_t n;
    struct eventform_fault list[EVENT_FIELDS];
};

/* Who asks, and when. */
struct eventform_maker {
    const struct site *site;
    const char *brands; /* that events may be of (brandlist.h); NULL = all */
    const char *whose;  /* whose brands they are, for an error: "this API key"; with `brands` */
    int64_t now_ms;     /* Unix; `at` of events that say nothing */
};

const char *eventform_field_name(enum event_field field);
/* The field of that name, in any case; or -1. */
int eventform_field_find(struct slice name);

/* Checks the form; false and `*faults` when fields are wrong, are missing, or say nothing of an
 * event of this type. */
MUST_USE bool eventform_make(const struct eventform_maker *maker, const struct eventform *form,
                             struct event *out, struct eventform_faults *faults);

#endif
