#include "service/label/headers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http1.h"

static bool starts_with_nocase(struct slice s, const char *prefix)
{
    struct slice p = slice_of(prefix);

    return s.len >= p.len && slice_equal_nocase(slice_make(s.ptr, p.len), p);
}

enum click_reason headers_purpose(const struct http1_request *request)
{
    static const uint8_t fields[] = {HTTP1_SEC_PURPOSE, HTTP1_PURPOSE, HTTP1_X_PURPOSE,
                                     HTTP1_X_MOZ};

    for (size_t i = 0; i < sizeof(fields); i++) {
        struct slice value = request->field[fields[i]];

        if (value.len == 0)
            continue;
        /* Browsers append to the word: "prefetch;prerender", "prefetch;anonymous-client-ip". */
        if (starts_with_nocase(value, "prefetch") || starts_with_nocase(value, "prerender"))
            return CLICK_REASON_PREFETCH;
        if (starts_with_nocase(value, "preview"))
            return CLICK_REASON_PREVIEW;
    }
    return CLICK_REASON_NONE;
}

bool headers_say_navigation(const struct http1_request *request)
{
    return slice_equal(request->field[HTTP1_SEC_FETCH_USER], slice_of("?1")) &&
           slice_equal(request->field[HTTP1_SEC_FETCH_MODE], slice_of("navigate")) &&
           request->field[HTTP1_ACCEPT_LANGUAGE].len > 0;
}

#define DOMAIN(text, kind)                            \
    {                                                 \
        text, sizeof(text) - 1, CLICK_REFERRER_##kind \
    }

/*
 * Domains by what people do there, lower case, sorted by name.  An entry covers the domain and all
 * hosts below it.  MAIL covers webmail, the warning pages that mail gateways show before they
 * redirect, and mail programs on Android, which send their package name:
 * android-app://com.google.android.gm/.
 */
