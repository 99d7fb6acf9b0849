#include "service/label/headers.h"

#include <stdint.h>

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

#define DOMAIN(text, kind)                            \
    {                                                 \
        text, sizeof(text) - 1, CLICK_REFERRER_##kind \
    }

/* Domains by what people do there, in small letters; a host is of a domain or below it. */
static const struct {
    const char *name;
    uint8_t len;
    uint8_t referrer; /* enum click_referrer */
} domains[] = {
    DOMAIN("mail.google.com", MAIL),
    DOMAIN("outlook.live.com", MAIL),
    DOMAIN("outlook.office.com", MAIL),
    DOMAIN("outlook.office365.com", MAIL),
    DOMAIN("outlook.cloud.microsoft", MAIL),
    DOMAIN("mail.yahoo.com", MAIL),
    DOMAIN("mail.aol.com", MAIL),
    DOMAIN("mail.proton.me", MAIL),
    DOMAIN("mail.yandex.ru", MAIL),
    DOMAIN("mail.yandex.com", MAIL),
    DOMAIN("e.mail.ru", MAIL),
    DOMAIN("mail.zoho.com", MAIL),
    DOMAIN("mail.zoho.eu", MAIL),
    DOMAIN("app.fastmail.com", MAIL),
    DOMAIN("www.icloud.com", MAIL),
    DOMAIN("webmail.gmx.net", MAIL),
    DOMAIN("navigator.gmx.net", MAIL),
    DOMAIN("navigator.web.de", MAIL),
    DOMAIN("email.t-online.de", MAIL),
    DOMAIN("mail.qq.com", MAIL),
    DOMAIN("mail.163.com", MAIL),
    DOMAIN("mail.ionos.de", MAIL),
    DOMAIN("mail.orange.fr", MAIL),
    /* Pages that mail gateways show before they lead on. */
    DOMAIN("safelinks.protection.outlook.com", MAIL),
    DOMAIN("urldefense.com", MAIL),
    DOMAIN("urldefense.proofpoint.com", MAIL),
    DOMAIN("mimecast.com", MAIL),
    DOMAIN("linkprotect.cudasvc.com", MAIL),
    DOMAIN("secure-web.cisco.com", MAIL),
    DOMAIN("bing.com", SEARCH),
    DOMAIN("duckduckgo.com", SEARCH),
    DOMAIN("search.yahoo.com", SEARCH),
    DOMAIN("ecosia.org", SEARCH),
    DOMAIN("startpage.com", SEARCH),
    DOMAIN("qwant.com", SEARCH),
    DOMAIN("search.brave.com", SEARCH),
    DOMAIN("baidu.com", SEARCH),
    DOMAIN("yandex.ru", SEARCH),
    DOMAIN("yandex.com", SEARCH),
    DOMAIN("search.naver.com", SEARCH),
    DOMAIN("seznam.cz", SEARCH),
    DOMAIN("facebook.com", SOCIAL),
    DOMAIN("instagram.com", SOCIAL),
    DOMAIN("messenger.com", SOCIAL),
    DOMAIN("whatsapp.com", SOCIAL),
    DOMAIN("linkedin.com", SOCIAL),
    DOMAIN("lnkd.in", SOCIAL),
    DOMAIN("twitter.com", SOCIAL),
    DOMAIN("x.com", SOCIAL),
    DOMAIN("t.co", SOCIAL),
    DOMAIN("reddit.com", SOCIAL),
    DOMAIN("youtube.com", SOCIAL),
    DOMAIN("pinterest.com", SOCIAL),
    DOMAIN("tiktok.com", SOCIAL),
    DOMAIN("t.me", SOCIAL),
    DOMAIN("telegram.org", SOCIAL),
    DOMAIN("discord.com", SOCIAL),
    DOMAIN("slack.com", SOCIAL),
    DOMAIN("teams.microsoft.com", SOCIAL),
    DOMAIN("vk.com", SOCIAL),
    DOMAIN("xing.com", SOCIAL),
    DOMAIN("bsky.app", SOCIAL),
    DOMAIN("threads.net", SOCIAL),
    DOMAIN("threads.com", SOCIAL),
    /* Programs on Android, which name themselves: android-app://com.google.android.gm/ */
    DOMAIN("com.google.android.gm", MAIL),
    DOMAIN("com.google.android.gm.lite", MAIL),
    DOMAIN("com.microsoft.office.outlook", MAIL),
    DOMAIN("com.yahoo.mobile.client.android.mail", MAIL),
    DOMAIN("com.samsung.android.email.provider", MAIL),
    DOMAIN("ch.protonmail.android", MAIL),
    DOMAIN("de.gmx.mobile.android.mail", MAIL),
    DOMAIN("de.web.mobile.android.mail", MAIL),
    DOMAIN("com.google.android.googlequicksearchbox", SEARCH),
    DOMAIN("com.facebook.katana", SOCIAL),
    DOMAIN("com.facebook.orca", SOCIAL),
    DOMAIN("com.instagram.android", SOCIAL),
    DOMAIN("com.whatsapp", SOCIAL),
    DOMAIN("org.telegram.messenger", SOCIAL),
    DOMAIN("com.linkedin.android", SOCIAL),
    DOMAIN("com.twitter.android", SOCIAL),
    DOMAIN("com.reddit.frontpage", SOCIAL),
    DOMAIN("com.discord", SOCIAL),
    DOMAIN("com.slack", SOCIAL),
    DOMAIN("com.microsoft.teams", SOCIAL),
};

/* Bit n: the last n bytes of the host are a domain that it is of or below. */
static uint64_t domain_lens(struct slice host)
{
    uint64_t lens = 0;

    for (size_t len = 1; len <= host.len && len < 64; len++) {
        if (len == host.len || host.ptr[host.len - len - 1] == '.')
            lens |= UINT64_C(1) << len;
    }
    return lens;
}

/* Most hosts are of no domain in the list, and of few lengths: these tell nearly all apart. */
static enum click_referrer find_domain(struct slice host)
{
    uint64_t lens = domain_lens(host);

    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        size_t len = domains[i].len;

        if ((lens >> len & 1) != 0 && slice_equal_nocase(slice_make(host.ptr + host.len - len, len),
                                                         slice_make(domains[i].name, len)))
            return (enum click_referrer)domains[i].referrer;
    }
    return CLICK_REFERRER_OTHER;
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

static bool ends_host(char c)
{
    return c == '/' || c == '?' || c == '#' || c == ':';
}

static struct slice host_of_url(struct slice url)
{
    size_t skip = starts_with_nocase(url, "https://")         ? 8
                  : starts_with_nocase(url, "http://")        ? 7
                  : starts_with_nocase(url, "android-app://") ? 14
                                                              : 0;
    size_t len = 0;

    if (skip == 0)
        return slice_make(NULL, 0);
    while (skip + len < url.len && !ends_host(url.ptr[skip + len]))
        len++;
    return slice_make(url.ptr + skip, len);
}

enum click_referrer headers_referrer(struct slice referer)
{
    struct slice host;
    enum click_referrer referrer;

    if (referer.len == 0)
        return CLICK_REFERRER_NONE;
    host = host_of_url(referer);
    referrer = find_domain(host);
    if (referrer != CLICK_REFERRER_OTHER)
        return referrer;
    if (is_google_search(host))
        return CLICK_REFERRER_SEARCH;
    return is_own_webmail(host) ? CLICK_REFERRER_MAIL : CLICK_REFERRER_OTHER;
}
