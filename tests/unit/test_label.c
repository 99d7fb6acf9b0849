#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http1.h"
#include "service/base/address.h"
#include "service/base/error.h"
#include "service/label/agent.h"
#include "service/label/agent_cache.h"
#include "service/label/headers.h"
#include "service/label/known.h"
#include "service/label/label.h"
#include "service/label/salt.h"

#define WINDOWS "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
#define WEBKIT "AppleWebKit/537.36 (KHTML, like Gecko) "
#define CHROME WEBKIT "Chrome/141.0.0.0 Safari/537.36"
#define CHROME_MOBILE WEBKIT "Chrome/141.0.0.0 Mobile Safari/537.36"
#define IPHONE "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 "
#define IPHONE_SAFARI IPHONE "(KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1"

static struct label_rules *rules;

/* Of the labeler made last. */
static struct labeler_counters stats;

static struct labeler *make_labeler(void)
{
    struct error err = {0};
    struct labeler *labeler;

    memset(&stats, 0, sizeof(stats));
    labeler = labeler_new(rules, &stats, &err);

    assert_non_null(labeler);
    return labeler;
}

static struct http1_request make_request(const char *agent)
{
    struct http1_request request;

    memset(&request, 0, offsetof(struct http1_request, forwarded_for));
    request.field[HTTP1_USER_AGENT] = slice_of(agent);
    return request;
}

/* A click from nowhere in particular, on a client's link. */
static struct label label_of(struct labeler *labeler, const struct http1_request *request,
                             int64_t now_ms)
{
    const struct label_source source = {.request = request, .has_client = true};

    return labeler_label(labeler, &source, now_ms);
}

static void test_machines(void **state)
{
    const struct {
        const char *name, *agent;
        enum click_reason want;
    } cases[] = {
        {"no agent", NULL, CLICK_REASON_NO_AGENT},
        {"an empty agent", "", CLICK_REASON_NO_AGENT},
        {"Googlebot", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
         CLICK_REASON_CRAWLER},
        {"Googlebot as a phone",
         "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) " CHROME_MOBILE
         " (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
         CLICK_REASON_CRAWLER},
        {"a crawler nobody listed", "Mozilla/5.0 (compatible; NewThing/1.0; +https://new.example/)",
         CLICK_REASON_CRAWLER},
        {"a bot nobody listed", "brandnewbot/2.0", CLICK_REASON_CRAWLER},
        {"headless Chrome", WINDOWS WEBKIT "HeadlessChrome/141.0.0.0 Safari/537.36",
         CLICK_REASON_CRAWLER},
        {"Slack", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
         CLICK_REASON_LINK_PREVIEW},
        {"Microsoft Teams",
         "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 "
         "skype-url-preview@microsoft.com",
         CLICK_REASON_LINK_PREVIEW},
        {"WhatsApp", "WhatsApp/2.23.20.0", CLICK_REASON_LINK_PREVIEW},
        {"Apple Messages",
         "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 "
         "(KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 "
         "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
         CLICK_REASON_LINK_PREVIEW},
        {"curl", "curl/8.5.0", CLICK_REASON_LIBRARY},
        {"Python's requests", "python-requests/2.32.3", CLICK_REASON_LIBRARY},
        {"Go", "Go-http-client/2.0", CLICK_REASON_LIBRARY},
        {"PHP's Guzzle", "GuzzleHttp/7", CLICK_REASON_LIBRARY},
        {"Java", "Java/17.0.2", CLICK_REASON_LIBRARY},
        {"an app on an iPhone", "Some%20App/12 CFNetwork/1496.0.7 Darwin/23.5.0",
         CLICK_REASON_LIBRARY},
        {"nothing but Mozilla", "Mozilla/5.0", CLICK_REASON_LIBRARY},
        {"a library in small letters", "go-http-client/1.1", CLICK_REASON_LIBRARY},
        {"a library in capital letters", "PYTHON-REQUESTS/2.32", CLICK_REASON_LIBRARY},
        {"a monitor's plug-in", "munin/http_loadtime", CLICK_REASON_CRAWLER},
        {"a chat's preview", "ViberUrlDownloader", CLICK_REASON_CRAWLER},
        {"a program that nobody listed", "Acme-Courier/3.2 (ticket desk)",
         CLICK_REASON_UNKNOWN_PROGRAM},
        {"one that calls itself compatible, and names nothing else",
         "Mozilla/5.0 (compatible; Acme Courier/3.2)", CLICK_REASON_UNKNOWN_PROGRAM},
        {"one that has a browser behind its name", "Mozilla/5.0 (compatible; Courier/3.2) " CHROME,
         CLICK_REASON_UNKNOWN_PROGRAM},
        {"a system without a browser", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
         CLICK_REASON_UNKNOWN_PROGRAM},
        {"bytes that are no UTF-8", "Mozilla/5.0 \xff\xfe\xc3(\x80", CLICK_REASON_UNKNOWN_PROGRAM},
        {"a crawler that names itself among a phone's parts",
         "Mozilla/5.0 (Linux; Android 9; Pixel 7; compatible; Acmebot/1.0) " CHROME_MOBILE,
         CLICK_REASON_CRAWLER},
    };
    struct labeler *labeler = make_labeler();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request = make_request(cases[i].agent);
        struct label label = label_of(labeler, &request, 1000);

        print_message("%s\n", cases[i].name);
        assert_string_equal(click_reason_name(label.reason), click_reason_name(cases[i].want));
        assert_int_equal(label.label, CLICK_BOT);
    }
    labeler_free(labeler);
}