static const struct domain {
    const char *name;
    uint8_t len;
    uint8_t referrer; /* enum click_referrer */
} domains[] = {
    DOMAIN("3c-lxa.mail.com", MAIL),
    DOMAIN("3c.gmx.net", MAIL),
    DOMAIN("3c.web.de", MAIL),
    DOMAIN("app.fastmail.com", MAIL),
    DOMAIN("app.frontapp.com", MAIL),
    DOMAIN("app.hey.com", MAIL),
    DOMAIN("app.mailbox.org", MAIL),
    DOMAIN("app.titan.email", MAIL),
    DOMAIN("app.tuta.com", MAIL),
    DOMAIN("area1security.com", MAIL),
    DOMAIN("avanan.click", MAIL),
    DOMAIN("avanan.net", MAIL),
    DOMAIN("baidu.com", SEARCH),
    DOMAIN("bing.com", SEARCH),
    DOMAIN("bsky.app", SOCIAL),
    DOMAIN("ch.protonmail.android", MAIL),
    DOMAIN("clicktime.cloud.postoffice.net", MAIL),
    DOMAIN("clicktime.symantec.com", MAIL),
    DOMAIN("cloud-protect.net", MAIL),
    DOMAIN("com.android.email", MAIL),
    DOMAIN("com.aol.mobile.aolapp", MAIL),
    DOMAIN("com.discord", SOCIAL),
    DOMAIN("com.easilydo.mail", MAIL),
    DOMAIN("com.facebook.katana", SOCIAL),
    DOMAIN("com.facebook.orca", SOCIAL),
    DOMAIN("com.fastmail.app", MAIL),
    DOMAIN("com.fsck.k9", MAIL),
    DOMAIN("com.google.android.gm", MAIL),
    DOMAIN("com.google.android.gm.lite", MAIL),
    DOMAIN("com.google.android.googlequicksearchbox", SEARCH),
    DOMAIN("com.htc.android.mail", MAIL),
    DOMAIN("com.instagram.android", SOCIAL),
    DOMAIN("com.lge.email", MAIL),
    DOMAIN("com.linkedin.android", SOCIAL),
    DOMAIN("com.microsoft.office.outlook", MAIL),
    DOMAIN("com.microsoft.teams", SOCIAL),
    DOMAIN("com.my.mail", MAIL),
    DOMAIN("com.netease.mail", MAIL),
    DOMAIN("com.nhn.android.mail", MAIL),
    DOMAIN("com.ninefolders.hd3", MAIL),
    DOMAIN("com.readdle.spark", MAIL),
    DOMAIN("com.reddit.frontpage", SOCIAL),
    DOMAIN("com.samsung.android.email.provider", MAIL),
    DOMAIN("com.slack", SOCIAL),
    DOMAIN("com.tencent.androidqqmail", MAIL),
    DOMAIN("com.twitter.android", SOCIAL),
    DOMAIN("com.whatsapp", SOCIAL),
    DOMAIN("com.yahoo.mobile.client.android.mail", MAIL),
    DOMAIN("com.yahoo.mobile.client.android.mail.lite", MAIL),
    DOMAIN("com.zoho.mail", MAIL),
    DOMAIN("connect.xfinity.com", MAIL),
    DOMAIN("ctp.trendmicro.com", MAIL),
    DOMAIN("cudasvc.com", MAIL),
    DOMAIN("de.gmx.mobile.android.mail", MAIL),
    DOMAIN("de.telekom.mail", MAIL),
    DOMAIN("de.tutao.tutanota", MAIL),
    DOMAIN("de.web.mobile.android.mail", MAIL),
    DOMAIN("deref-1und1.de", MAIL),
    DOMAIN("deref-gmx.at", MAIL),
    DOMAIN("deref-gmx.ch", MAIL),
    DOMAIN("deref-gmx.com", MAIL),
    DOMAIN("deref-gmx.net", MAIL),
    DOMAIN("deref-mail.com", MAIL),
    DOMAIN("deref-posteo.de", MAIL),
    DOMAIN("deref-web-02.de", MAIL),
    DOMAIN("deref-web.de", MAIL),
    DOMAIN("discord.com", SOCIAL),
    DOMAIN("duckduckgo.com", SEARCH),
    DOMAIN("e.mail.ru", MAIL),
    DOMAIN("ecosia.org", SEARCH),
    DOMAIN("edgepilot.com", MAIL),
    DOMAIN("email.bol.uol.com.br", MAIL),
    DOMAIN("email.bt.com", MAIL),
    DOMAIN("email.cz", MAIL),
    DOMAIN("email.secureserver.net", MAIL),
    DOMAIN("email.seznam.cz", MAIL),
    DOMAIN("email.t-online.de", MAIL),
    DOMAIN("email.telstra.com", MAIL),
    DOMAIN("email.uol.com.br", MAIL),
    DOMAIN("emailprotection.link", MAIL),
    DOMAIN("ess.barracudanetworks.com", MAIL),
    DOMAIN("eu.faircode.email", MAIL),
    DOMAIN("exmail.qq.com", MAIL),
    DOMAIN("facebook.com", SOCIAL),
    DOMAIN("fireeye.com", MAIL),
    DOMAIN("fortimailcloud.com", MAIL),
    DOMAIN("freemail.hu", MAIL),
    DOMAIN("gmail.com", MAIL),
    DOMAIN("hornetsecurity.com", MAIL),
    DOMAIN("hotmail.com", MAIL),
    DOMAIN("imsva91-ctp.trendmicro.com", MAIL),
    DOMAIN("inky.com", MAIL),
    DOMAIN("instagram.com", SOCIAL),
    DOMAIN("io.canarymail.android", MAIL),
    DOMAIN("link.greathorn.com", MAIL),
    DOMAIN("link.mailguard.com.au", MAIL),
    DOMAIN("linkedin.com", SOCIAL),
    DOMAIN("linklock.titanhq.com", MAIL),
    DOMAIN("linkprotect.eset.com", MAIL),
    DOMAIN("lnkd.in", SOCIAL),
    DOMAIN("mail.126.com", MAIL),
    DOMAIN("mail.163.com", MAIL),
    DOMAIN("mail.aliyun.com", MAIL),
    DOMAIN("mail.aol.com", MAIL),
    DOMAIN("mail.daum.net", MAIL),
    DOMAIN("mail.google.com", MAIL),
    DOMAIN("mail.hostinger.com", MAIL),
    DOMAIN("mail.i.ua", MAIL),
    DOMAIN("mail.ionos.co.uk", MAIL),
    DOMAIN("mail.ionos.com", MAIL),
    DOMAIN("mail.ionos.de", MAIL),
    DOMAIN("mail.ionos.es", MAIL),
    DOMAIN("mail.ionos.fr", MAIL),
    DOMAIN("mail.kakao.com", MAIL),
    DOMAIN("mail.libero.it", MAIL),
    DOMAIN("mail.naver.com", MAIL),
    DOMAIN("mail.orange.fr", MAIL),
    DOMAIN("mail.ovh.net", MAIL),
    DOMAIN("mail.proton.me", MAIL),
    DOMAIN("mail.protonmail.com", MAIL),
    DOMAIN("mail.qq.com", MAIL),
    DOMAIN("mail.rambler.ru", MAIL),
    DOMAIN("mail.rediff.com", MAIL),
    DOMAIN("mail.sina.com.cn", MAIL),
    DOMAIN("mail.superhuman.com", MAIL),
    DOMAIN("mail.terra.com.br", MAIL),
    DOMAIN("mail.tiscali.it", MAIL),
    DOMAIN("mail.titan.email", MAIL),
    DOMAIN("mail.tutanota.com", MAIL),
    DOMAIN("mail.ukr.net", MAIL),
    DOMAIN("mail.virgilio.it", MAIL),
    DOMAIN("mail.yahoo.co.jp", MAIL),
    DOMAIN("mail.yahoo.com", MAIL),
    DOMAIN("mail.yandex.by", MAIL),
    DOMAIN("mail.yandex.com", MAIL),
    DOMAIN("mail.yandex.kz", MAIL),
    DOMAIN("mail.yandex.net", MAIL),
    DOMAIN("mail.yandex.ru", MAIL),
    DOMAIN("mail.zoho.com", MAIL),
    DOMAIN("mail.zoho.eu", MAIL),
    DOMAIN("mail.zoho.in", MAIL),
    DOMAIN("mailspamprotection.com", MAIL),
    DOMAIN("mcas.ms", MAIL),
    DOMAIN("me.bluemail.mail", MAIL),
    DOMAIN("messagerie.orange.fr", MAIL),
    DOMAIN("messagerie.sfr.fr", MAIL),
    DOMAIN("messenger.com", SOCIAL),
    DOMAIN("mimecast.com", MAIL),
    DOMAIN("mimecastprotect.com", MAIL),
    DOMAIN("missiveapp.com", MAIL),
    DOMAIN("navigator-lxa.mail.com", MAIL),
    DOMAIN("navigator.gmx.net", MAIL),
    DOMAIN("navigator.web.de", MAIL),
    DOMAIN("net.daum.android.mail", MAIL),
    DOMAIN("net.thunderbird.android", MAIL),
    DOMAIN("octavius.mail.ru", MAIL),
    DOMAIN("office.mailbox.org", MAIL),
    DOMAIN("org.kman.aquamail", MAIL),
    DOMAIN("org.telegram.messenger", SOCIAL),
    DOMAIN("outlook.cloud.microsoft", MAIL),
    DOMAIN("outlook.com", MAIL),
    DOMAIN("outlook.live.com", MAIL),
    DOMAIN("outlook.office.com", MAIL),
    DOMAIN("outlook.office365.com", MAIL),
    DOMAIN("outlook.office365.us", MAIL),
    DOMAIN("perception-point.io", MAIL),
    DOMAIN("pinterest.com", SOCIAL),
    DOMAIN("poczta.interia.pl", MAIL),
    DOMAIN("poczta.o2.pl", MAIL),
    DOMAIN("poczta.onet.pl", MAIL),
    DOMAIN("poczta.wp.pl", MAIL),
    DOMAIN("posteo.de", MAIL),
    DOMAIN("privateemail.com", MAIL),
    DOMAIN("protect.checkpoint.com", MAIL),
    DOMAIN("protection.sophos.com", MAIL),
    DOMAIN("qiye.aliyun.com", MAIL),
    DOMAIN("qwant.com", SEARCH),
    DOMAIN("reddit.com", SOCIAL),
    DOMAIN("rediffmail.com", MAIL),
    DOMAIN("ru.mail.mailapp", MAIL),
    DOMAIN("ru.yandex.mail", MAIL),
    DOMAIN("safelinks.protection.office365.us", MAIL),
    DOMAIN("scanmail.trustwave.com", MAIL),
    DOMAIN("search.brave.com", SEARCH),
    DOMAIN("search.naver.com", SEARCH),
    DOMAIN("search.yahoo.com", SEARCH),
    DOMAIN("secure-web.cisco.com", MAIL),
    DOMAIN("seznam.cz", SEARCH),
    DOMAIN("slack.com", SOCIAL),
    DOMAIN("spamtitan.com", MAIL),
    DOMAIN("spike.chat", MAIL),
    DOMAIN("startpage.com", SEARCH),
    DOMAIN("t.co", SOCIAL),
    DOMAIN("t.me", SOCIAL),
    DOMAIN("teams.microsoft.com", SOCIAL),
    DOMAIN("telegram.org", SOCIAL),
    DOMAIN("threads.com", SOCIAL),
    DOMAIN("threads.net", SOCIAL),
    DOMAIN("tiktok.com", SOCIAL),
    DOMAIN("titan.hostinger.com", MAIL),
    DOMAIN("touch.mail.ru", MAIL),
    DOMAIN("tpx.retarus.com", MAIL),
    DOMAIN("trellix.com", MAIL),
    DOMAIN("twitter.com", SOCIAL),
    DOMAIN("url.mailanyone.net", MAIL),
    DOMAIN("url.serverdata.net", MAIL),
    DOMAIN("urldefense.com", MAIL),
    DOMAIN("urldefense.proofpoint.com", MAIL),
    DOMAIN("urldefense.us", MAIL),
    DOMAIN("urlsand.com", MAIL),
    DOMAIN("urlsand.esvalabs.com", MAIL),
    DOMAIN("vadesecure.com", MAIL),
    DOMAIN("vk.com", SOCIAL),
    DOMAIN("webmail.gmx.net", MAIL),
    DOMAIN("whatsapp.com", SOCIAL),
    DOMAIN("www.fastmail.com", MAIL),
    DOMAIN("www.icloud.com", MAIL),
    DOMAIN("x.com", SOCIAL),
    DOMAIN("xing.com", SOCIAL),
    DOMAIN("yandex.com", SEARCH),
    DOMAIN("yandex.ru", SEARCH),
    DOMAIN("youtube.com", SOCIAL),
    DOMAIN("zimbra.free.fr", MAIL),
    DOMAIN("zixcentral.com", MAIL),
};

