#include "proto/click_names.h"

#include <stddef.h>

_Static_assert(CLICK_BROWSERS <= 16 && CLICK_SYSTEMS <= 16, "four bits each in a click record");

static const char *const reasons[CLICK_REASONS] = {
    [CLICK_REASON_NONE] = "none",
    [CLICK_REASON_UNCLASSIFIED] = "unclassified",
    [CLICK_REASON_HEAD] = "head",
    [CLICK_REASON_PREFETCH] = "prefetch",
    [CLICK_REASON_PREVIEW] = "preview",
    [CLICK_REASON_CRAWLER] = "crawler",
    [CLICK_REASON_LINK_PREVIEW] = "link_preview",
    [CLICK_REASON_LIBRARY] = "library",
    [CLICK_REASON_NO_AGENT] = "no_agent",
    [CLICK_REASON_MANY_LINKS] = "many_links",
    [CLICK_REASON_MANY_NETWORKS] = "many_networks",
    [CLICK_REASON_SIGNS] = "signs",
    [CLICK_REASON_UNKNOWN_PROGRAM] = "unknown_program",
    [CLICK_REASON_REPEAT] = "repeat",
};

static const char *const browsers[CLICK_BROWSERS] = {
    [CLICK_BROWSER_OTHER] = "other",     [CLICK_BROWSER_CHROME] = "chrome",
    [CLICK_BROWSER_SAFARI] = "safari",   [CLICK_BROWSER_FIREFOX] = "firefox",
    [CLICK_BROWSER_EDGE] = "edge",       [CLICK_BROWSER_OPERA] = "opera",
    [CLICK_BROWSER_SAMSUNG] = "samsung", [CLICK_BROWSER_IE] = "ie",
    [CLICK_BROWSER_ANDROID] = "android", [CLICK_BROWSER_YANDEX] = "yandex",
    [CLICK_BROWSER_UC] = "uc",           [CLICK_BROWSER_DUCKDUCKGO] = "duckduckgo",
    [CLICK_BROWSER_IN_APP] = "in_app",   [CLICK_BROWSER_MAIL] = "mail",
};

static const char *const systems[CLICK_SYSTEMS] = {
    [CLICK_SYSTEM_OTHER] = "other",       [CLICK_SYSTEM_WINDOWS] = "windows",
    [CLICK_SYSTEM_MACOS] = "macos",       [CLICK_SYSTEM_IOS] = "ios",
    [CLICK_SYSTEM_ANDROID] = "android",   [CLICK_SYSTEM_LINUX] = "linux",
    [CLICK_SYSTEM_CHROMEOS] = "chromeos", [CLICK_SYSTEM_HARMONYOS] = "harmonyos",
    [CLICK_SYSTEM_KAIOS] = "kaios",       [CLICK_SYSTEM_TIZEN] = "tizen",
    [CLICK_SYSTEM_BSD] = "bsd",
};

enum click_label click_reason_label(enum click_reason reason)
{
    switch (reason) {
    case CLICK_REASON_NONE:
    case CLICK_REASON_UNCLASSIFIED:
        return CLICK_HUMAN;
    case CLICK_REASON_HEAD:
        return CLICK_PROBE;
    case CLICK_REASON_PREFETCH:
    case CLICK_REASON_PREVIEW:
        return CLICK_PREFETCH;
    case CLICK_REASON_CRAWLER:
    case CLICK_REASON_LINK_PREVIEW:
    case CLICK_REASON_LIBRARY:
    case CLICK_REASON_NO_AGENT:
    case CLICK_REASON_UNKNOWN_PROGRAM:
    case CLICK_REASON_REPEAT:
        return CLICK_BOT;
    case CLICK_REASON_MANY_LINKS:
    case CLICK_REASON_MANY_NETWORKS:
    case CLICK_REASON_SIGNS:
        return CLICK_SCANNER;
    case CLICK_REASONS:
        break;
    }
    return CLICK_HUMAN;
}

const char *click_reason_name(unsigned reason)
{
    return reason < CLICK_REASONS ? reasons[reason] : NULL;
}

const char *click_browser_name(unsigned browser)
{
    return browser < CLICK_BROWSERS ? browsers[browser] : NULL;
}

const char *click_system_name(unsigned system)
{
    return system < CLICK_SYSTEMS ? systems[system] : NULL;
}

const char *click_page_name(unsigned page)
{
    static const char *const names[CLICK_PAGES] = {
        NULL,        "expired", "renewed", "revoked", "used",    "settled",
        "no_target", "later",   "unsure",  "button",  "pressed", "opted_out",
    };

    return page < CLICK_PAGES ? names[page] : NULL;
}