static void test_people(void **state)
{
    const struct {
        const char *name, *agent;
        enum click_device device;
        enum click_browser browser;
        enum click_system system;
    } cases[] = {
        {"Chrome on Windows", WINDOWS CHROME, CLICK_DEVICE_DESKTOP, CLICK_BROWSER_CHROME,
         CLICK_SYSTEM_WINDOWS},
        {"Edge on Windows", WINDOWS CHROME " Edg/141.0.0.0", CLICK_DEVICE_DESKTOP,
         CLICK_BROWSER_EDGE, CLICK_SYSTEM_WINDOWS},
        {"Opera on Windows", WINDOWS CHROME " OPR/122.0.0.0", CLICK_DEVICE_DESKTOP,
         CLICK_BROWSER_OPERA, CLICK_SYSTEM_WINDOWS},
        {"Firefox on Linux",
         "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
         CLICK_DEVICE_DESKTOP, CLICK_BROWSER_FIREFOX, CLICK_SYSTEM_LINUX},
        {"Internet Explorer 11",
         "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
         CLICK_DEVICE_DESKTOP, CLICK_BROWSER_IE, CLICK_SYSTEM_WINDOWS},
        {"Safari on a Mac",
         "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
         "(KHTML, like Gecko) Version/26.0 Safari/605.1.15",
         CLICK_DEVICE_DESKTOP, CLICK_BROWSER_SAFARI, CLICK_SYSTEM_MACOS},
        {"Safari on an iPhone", IPHONE_SAFARI, CLICK_DEVICE_PHONE, CLICK_BROWSER_SAFARI,
         CLICK_SYSTEM_IOS},
        {"Safari on an iPad",
         "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 "
         "(KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1",
         CLICK_DEVICE_TABLET, CLICK_BROWSER_SAFARI, CLICK_SYSTEM_IOS},
        {"Chrome on an Android phone", "Mozilla/5.0 (Linux; Android 10; K) " CHROME_MOBILE,
         CLICK_DEVICE_PHONE, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"Chrome on an Android tablet", "Mozilla/5.0 (Linux; Android 10; K) " CHROME,
         CLICK_DEVICE_TABLET, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"Chrome on a Chromebook", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " CHROME,
         CLICK_DEVICE_DESKTOP, CLICK_BROWSER_CHROME, CLICK_SYSTEM_CHROMEOS},
        {"Samsung's browser",
         "Mozilla/5.0 (Linux; Android 10; K) " WEBKIT
         "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
         CLICK_DEVICE_PHONE, CLICK_BROWSER_SAMSUNG, CLICK_SYSTEM_ANDROID},
        {"Opera Mini on Android",
         "Opera/9.80 (Android; Opera Mini/90.0.2254/191.329; U; en) Presto/2.12.423 Version/12.16",
         CLICK_DEVICE_PHONE, CLICK_BROWSER_OPERA, CLICK_SYSTEM_ANDROID},
        {"Opera Mini on a phone without a system",
         "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80/191.242; U; en) Presto/2.5.25 Version/10.54",
         CLICK_DEVICE_PHONE, CLICK_BROWSER_OPERA, CLICK_SYSTEM_OTHER},
        {"Opera Mini on an iPad",
         "Opera/9.80 (iPad; Opera Mini/8.0.0/34.2336; U; en) Presto/2.8.119 Version/11.10",
         CLICK_DEVICE_TABLET, CLICK_BROWSER_OPERA, CLICK_SYSTEM_IOS},
        {"Opera's old browser for phones",
         "Opera/9.80 (Android 4.1.2; Linux; Opera Mobi/ADR-1305251841) Presto/2.11.355 "
         "Version/12.10",
         CLICK_DEVICE_PHONE, CLICK_BROWSER_OPERA, CLICK_SYSTEM_ANDROID},
        {"Opera's old browser for tablets",
         "Opera/9.80 (Android 3.2; Linux; Opera Tablet/ADR-1106291546; U; en) Presto/2.8.149 "
         "Version/11.10",
         CLICK_DEVICE_TABLET, CLICK_BROWSER_OPERA, CLICK_SYSTEM_ANDROID},
        {"a Cubot phone", "Mozilla/5.0 (Linux; Android 13; CUBOT X70) " CHROME_MOBILE,
         CLICK_DEVICE_PHONE, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a Cubot phone in lower case", "Mozilla/5.0 (Linux; Android 9; Cubot) " CHROME_MOBILE,
         CLICK_DEVICE_PHONE, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"Google's app on an iPhone",
         IPHONE "(KHTML, like Gecko) GSA/390.0.8 Mobile/15E148 Safari/604.1", CLICK_DEVICE_PHONE,
         CLICK_BROWSER_IN_APP, CLICK_SYSTEM_IOS},
        {"Google's app on a Pixel phone",
         "Mozilla/5.0 (Linux; Android 16; Pixel 9 Build/BP1A.250505.005; wv) " WEBKIT
         "Version/4.0 Chrome/141.0.0.0 Mobile Safari/537.36 GSA/16.30.58",
         CLICK_DEVICE_PHONE, CLICK_BROWSER_IN_APP, CLICK_SYSTEM_ANDROID},
        {"a page in Instagram's app",
         IPHONE "(KHTML, like Gecko) Mobile/15E148 Instagram 400.0.0.31.113 (iPhone15,2; iOS 18_7)",
         CLICK_DEVICE_PHONE, CLICK_BROWSER_IN_APP, CLICK_SYSTEM_IOS},
        {"Outlook on Windows",
         "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; "
         "Microsoft Outlook 16.0.17928)",
         CLICK_DEVICE_DESKTOP, CLICK_BROWSER_MAIL, CLICK_SYSTEM_WINDOWS},
        {"a phone whose build some bot list has",
         "Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) " WEBKIT
         "Version/4.0 Chrome/142.0.7444.142 Mobile Safari/537.36",
         CLICK_DEVICE_PHONE, CLICK_BROWSER_IN_APP, CLICK_SYSTEM_ANDROID},
        {"a television", "Mozilla/5.0 (Linux; Android 12; BRAVIA 4K VH2) " CHROME,
         CLICK_DEVICE_OTHER, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a television that says so", "Mozilla/5.0 (Linux; Android 11; Android TV) " CHROME,
         CLICK_DEVICE_OTHER, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a television in one word", "Mozilla/5.0 (Linux; Android 9; SmartTV; Google) " CHROME,
         CLICK_DEVICE_OTHER, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a television at the very end", "Mozilla/5.0 (X11; Linux armv7l) " CHROME " SMART-TV",
         CLICK_DEVICE_OTHER, CLICK_BROWSER_CHROME, CLICK_SYSTEM_LINUX},
        {"a stick for televisions", "Mozilla/5.0 (Linux; Android 9; AFTKA Build/PS7.1) " CHROME,
         CLICK_DEVICE_OTHER, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a phone whose model holds the letters TV",
         "Mozilla/5.0 (Linux; Android 6.0.1; STV100-4 Build/MMB29M) " CHROME_MOBILE,
         CLICK_DEVICE_PHONE, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a tablet whose model holds the letters TV",
         "Mozilla/5.0 (Linux; Android 7.0; BTV-W09 Build/HUAWEIBEETHOVEN-W09) " CHROME,
         CLICK_DEVICE_TABLET, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"bytes that are no UTF-8", "Mozilla/5.0 (\xff\xfe\xc3(\x80) Firefox/140.0",
         CLICK_DEVICE_OTHER, CLICK_BROWSER_FIREFOX, CLICK_SYSTEM_OTHER},
        {"a phone called a bot", "Mozilla/5.0 (Linux; Android 9; M bot 54) " CHROME_MOBILE,
         CLICK_DEVICE_PHONE, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a tablet called a bot", "Mozilla/5.0 (Linux; Android 9; C Bot Tab 70) " CHROME,
         CLICK_DEVICE_TABLET, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a tablet that says Mobile", "Mozilla/5.0 (Linux; Android 9; SM-T725) " CHROME_MOBILE,
         CLICK_DEVICE_TABLET, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"another", "Mozilla/5.0 (Linux; Android 10; Lenovo TAB_M10 Build/X) " CHROME_MOBILE,
         CLICK_DEVICE_TABLET, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"Huawei's, without a phone in it",
         "Mozilla/5.0 (Linux; Android 10; BAH3-W09) " CHROME_MOBILE, CLICK_DEVICE_TABLET,
         CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a phone of a maker that ends like a tablet",
         "Mozilla/5.0 (Linux; Android 5.1; Coolpad 8722V) " CHROME_MOBILE, CLICK_DEVICE_PHONE,
         CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a phone whose browser has tabs",
         "Mozilla/5.0 (Linux; Android 13; SM-S911B) " CHROME_MOBILE " TabBrowser/1.0",
         CLICK_DEVICE_PHONE, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
        {"a phone called a spider",
         "Mozilla/5.0 (Linux; Android 13; Spider 8 Build/TP1A.220624.014; wv) " CHROME_MOBILE,
         CLICK_DEVICE_PHONE, CLICK_BROWSER_IN_APP, CLICK_SYSTEM_ANDROID},
        {"a phone with brackets in its name",
         "Mozilla/5.0 (Linux; Android 12; iHunt Discovery (Preview) Scan) " CHROME_MOBILE,
         CLICK_DEVICE_PHONE, CLICK_BROWSER_CHROME, CLICK_SYSTEM_ANDROID},
    };
    struct labeler *labeler = make_labeler();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request = make_request(cases[i].agent);

        print_message("%s\n", cases[i].name);
        for (int again = 0; again < 2; again++) { /* the second one from the cache */
            struct label label = label_of(labeler, &request, 1000);

            assert_string_equal(click_reason_name(label.reason), "none");
            assert_int_equal(label.label, CLICK_HUMAN);
            assert_string_equal(click_device_name(label.device),
                                click_device_name(cases[i].device));
            assert_string_equal(click_browser_name(label.browser),
                                click_browser_name(cases[i].browser));
            assert_string_equal(click_system_name(label.system),
                                click_system_name(cases[i].system));
        }
    }
    assert_int_equal(counter64_get(&stats.hits), sizeof(cases) / sizeof(cases[0]));
    labeler_free(labeler);
}