static int compare_domain(const void *key, const void *entry)
{
    const struct slice *host = key;
    const struct domain *domain = entry;
    size_t len = host->len < domain->len ? host->len : domain->len;

    for (size_t i = 0; i < len; i++) {
        int difference = slice_lower(host->ptr[i]) - domain->name[i];

        if (difference)
            return difference;
    }
    return host->len < domain->len ? -1 : host->len > domain->len;
}

/* Only the last bytes of a longer host are looked up, so that a host of a thousand labels costs
 * little. */
enum { DOMAIN_LEN_MAX = 64 };

/* The most specific entry wins: email.seznam.cz is webmail, seznam.cz a search engine. */
static enum click_referrer find_domain(struct slice host)
{
    const char *dot;

    while (host.len > 0) {
        const struct domain *found =
            host.len > DOMAIN_LEN_MAX
                ? NULL
                : bsearch(&host, domains, sizeof(domains) / sizeof(domains[0]), sizeof(domains[0]),
                          compare_domain);

        if (found)
            return (enum click_referrer)found->referrer;
        dot = memchr(host.ptr, '.', host.len);
        if (!dot)
            break;
        host.len -= (size_t)(dot + 1 - host.ptr);
        host.ptr = dot + 1;
    }
    return CLICK_REFERRER_OTHER;
}

/* True for the usual names of self-hosted webmail: "webmail.example.org", "mail.example.org", … */
static bool is_own_webmail(struct slice host)
{
    static const char *const names[] = {
        "mail.",       "webmail.", "email.", "owa.",      "roundcube.", "zimbra.", "rainloop.",
        "snappymail.", "sogo.",    "horde.", "exchange.", "poczta.",    "correo.", "messagerie."};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (starts_with_nocase(host, names[i]))
            return true;
    }
    return false;
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
    while (skip + len < url.len && !memchr("/?#:", url.ptr[skip + len], 4))
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
    /* Google has a domain per country: "www.google.de", "www.google.co.uk". */
    if (starts_with_nocase(host, "www.google.") || starts_with_nocase(host, "google."))
        return CLICK_REFERRER_SEARCH;
    return is_own_webmail(host) ? CLICK_REFERRER_MAIL : CLICK_REFERRER_OTHER;
}
