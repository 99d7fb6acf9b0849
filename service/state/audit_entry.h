/* audit_entry.h - one entry of the audit log: who did what, when, and from which address.
 *
 * Entries are the members of a sorted set in Redis, whose score is the time (FORMATS.md "Audit
 * log").  Pure: no I/O and no clock. */
#ifndef STATE_AUDIT_ENTRY_H
#define STATE_AUDIT_ENTRY_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum {
    AUDIT_WHO_MAX = 127,
    AUDIT_ADDRESS_MAX = 63,
    AUDIT_BRAND_MAX = 63,
    AUDIT_WHAT_MAX = 255,
    AUDIT_ENTRIES_MAX = 50000, /* in Redis, some 20 MB; the oldest go first */
};

enum audit_action {
    AUDIT_SIGN_IN,
    AUDIT_SIGN_IN_REFUSED,
    AUDIT_SIGN_OUT,
    AUDIT_NAME,     /* a campaign was named */
    AUDIT_REVOKE,   /* links were made void */
    AUDIT_UNREVOKE, /* and valid again */
    AUDIT_EVENTS,   /* events were posted */
    AUDIT_EXPORT,   /* a table or a list was fetched as CSV, or a timeline as a file */
    AUDIT_ERASE,    /* a client was erased */
    AUDIT_RELOAD,   /* configuration and keys were read anew */
    AUDIT_ANNOTATE, /* a note was put on the time axis */
    AUDIT_UNANNOTATE,
    AUDIT_SAVE_VIEW, /* a view got its name or another one */
    AUDIT_DELETE_VIEW,
    AUDIT_SHARE, /* a link was made that shows a view without a key */
    AUDIT_UNSHARE,
    AUDIT_ACTIONS
};

struct audit_entry {
    int64_t at_ms; /* Unix */
    uint64_t id;   /* random: two entries that are alike are two */
    enum audit_action action;
    uint32_t n;                          /* how often, at least 1 */
    uint32_t client;                     /* whom it is about; 0 = nobody, or erased */
    char who[AUDIT_WHO_MAX + 1];         /* the API key or user; "" = not known */
    char address[AUDIT_ADDRESS_MAX + 1]; /* "" = none */
    char brand[AUDIT_BRAND_MAX + 1];     /* "" = of no single one */
    char what[AUDIT_WHAT_MAX + 1];       /* more, for people: "campaign 12: Reminder" */
};

/* "sign_in", "revoke", …: as the API and the log of the audit name it. */
const char *audit_action_name(enum audit_action action);
/* AUDIT_ACTIONS: there is none of that name. */
enum audit_action audit_action_find(struct slice name);

/* Copies as much of `text` as fits, whole characters only. */
void audit_set_text(char *out, size_t room, struct slice text);

/* The member of the set: malloc()ed text, NULL = no memory. */
MUST_USE char *audit_entry_write(const struct audit_entry *entry);
/* False: it isn't an entry, or of an action that this version doesn't know. */
MUST_USE bool audit_entry_read(struct slice member, struct audit_entry *out);

/* Takes the client out of an entry; what is left says that there was one. */
void audit_entry_erase_client(struct audit_entry *entry);

#endif