static void test_methods_and_headers(void **state)
{
    const struct {
        const char *name;
        enum http1_method method;
        enum http1_field field;
        const char *value, *agent;
        enum click_label label;
        enum click_reason reason;
    } cases[] = {
        {"HEAD", HTTP1_HEAD, HTTP1_COOKIE, NULL, IPHONE_SAFARI, CLICK_PROBE, CLICK_REASON_HEAD},
        {"HEAD of a bot", HTTP1_HEAD, HTTP1_COOKIE, NULL, "curl/8", CLICK_PROBE, CLICK_REASON_HEAD},
        {"HEAD with a purpose", HTTP1_HEAD, HTTP1_PURPOSE, "prefetch", IPHONE_SAFARI, CLICK_PROBE,
         CLICK_REASON_HEAD},
        {"Sec-Purpose", HTTP1_GET, HTTP1_SEC_PURPOSE, "prefetch", IPHONE_SAFARI, CLICK_PREFETCH,
         CLICK_REASON_PREFETCH},
        {"Sec-Purpose of a prerender", HTTP1_GET, HTTP1_SEC_PURPOSE, "prefetch;prerender",
         IPHONE_SAFARI, CLICK_PREFETCH, CLICK_REASON_PREFETCH},
        {"Sec-Purpose through a proxy", HTTP1_GET, HTTP1_SEC_PURPOSE,
         "prefetch;anonymous-client-ip", IPHONE_SAFARI, CLICK_PREFETCH, CLICK_REASON_PREFETCH},
        {"Purpose in capitals", HTTP1_GET, HTTP1_PURPOSE, "Prefetch", IPHONE_SAFARI, CLICK_PREFETCH,
         CLICK_REASON_PREFETCH},
        {"X-Moz", HTTP1_GET, HTTP1_X_MOZ, "prefetch", IPHONE_SAFARI, CLICK_PREFETCH,
         CLICK_REASON_PREFETCH},
        {"X-Purpose of a preview", HTTP1_GET, HTTP1_X_PURPOSE, "preview", IPHONE_SAFARI,
         CLICK_PREFETCH, CLICK_REASON_PREVIEW},
        {"a word in the middle", HTTP1_GET, HTTP1_PURPOSE, "no-prefetch", IPHONE_SAFARI,
         CLICK_HUMAN, CLICK_REASON_NONE},
        {"an empty purpose", HTTP1_GET, HTTP1_PURPOSE, "", IPHONE_SAFARI, CLICK_HUMAN,
         CLICK_REASON_NONE},
        {"another purpose", HTTP1_GET, HTTP1_PURPOSE, "instant", IPHONE_SAFARI, CLICK_HUMAN,
         CLICK_REASON_NONE},
    };
    struct labeler *labeler = make_labeler();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request = make_request(cases[i].agent);
        struct label label;

        print_message("%s\n", cases[i].name);
        request.method = cases[i].method;
        request.field[cases[i].field] = slice_of(cases[i].value);
        label = label_of(labeler, &request, 1000);
        assert_string_equal(click_label_name(label.label), click_label_name(cases[i].label));
        assert_string_equal(click_reason_name(label.reason), click_reason_name(cases[i].reason));
    }
    labeler_free(labeler);
}

