#include "service/label/headers.h"

#include "proto/http1.h"

static bool starts_with_nocase(struct slice s, const char *prefix)
{
    struct slice p = slice_of(prefix);

    return s.len >= p.len && slice_equal_nocase(slice_make(s.ptr, p.len), p);
}

/* Browsers append to the word: "prefetch;prerender", "prefetch;anonymous-client-ip". */
static enum click_reason purpose_of(struct slice value)
{
    if (starts_with_nocase(value, "prefetch") || starts_with_nocase(value, "prerender"))
        return CLICK_REASON_PREFETCH;
    return starts_with_nocase(value, "preview") ? CLICK_REASON_PREVIEW : CLICK_REASON_NONE;
}

enum click_reason headers_purpose(const struct http1_request *request)
{
    static const uint8_t fields[] = {HTTP1_SEC_PURPOSE, HTTP1_PURPOSE, HTTP1_X_PURPOSE,
                                     HTTP1_X_MOZ};

    for (size_t i = 0; i < sizeof(fields); i++) {
        struct slice value = request->field[fields[i]];
        enum click_reason reason;

        if (value.len && (reason = purpose_of(value)) != CLICK_REASON_NONE)
            return reason;
    }
    return CLICK_REASON_NONE;
}

/* Domains by what people do there; a host is of a domain or below it. */
static const struct {
    const char *domain;
    enum click_referrer referrer;
} domains[] = {
    {"mail.google.com", CLICK_REFERRER_MAIL},
    {"outlook.live.com", CLICK_REFERRER_MAIL},
    {"outlook.office.com", CLICK_REFERRER_MAIL},
    {"outlook.office365.com", CLICK_REFERRER_MAIL},
    {"outlook.cloud.microsoft", CLICK_REFERRER_MAIL},
    {"mail.yahoo.com", CLICK_REFERRER_MAIL},
    {"mail.aol.com", CLICK_REFERRER_MAIL},
    {"mail.proton.me", CLICK_REFERRER_MAIL},
    {"mail.yandex.ru", CLICK_REFERRER_MAIL},
    {"mail.yandex.com", CLICK_REFERRER_MAIL},
    {"e.mail.ru", CLICK_REFERRER_MAIL},
    {"mail.zoho.com", CLICK_REFERRER_MAIL},
    {"mail.zoho.eu", CLICK_REFERRER_MAIL},
    {"app.fastmail.com", CLICK_REFERRER_MAIL},
    {"www.icloud.com", CLICK_REFERRER_MAIL},
    {"webmail.gmx.net", CLICK_REFERRER_MAIL},
    {"navigator.gmx.net", CLICK_REFERRER_MAIL},
    {"navigator.web.de", CLICK_REFERRER_MAIL},
    {"email.t-online.de", CLICK_REFERRER_MAIL},
    {"mail.qq.com", CLICK_REFERRER_MAIL},
    {"mail.163.com", CLICK_REFERRER_MAIL},
    {"mail.ionos.de", CLICK_REFERRER_MAIL},
    {"mail.orange.fr", CLICK_REFERRER_MAIL},
    {"bing.com", CLICK_REFERRER_SEARCH},
    {"duckduckgo.com", CLICK_REFERRER_SEARCH},
    {"search.yahoo.com", CLICK_REFERRER_SEARCH},
    {"ecosia.org", CLICK_REFERRER_SEARCH},
    {"startpage.com", CLICK_REFERRER_SEARCH},
    {"qwant.com", CLICK_REFERRER_SEARCH},
    {"search.brave.com", CLICK_REFERRER_SEARCH},
    {"baidu.com", CLICK_REFERRER_SEARCH},
    {"yandex.ru", CLICK_REFERRER_SEARCH},
    {"yandex.com", CLICK_REFERRER_SEARCH},
    {"search.naver.com", CLICK_REFERRER_SEARCH},
    {"seznam.cz", CLICK_REFERRER_SEARCH},
    {"facebook.com", CLICK_REFERRER_SOCIAL},
    {"instagram.com", CLICK_REFERRER_SOCIAL},
    {"messenger.com", CLICK_REFERRER_SOCIAL},
    {"whatsapp.com", CLICK_REFERRER_SOCIAL},
    {"linkedin.com", CLICK_REFERRER_SOCIAL},
    {"lnkd.in", CLICK_REFERRER_SOCIAL},
    {"twitter.com", CLICK_REFERRER_SOCIAL},
    {"x.com", CLICK_REFERRER_SOCIAL},
    {"t.co", CLICK_REFERRER_SOCIAL},
    {"reddit.com", CLICK_REFERRER_SOCIAL},
    {"youtube.com", CLICK_REFERRER_SOCIAL},
    {"pinterest.com", CLICK_REFERRER_SOCIAL},
    {"tiktok.com", CLICK_REFERRER_SOCIAL},
    {"t.me", CLICK_REFERRER_SOCIAL},
    {"telegram.org", CLICK_REFERRER_SOCIAL},
    {"discord.com", CLICK_REFERRER_SOCIAL},
    {"slack.com", CLICK_REFERRER_SOCIAL},
    {"teams.microsoft.com", CLICK_REFERRER_SOCIAL},
    {"vk.com", CLICK_REFERRER_SOCIAL},
    {"xing.com", CLICK_REFERRER_SOCIAL},
    {"bsky.app", CLICK_REFERRER_SOCIAL},
    {"threads.net", CLICK_REFERRER_SOCIAL},
    {"threads.com", CLICK_REFERRER_SOCIAL},
};

static bool is_of_domain(struct slice host, struct slice domain)
{
    size_t rest;

    if (host.len < domain.len)
        return false;
    rest = host.len - domain.len;
    return slice_equal_nocase(slice_make(host.ptr + rest, domain.len), domain) &&
           (rest == 0 || host.ptr[rest - 1] == '.');
}

/* Google has a domain per country: "www.google.de", "www.google.co.uk". */
static bool is_google_search(struct slice host)
{
    return starts_with_nocase(host, "www.google.") || starts_with_nocase(host, "google.");
}

/* What webmail of one's own is called: "webmail.example.org", "mail.example.org", … */
static bool is_own_webmail(struct slice host)
{
    return starts_with_nocase(host, "mail.") || starts_with_nocase(host, "webmail.") ||
           starts_with_nocase(host, "owa.") || starts_with_nocase(host, "roundcube.");
}

static struct slice host_of_url(struct slice url)
{
    size_t skip = starts_with_nocase(url, "https://")  ? 8
                  : starts_with_nocase(url, "http://") ? 7
                                                       : 0;
    size_t len = 0;

    if (skip == 0)
        return slice_make(NULL, 0);
    while (skip + len < url.len && !strchr("/?#:", url.ptr[skip + len]))
        len++;
    return slice_make(url.ptr + skip, len);
}

enum click_referrer headers_referrer(struct slice referer)
{
    struct slice host;

    if (referer.len == 0)
        return CLICK_REFERRER_NONE;
    /* Android's mail and chat programs name themselves. */
    if (starts_with_nocase(referer, "android-app://com.google.android.gm"))
        return CLICK_REFERRER_MAIL;
    host = host_of_url(referer);
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        if (is_of_domain(host, slice_of(domains[i].domain)))
            return domains[i].referrer;
    }
    if (is_google_search(host))
        return CLICK_REFERRER_SEARCH;
    return is_own_webmail(host) ? CLICK_REFERRER_MAIL : CLICK_REFERRER_OTHER;
}
