/* texts.h - what pages say, by language: data files (service/texts), and a brand's own over them.
 *
 * Read at load and escaped for HTML there; then only read.
 */
#ifndef CONFIG_TEXTS_H
#define CONFIG_TEXTS_H
#include "proto/compiler.h"
#include "proto/slice.h"

struct error;
struct texts; /* languages, each with all texts */

enum text {
    TEXT_BAD_REQUEST_TITLE,
    TEXT_BAD_REQUEST,
    TEXT_NOT_FOUND_TITLE,
    TEXT_NOT_FOUND,
    TEXT_EXPIRED_TITLE,
    TEXT_EXPIRED,
    TEXT_VIEW_TITLE,
    TEXT_VIEW,
    TEXT_UNSURE_TITLE,
    TEXT_UNSURE,
    TEXT_REVOKED_TITLE,
    TEXT_REVOKED,
    TEXT_USED_TITLE,
    TEXT_USED,
    TEXT_LATER_TITLE,
    TEXT_LATER,
    TEXT_SETTLED_TITLE,
    TEXT_SETTLED,
    TEXT_OPT_OUT_TITLE,
    TEXT_OPT_OUT,
    TEXT_OPTED_OUT_TITLE,
    TEXT_OPTED_OUT,
    TEXT_RENEWED_TITLE,
    TEXT_RENEWED,
    TEXT_HOME_TITLE,
    TEXT_HOME,
    TEXT_ONWARD_TITLE,
    TEXT_ONWARD,
    TEXT_CONFIRM_TITLE,
    TEXT_CONFIRM,
    TEXT_GO_ON, /* on the button of the two pages before */
    TEXT_AGAIN, /* on the button that opens the page with a button anew */
    TEXT_OPT_OUT_BUTTON,
    TEXT_RENEW_BUTTON,
    TEXT_ACCOUNT_LINK, /* on the button into the account */
    TEXT_HOME_LINK,
    TEXT_HELP, /* before the way to reach the brand */
    TEXTS
};

enum { TEXTS_LANGUAGES_MAX = 64 };

struct texts_language {
    struct slice tag;         /* "de", "pt-br" */
    struct slice text[TEXTS]; /* as HTML, none empty */
};

/* Those that are built in.  NULL and `*err` (file, line, key) on failure: one has a fault, or lacks
 * a text. */
MUST_USE struct texts *texts_new(struct error *err);

/*
 * Reads the files LANGUAGE.yaml in `folder`, whose texts replace those of `base`.  Borrows `base`
 * as long as the result lives.  A file may hold some of the texts; the others come from `base`:
 * from its language, or else from the one without the region ("de" for "de-at").  If `base` has
 * neither, the file must hold all texts. NULL and `*err` (file, line, key) on failure.
 */
MUST_USE struct texts *texts_load(const struct texts *base, const char *folder, struct error *err);
/* NULL is allowed. */
void texts_free(struct texts *texts);

/* The number of a language; -1: there are no texts in it. */
int texts_find(const struct texts *texts, struct slice tag);

/* The language for an Accept-Language field; if it names none of ours, `fallback`, a number from
 * texts_find(). */
const struct texts_language *texts_choose(const struct texts *texts, struct slice accept_language,
                                          int fallback);

#endif