/* Proxies that take the agent out leave in what browsers send when a link is pressed. */
static void test_navigation_without_an_agent(void **state)
{
    const struct {
        const char *name, *agent, *user, *mode, *language;
        enum click_reason want;
    } cases[] = {
        {"a press on a link", NULL, "?1", "navigate", "de-DE,de;q=0.9", CLICK_REASON_NONE},
        {"with an empty agent", "", "?1", "navigate", "de", CLICK_REASON_NONE},
        {"nobody pressed it", NULL, NULL, "navigate", "de", CLICK_REASON_NO_AGENT},
        {"it is said that nobody did", NULL, "?0", "navigate", "de", CLICK_REASON_NO_AGENT},
        {"something in a page asked", NULL, "?1", "no-cors", "de", CLICK_REASON_NO_AGENT},
        {"no language", NULL, "?1", "navigate", NULL, CLICK_REASON_NO_AGENT},
        {"an empty language", NULL, "?1", "navigate", "", CLICK_REASON_NO_AGENT},
        {"a machine that says the same", "curl/8.5.0", "?1", "navigate", "de",
         CLICK_REASON_LIBRARY},
        {"a program in no list", "Acme-Courier/3", "?1", "navigate", "de",
         CLICK_REASON_UNKNOWN_PROGRAM},
    };
    struct labeler *labeler = make_labeler();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request = make_request(cases[i].agent);
        struct label label;

        print_message("%s\n", cases[i].name);
        request.field[HTTP1_SEC_FETCH_USER] = slice_of(cases[i].user);
        request.field[HTTP1_SEC_FETCH_MODE] = slice_of(cases[i].mode);
        request.field[HTTP1_ACCEPT_LANGUAGE] = slice_of(cases[i].language);
        label = label_of(labeler, &request, 1000);
        assert_string_equal(click_reason_name(label.reason), click_reason_name(cases[i].want));
    }
    labeler_free(labeler);
}

