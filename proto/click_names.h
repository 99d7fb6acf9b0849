/* click_names.h - the closed lists of a click record's label reasons, browsers and systems, and the
 * names that statistics, metrics and the API use for them.  Pure.
 *
 * The numbers are in click logs and in Redis: append, never renumber.
 */
#ifndef PROTO_CLICK_NAMES_H
#define PROTO_CLICK_NAMES_H
#include "proto/click.h"

/* Why a click has its label. */
enum click_reason {
    CLICK_REASON_NONE,         /* human: no sign of a machine */
    CLICK_REASON_UNCLASSIFIED, /* human: not classified, because too many new agents came at once */
    CLICK_REASON_HEAD,         /* probe */
    CLICK_REASON_PREFETCH,     /* prefetch: the browser says that it loads ahead */
    CLICK_REASON_PREVIEW,      /* prefetch: the browser says that it shows a preview */
    CLICK_REASON_CRAWLER,      /* bot: the agent is in the list of crawlers */
    CLICK_REASON_LINK_PREVIEW, /* bot: a chat or mail program that shows previews of links */
    CLICK_REASON_LIBRARY,      /* bot: an HTTP library or command line client */
    CLICK_REASON_NO_AGENT,     /* bot: no agent; every browser sends one */
    CLICK_REASON_MANY_LINKS,   /* scanner: several links of one client within seconds */
    CLICK_REASON_MANY_NETWORKS,   /* scanner: one client's links from several networks at a time */
    CLICK_REASON_SIGNS,           /* scanner: weaker signs that together weigh enough */
    CLICK_REASON_UNKNOWN_PROGRAM, /* bot: the agent names no program that people use */
    CLICK_REASON_REPEAT, /* bot: one link opened from one network more often than a person does */
    CLICK_REASONS
};

enum click_browser {
    CLICK_BROWSER_OTHER,
    CLICK_BROWSER_CHROME,
    CLICK_BROWSER_SAFARI,
    CLICK_BROWSER_FIREFOX,
    CLICK_BROWSER_EDGE,
    CLICK_BROWSER_OPERA,
    CLICK_BROWSER_SAMSUNG,
    CLICK_BROWSER_IE,
    CLICK_BROWSER_ANDROID,
    CLICK_BROWSER_YANDEX,
    CLICK_BROWSER_UC,
    CLICK_BROWSER_DUCKDUCKGO,
    CLICK_BROWSER_IN_APP, /* the page inside another app: Facebook, Instagram, a web view … */
    CLICK_BROWSER_MAIL,   /* a mail program */
    CLICK_BROWSERS
};

enum click_system {
    CLICK_SYSTEM_OTHER,
    CLICK_SYSTEM_WINDOWS,
    CLICK_SYSTEM_MACOS,
    CLICK_SYSTEM_IOS, /* iPadOS too */
    CLICK_SYSTEM_ANDROID,
    CLICK_SYSTEM_LINUX,
    CLICK_SYSTEM_CHROMEOS,
    CLICK_SYSTEM_HARMONYOS,
    CLICK_SYSTEM_KAIOS,
    CLICK_SYSTEM_TIZEN,
    CLICK_SYSTEM_BSD,
    CLICK_SYSTEMS
};

/* Which page of ours a link led to, in place of its target or before it. */
enum click_page {
    CLICK_PAGE_NONE,
    CLICK_PAGE_EXPIRED,   /* the link is too old */
    CLICK_PAGE_RENEWED,   /* after a press on that page: a fresh link was asked for */
    CLICK_PAGE_REVOKED,   /* the link was withdrawn */
    CLICK_PAGE_USED,      /* the link was used as often as it may be */
    CLICK_PAGE_SETTLED,   /* there is nothing to pay */
    CLICK_PAGE_NO_TARGET, /* the kind leads nowhere */
    CLICK_PAGE_LATER,     /* what became of the link is not known yet */
    CLICK_PAGE_UNSURE,    /* after a press: whether the link was used can't be said now */
    CLICK_PAGE_BUTTON,    /* a button leads on */
    CLICK_PAGE_PRESSED,   /* it was pressed, and led to the target */
    CLICK_PAGE_OPTED_OUT, /* after a press: the client opted out of tracking */
    CLICK_PAGES
};

/* The label that a reason leads to. */
enum click_label click_reason_label(enum click_reason reason);

/* NULL when out of range. */
const char *click_reason_name(unsigned reason);
const char *click_browser_name(unsigned browser);
const char *click_system_name(unsigned system);
const char *click_page_name(unsigned page); /* NULL for NONE, too */

#endif
