/* report_text.h - a report (report.h) as people read it: as a mail, on a terminal, in a chat.
 *
 * Names of campaigns come from outside: HTML has them escaped, and chats get them as plain text. */
#ifndef REPORTS_REPORT_TEXT_H
#define REPORTS_REPORT_TEXT_H
#include <jansson.h>

#include "proto/compiler.h"

enum report_language { REPORT_ENGLISH, REPORT_GERMAN };

enum report_form {
    REPORT_TITLE, /* one line: the subject of a mail */
    REPORT_PLAIN,
    REPORT_HTML,  /* a page without anything to load, which prints on A4 */
    REPORT_SLACK, /* the body of a POST to an incoming webhook */
    REPORT_TEAMS, /* the same of a workflow of Microsoft Teams: an Adaptive Card */
};

/* UTF-8; the caller frees it.  NULL: out of memory. */
MUST_USE char *report_write(const json_t *report, enum report_language language,
                            enum report_form form);

#endif