static void test_referrers(void **state)
{
    const struct {
        const char *name, *referer;
        enum click_referrer want;
    } cases[] = {
        {"none", NULL, CLICK_REFERRER_NONE},
        {"an empty one", "", CLICK_REFERRER_NONE},
        {"Gmail", "https://mail.google.com/mail/u/0/", CLICK_REFERRER_MAIL},
        {"Gmail on Android", "android-app://com.google.android.gm/", CLICK_REFERRER_MAIL},
        {"Gmail's small one", "android-app://com.google.android.gm.lite/", CLICK_REFERRER_MAIL},
        {"an app whose name begins like Gmail's", "android-app://com.google.android.gms",
         CLICK_REFERRER_OTHER},
        {"Outlook on Android", "android-app://com.microsoft.office.outlook", CLICK_REFERRER_MAIL},
        {"Slack on Android", "android-app://com.Slack/", CLICK_REFERRER_SOCIAL},
        {"Google's app",
         "android-app://com.google.android.googlequicksearchbox/https/www.google.com",
         CLICK_REFERRER_SEARCH},
        {"another app", "android-app://org.example.app/", CLICK_REFERRER_OTHER},
        {"a gateway's page before the link", "https://protect-eu.mimecast.com/s/abc",
         CLICK_REFERRER_MAIL},
        {"another gateway's", "https://nam10.safelinks.protection.outlook.com/?url=https%3A%2F%2Fx",
         CLICK_REFERRER_MAIL},
        {"Outlook, part of a region", "https://outlook.live.com/", CLICK_REFERRER_MAIL},
        {"webmail of one's own", "http://webmail.example.org:2096/cpsess1/", CLICK_REFERRER_MAIL},
        {"a host in capitals", "HTTPS://MAIL.YAHOO.COM/d/folders", CLICK_REFERRER_MAIL},
        {"Google", "https://www.google.com/", CLICK_REFERRER_SEARCH},
        {"Google of a country", "https://www.google.co.uk/search?q=a", CLICK_REFERRER_SEARCH},
        {"Bing", "https://www.bing.com/search", CLICK_REFERRER_SEARCH},
        {"Facebook's link shim", "https://l.facebook.com/l.php", CLICK_REFERRER_SOCIAL},
        {"X", "https://t.co/abc", CLICK_REFERRER_SOCIAL},
        {"a domain that ends like another", "https://notx.com/", CLICK_REFERRER_OTHER},
        {"a domain in a path", "https://a.example/https://facebook.com/", CLICK_REFERRER_OTHER},
        {"a domain in a query", "https://a.example?facebook.com", CLICK_REFERRER_OTHER},
        {"another page", "https://a.example/b", CLICK_REFERRER_OTHER},
        {"no URL", "facebook.com", CLICK_REFERRER_OTHER},
        {"the first domain of the list", "https://3c-lxa.mail.com/", CLICK_REFERRER_MAIL},
        {"the last one", "https://youtube.com", CLICK_REFERRER_SOCIAL},
        {"webmail of a search engine", "https://email.seznam.cz/#inbox", CLICK_REFERRER_MAIL},
        {"that search engine", "https://search.seznam.cz/?q=a", CLICK_REFERRER_SEARCH},
        {"webmail in Japan", "https://mail.yahoo.co.jp/", CLICK_REFERRER_MAIL},
        {"webmail in Poland", "https://poczta.onet.pl/", CLICK_REFERRER_MAIL},
        {"webmail in China", "https://mail.126.com/js6/main.jsp", CLICK_REFERRER_MAIL},
        {"the page that GMX shows before a link", "https://deref-gmx.net/mail/client/x/dereferrer/",
         CLICK_REFERRER_MAIL},
        {"Symantec's page", "https://clicktime.symantec.com/a/1/x", CLICK_REFERRER_MAIL},
        {"Sophos' page", "https://eu-west-1.protection.sophos.com/?d=x", CLICK_REFERRER_MAIL},
        {"FireEye's page", "https://protect2.fireeye.com/v1/url?k=x", CLICK_REFERRER_MAIL},
        {"Barracuda's page", "https://linkprotect.cudasvc.com/url?a=x", CLICK_REFERRER_MAIL},
        {"Mimecast's new page", "https://url.uk.m.mimecastprotect.com/s/x", CLICK_REFERRER_MAIL},
        {"Avanan's page", "https://url.avanan.click/v2/___x", CLICK_REFERRER_MAIL},
        {"Safe Links of a government", "https://gcc02.safelinks.protection.office365.us/?url=x",
         CLICK_REFERRER_MAIL},
        {"Thunderbird on Android", "android-app://net.thunderbird.android/", CLICK_REFERRER_MAIL},
        {"Zimbra of one's own", "https://zimbra.example.org/", CLICK_REFERRER_MAIL},
        {"Horde of one's own", "https://horde.example.org/imp/", CLICK_REFERRER_MAIL},
        {"a domain that begins like another", "https://mail.google.com.example/",
         CLICK_REFERRER_MAIL},
        {"a host of its own that ends like a gateway", "https://notmimecast.com/",
         CLICK_REFERRER_OTHER},
        {"a host of many dots", "https://......................................./",
         CLICK_REFERRER_OTHER},
        {"a scheme only", "https://", CLICK_REFERRER_OTHER},
        {"a host as long as a domain and other letters", "https://a.co/", CLICK_REFERRER_OTHER},
        {"a domain with a letter in place of its dot", "https://tXco/", CLICK_REFERRER_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        assert_string_equal(click_referrer_name(headers_referrer(slice_of(cases[i].referer))),
                            click_referrer_name(cases[i].want));
    }
}

/* New agents beyond the limit of a second: people are of unknown kind, machines are machines all
 * the same; known ones stay known. */
static void test_flood(void **state)
{
    struct labeler *labeler = make_labeler();
    struct http1_request known = make_request(WINDOWS CHROME);
    static const enum click_reason wanted[] = {CLICK_REASON_CRAWLER, CLICK_REASON_LIBRARY,
                                               CLICK_REASON_LINK_PREVIEW,
                                               CLICK_REASON_UNKNOWN_PROGRAM};
    unsigned n_classified = 0;
    struct label label;

    (void)state;
    (void)label_of(labeler, &known, 1000);
    for (int i = 0; i < 5000; i++) {
        char agent[256];
        struct http1_request request;

        snprintf(agent, sizeof(agent), WINDOWS CHROME " Acme/%d", i);
        request = make_request(agent);
        label = label_of(labeler, &request, 1999);
        if (label.reason == CLICK_REASON_UNCLASSIFIED)
            assert_int_equal(label.label, CLICK_HUMAN);
        else
            n_classified++;
    }
    assert_int_equal(n_classified, 255); /* and the known one is the 256th */
    assert_int_equal(counter64_get(&stats.hurried), 5000 - 255);
    assert_int_equal(counter64_get(&stats.full), 256);
    label = label_of(labeler, &known, 1999);
    assert_int_equal(label.browser, CLICK_BROWSER_CHROME);
    assert_int_equal(counter64_get(&stats.hits), 1);

    for (int i = 0; i < 1000; i++) {
        char agents[4][64];

        snprintf(agents[0], sizeof(agents[0]), "Acmebot/%d (+http://a.example)", i);
        snprintf(agents[1], sizeof(agents[1]), "curl/8.%d", i);
        snprintf(agents[2], sizeof(agents[2]), "Slackbot-LinkExpanding %d.0", i);
        snprintf(agents[3], sizeof(agents[3]), "Acme-Courier/%d", i);
        for (int k = 0; k < 4; k++) {
            struct http1_request request = make_request(agents[k]);

            label = label_of(labeler, &request, 1999);
            assert_int_equal(label.label, CLICK_BOT);
            assert_int_equal(label.reason, wanted[k]);
        }
    }

    print_message("the next second takes new ones again\n");
    known = make_request("curl/8.5.0");
    label = label_of(labeler, &known, 2000);
    assert_int_equal(label.reason, CLICK_REASON_LIBRARY);
    labeler_free(labeler);
}

/* Long ones, and ones made to be slow: an answer, and the same one twice. */
static void test_hostile_agents(void **state)
{
    static const char *const parts[] = {"Mozilla/5.0 (",
                                        "Current",
                                        "Spider spider",
                                        "a-",
                                        "((((",
                                        ";;; ",
                                        "\xff",
                                        "0.0.0.0.",
                                        "AppleWebKit ",
                                        "Windows NT; ",
                                        "CFNetwork/1 Darwin/"};
    static char text[8192];
    struct labeler *labeler = make_labeler();

    (void)state;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t len = strlen(parts[i]);
        struct http1_request request = make_request("");
        struct label first, second;

        for (size_t at = 0; at + len <= sizeof(text); at += len)
            memcpy(text + at, parts[i], len);
        request.field[HTTP1_USER_AGENT] = slice_make(text, sizeof(text) - len);
        first = label_of(labeler, &request, 1000);
        second = label_of(labeler, &request, 1000);
        assert_int_equal(first.reason, second.reason);
        assert_int_equal(first.device, second.device);
        assert_int_equal(first.browser, second.browser);
        assert_int_equal(first.system, second.system);
        assert_true(first.label == CLICK_HUMAN || first.label == CLICK_BOT);
    }
    assert_int_equal(counter64_get(&stats.hits), sizeof(parts) / sizeof(parts[0]));
    labeler_free(labeler);
}

static void test_agent_length(void **state)
{
    static char text[AGENT_TEXT_MAX + 64];
    struct labeler *labeler = make_labeler();
    struct http1_request request = make_request("");
    size_t len = strlen(" curl/8");

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + AGENT_TEXT_MAX - len, " curl/8", len);
    request.field[HTTP1_USER_AGENT] = slice_make(text, sizeof(text));
    print_message("the last bytes that are looked at\n");
    assert_int_equal(label_of(labeler, &request, 1000).reason, CLICK_REASON_LIBRARY);
    print_message("the first that are not\n");
    memset(text, 'x', sizeof(text));
    text[1] = '1';
    memcpy(text + AGENT_TEXT_MAX, " curl/8", len);
    assert_int_equal(label_of(labeler, &request, 1000).reason, CLICK_REASON_UNKNOWN_PROGRAM);
    labeler_free(labeler);
}

static void test_cache(void **state)
{
    struct agent_cache *cache = agent_cache_new(1);
    uint64_t key;

    (void)state;
    assert_non_null(cache);
    assert_null(agent_cache_find(cache, 0));
    for (key = 0; key <= AGENT_CACHE_WAYS; key++)
        agent_cache_put(cache, key << 32, (struct agent){.browser = (uint8_t)key});
    print_message("one more than there is room for took the place of the first\n");
    assert_null(agent_cache_find(cache, 0));
    for (key = 1; key <= AGENT_CACHE_WAYS; key++)
        assert_int_equal(agent_cache_find(cache, key << 32)->browser, key);
    print_message("the one not used the longest goes\n");
    (void)agent_cache_find(cache, UINT64_C(1) << 32);
    agent_cache_put(cache, UINT64_C(9) << 32, (struct agent){.browser = 9});
    assert_non_null(agent_cache_find(cache, UINT64_C(1) << 32));
    assert_null(agent_cache_find(cache, UINT64_C(2) << 32));
    print_message("putting again changes in place\n");
    agent_cache_put(cache, UINT64_C(9) << 32, (struct agent){.browser = 10});
    assert_int_equal(agent_cache_find(cache, UINT64_C(9) << 32)->browser, 10);
    assert_non_null(agent_cache_find(cache, UINT64_C(3) << 32));
    agent_cache_free(cache);
}

/* A labeler with rules of its own, which know a salt that nobody has agreed on, and that gateways
 * live in 2001:db8::/32. */
static struct labeler *make_salted(struct salt *salt, struct label_rules **own)
{
    const struct network gateways = {.prefix = {0x20, 0x01, 0x0d, 0xb8}, .bits = 32};
    const struct known_options listed = {.networks = &gateways, .n_networks = 1};
    struct error err = {0};
    const struct label_origin origin = {.salt = salt, .known = known_new(&listed, &err)};
    struct labeler *labeler;

    salt_init(salt);
    *own = label_rules_new(NULL, &err);
    assert_non_null(*own);
    assert_true(label_rules_set_origin(*own, &origin, &err));
    labeler = labeler_new(*own, &stats, &err);
    assert_non_null(labeler);
    return labeler;
}

/* Which numbers are made of an address and an agent, and for whom. */
static void test_origin(void **state)
{
    enum { NETWORK = 1, VISITOR = 2 };
    const struct {
        const char *name, *agent;
        bool has_client, is_agreed, is_listed;
        unsigned want;
    } cases[] = {
        {"a client's click", IPHONE_SAFARI, true, true, false, NETWORK},
        {"a client's click, no salt agreed on", IPHONE_SAFARI, true, false, false, NETWORK},
        {"a client's click, from a gateway", IPHONE_SAFARI, true, true, true, NETWORK},
        {"a visitor's click", IPHONE_SAFARI, false, true, false, VISITOR},
        {"a visitor's click, no salt agreed on", IPHONE_SAFARI, false, false, false, 0},
        {"a gateway, on a link that names nobody", IPHONE_SAFARI, false, true, true, 0},
        {"a bot, on a link that names nobody", "curl/8.5.0", false, true, false, 0},
        {"no agent, on a link that names nobody", "", false, true, false, 0},
    };
    struct salt salt;
    struct label_rules *own;
    struct labeler *labeler = make_salted(&salt, &own);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request = make_request(cases[i].agent);
        struct label_source source = {
            .request = &request, .ip = {[15] = 1}, .has_client = cases[i].has_client};
        struct label label;

        print_message("%s\n", cases[i].name);
        if (cases[i].is_listed)
            memcpy(source.ip, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 4);
        salt_init(&salt);
        if (cases[i].is_agreed)
            salt_set(&salt, (const uint8_t[SALT_LEN]){7});
        label = labeler_label(labeler, &source, 1000);
        assert_int_equal(label.network != 0, cases[i].want == NETWORK);
        assert_int_equal(label.visitor != 0, cases[i].want == VISITOR);
        assert_int_equal(label.hints == CLICK_HINT_RANGE, cases[i].is_listed);
    }
    labeler_free(labeler);
    label_rules_free(own);
}

/* Agents that are too many to be looked at are nobody's: they can't swell the count of visitors. */
static void test_a_flood_makes_no_visitors(void **state)
{
    struct salt salt;
    struct label_rules *own;
    struct labeler *labeler = make_salted(&salt, &own);
    unsigned n_visitors = 0;

    (void)state;
    salt_set(&salt, (const uint8_t[SALT_LEN]){7});
    for (int i = 0; i < 1000; i++) {
        char agent[256];
        struct http1_request request;
        struct label_source source = {.request = &request};

        snprintf(agent, sizeof(agent), "%s %d", IPHONE_SAFARI, i);
        request = make_request(agent);
        n_visitors += labeler_label(labeler, &source, 1000).visitor != 0;
    }
    assert_int_equal(n_visitors, 256);
    labeler_free(labeler);
    label_rules_free(own);
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLICK_REASONS; i++)
        assert_non_null(click_reason_name(i));
    for (unsigned i = 0; i < CLICK_BROWSERS; i++)
        assert_non_null(click_browser_name(i));
    for (unsigned i = 0; i < CLICK_SYSTEMS; i++)
        assert_non_null(click_system_name(i));
    assert_null(click_reason_name(CLICK_REASONS));
    assert_null(click_browser_name(CLICK_BROWSERS));
    assert_null(click_system_name(CLICK_SYSTEMS));
}

static int set_up(void **state)
{
    struct error err = {0};

    (void)state;
    rules = label_rules_new(NULL, &err);
    if (!rules)
        print_error("%s\n", err.text);
    return rules ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    label_rules_free(rules);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines),     cmocka_unit_test(test_people),
        cmocka_unit_test(test_flood),        cmocka_unit_test(test_methods_and_headers),
        cmocka_unit_test(test_referrers),    cmocka_unit_test(test_hostile_agents),
        cmocka_unit_test(test_agent_length), cmocka_unit_test(test_cache),
        cmocka_unit_test(test_origin),       cmocka_unit_test(test_a_flood_makes_no_visitors),
        cmocka_unit_test(test_names),        cmocka_unit_test(test_navigation_without_an_agent),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
