/* doctor: the hosts of links, as a client's browser meets them through the proxy in front. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "service/base/clock.h"
#include "service/checks/places.h"
#include "service/cli/doctor.h"
#include "service/config/config.h"
#include "service/config/site.h"

enum { TIMEOUT_MS = 10000, SOON_DAYS = 14, FIELD_MAX = 512, HOST_URL_MAX = 300 };

/* Fields of a reply that the proxy must leave as they are. */
enum field { FIELD_CACHE, FIELD_REFERRER, FIELD_ROBOTS, FIELD_DATE, FIELD_COOKIE, FIELDS };

static const struct {
    const char *name, *must_hold;
} fields[FIELDS] = {
    [FIELD_CACHE] = {"Cache-Control", "no-store"},
    [FIELD_REFERRER] = {"Referrer-Policy", "no-referrer"},
    [FIELD_ROBOTS] = {"X-Robots-Tag", "noindex"},
    [FIELD_DATE] = {"Date", NULL},
    [FIELD_COOKIE] = {"Set-Cookie", NULL},
};

struct reply {
    long status; /* 0: none, `error` says why */
    char error[CURL_ERROR_SIZE];
    char *location;
    char field[FIELDS][FIELD_MAX]; /* "" = absent */
    int64_t certificate_s;         /* 0 = none */
};

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct reply *reply = arg;
    size_t len = size * n;

    for (unsigned i = 0; i < FIELDS; i++) {
        size_t name_len = strlen(fields[i].name);

        if (len > name_len && line[name_len] == ':' &&
            strncasecmp(line, fields[i].name, name_len) == 0)
            snprintf(reply->field[i], FIELD_MAX, "%.*s", (int)(len - name_len - 1),
                     line + name_len + 1);
    }
    return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)size;
    (void)n;
    (void)arg;
    return 0; /* not wanted */
}

static int64_t find_expiry(CURL *curl)
{
    static const char field[] = "Expire date:";
    struct curl_certinfo *info = NULL;

    if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
        info->num_of_certs < 1)
        return 0;
    for (const struct curl_slist *line = info->certinfo[0]; line; line = line->next) {
        if (strncmp(line->data, field, sizeof(field) - 1) == 0)
            return curl_getdate(line->data + sizeof(field) - 1, NULL);
    }
    return 0;
}

/* `resolve` "host:port:address", or NULL. */
static void fetch(const struct doctor *d, const char *url, const char *resolve, struct reply *reply)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *resolved = resolve ? curl_slist_append(NULL, resolve) : NULL;
    const char *location = NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    *reply = (struct reply){0};
    if (curl) {
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "hopcount/" HOPCOUNT_VERSION);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reply->error);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
        if (d->tls_ca)
            curl_easy_setopt(curl, CURLOPT_CAINFO, d->tls_ca);
        if (resolved)
            curl_easy_setopt(curl, CURLOPT_RESOLVE, resolved);
        code = curl_easy_perform(curl);
    }
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
        curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
        reply->location = location ? strdup(location) : NULL;
        reply->certificate_s = find_expiry(curl);
    } else if (reply->error[0] == '\0') {
        snprintf(reply->error, sizeof(reply->error), "%s", curl_easy_strerror(code));
    }
    curl_slist_free_all(resolved);
    curl_easy_cleanup(curl);
}

/* --- what came --- */

static void say_certificate(struct doctor *d, const char *about, const char *host,
                            int64_t certificate_s)
{
    int64_t days = probe_days_left(certificate_s, clock_wall_ms() / 1000);

    if (certificate_s <= 0)
        doctor_say(d, DOCTOR_NOTE, about, "TLS", "%s: its certificate can't be read", host);
    else
        doctor_say(d, days < SOON_DAYS ? DOCTOR_FIX : DOCTOR_GOOD, about, "TLS",
                   "%s: its certificate is good for %" PRId64 " day%s%s", host, days,
                   days == 1 ? "" : "s",
                   days < SOON_DAYS ? "; renew it on the proxy in front" : "");
}

static void say_fields(struct doctor *d, const char *about, const char *host,
                       const struct reply *reply)
{
    bool all_there = true;

    for (unsigned i = 0; i < FIELDS; i++) {
        if (!fields[i].must_hold || strcasestr(reply->field[i], fields[i].must_hold))
            continue;
        all_there = false;
        doctor_say(d, DOCTOR_FIX, about, "headers",
                   "%s: %s doesn't come through; let the proxy in front leave it as hopcount sends "
                   "it (%s)",
                   host, fields[i].name, fields[i].must_hold);
    }
    if (reply->field[FIELD_COOKIE][0])
        doctor_say(d, DOCTOR_NOTE, about, "headers",
                   "%s: the proxy in front sets a cookie, which links don't need", host);
    if (all_there)
        doctor_say(d, DOCTOR_GOOD, about, "headers", "%s: they come through as hopcount sends them",
                   host);
}

/* `want`: where the templates lead. */
static void say_link(struct doctor *d, const char *about, const char *host,
                     const struct reply *reply, const char *want)
{
    if (reply->status == 404)
        doctor_say(d, DOCTOR_FIX, about, "link",
                   "%s doesn't know a link of these keys (404); is it hopcountd, with this key "
                   "file, and is the host passed on?",
                   host);
    else if (reply->status == 301 || reply->status == 308)
        doctor_say(d, DOCTOR_FIX, about, "link",
                   "%s answers %ld, which browsers keep for ever; the proxy in front must not "
                   "redirect links itself",
                   host, reply->status);
    else if (!reply->location)
        doctor_say(d, DOCTOR_FIX, about, "link",
                   "%s answers %ld where a link leads on; does it lead to hopcountd?", host,
                   reply->status);
    else if (strcmp(reply->location, want) != 0)
        doctor_say(d, DOCTOR_NOTE, about, "one hop",
                   "%s leads to %s, by the templates to %s; another configuration, a rule, or the "
                   "state of the sample",
                   host, reply->location, want);
    else
        doctor_say(d, DOCTOR_GOOD, about, "one hop", "%s leads straight to %s", host, want);
}

/* A link typed without https should get there, too. */
static void look_at_http(struct doctor *d, const char *about, const char *host, const char *address)
{
    char url[HOST_URL_MAX], resolve[2 * HOST_URL_MAX], want[HOST_URL_MAX];
    struct reply reply;

    snprintf(url, sizeof(url), "http://%s/", host);
    snprintf(want, sizeof(want), "https://%s", host);
    snprintf(resolve, sizeof(resolve), "%s:80:%s", host, address);
    fetch(d, url, address[0] ? resolve : NULL, &reply);
    if (reply.status == 0)
        doctor_say(d, DOCTOR_NOTE, about, "HTTP",
                   "%s doesn't answer without TLS (%s); addresses typed without https:// lead "
                   "nowhere",
                   host, reply.error);
    else if (reply.location && strncmp(reply.location, want, strlen(want)) == 0 &&
             strchr("/:?", reply.location[strlen(want)]))
        doctor_say(d, DOCTOR_GOOD, about, "HTTP", "%s leads to https", host);
    else
        doctor_say(d, DOCTOR_FIX, about, "HTTP",
                   "%s answers %ld without TLS; let the proxy in front redirect to https://", host,
                   reply.status);
    free(reply.location);
}

/* --- one host --- */

/* False: it has no address, and no more needs to be asked. */
static bool look_at_name(struct doctor *d, const char *about, const char *host,
                         char address[static INET6_ADDRSTRLEN])
{
    struct doctor_records found;
    uint8_t unused[16];

    address[0] = '\0';
    if (host[0] == '[' || inet_pton(AF_INET, host, unused) == 1) {
        doctor_say(d, DOCTOR_NOTE, about, "DNS", "%s is an address; mail filters like names better",
                   host);
        return true;
    }
    if (strcasecmp(host, "localhost") == 0) {
        doctor_say(d, DOCTOR_NOTE, about, "DNS",
                   "localhost is only this machine; give the brand a host name of yours before "
                   "links go out");
        return true;
    }
    if (!doctor_dns_addresses(d, host, &found) && found.n == 0) {
        doctor_say(d, DOCTOR_FIX, about, "DNS",
                   "no name server tells of %s; look at /etc/resolv.conf and the zone", host);
        return false;
    }
    if (found.n == 0) {
        doctor_say(d, DOCTOR_FIX, about, "DNS",
                   "%s has no address; publish an A or AAAA record that leads to the proxy in "
                   "front",
                   host);
        return false;
    }
    doctor_say(d, DOCTOR_GOOD, about, "DNS", "%s: %s%s", host, found.text[0],
               found.n > 1 ? " and others" : "");
    if (d->has_dns_server)
        snprintf(address, INET6_ADDRSTRLEN, "%.45s", found.text[0]);
    return true;
}

static const struct place *find_link(const struct doctor *d, const struct brand *brand)
{
    for (size_t i = 0; i < d->places->n; i++) {
        const struct place *place = &d->places->items[i];

        if (place->brand == brand && place->by_link && !place->lands_on_page)
            return place;
    }
    return NULL;
}

static void look_at_link(struct doctor *d, const struct brand *brand, const char *about,
                         const char *host, const char *address)
{
    const struct place *link = find_link(d, brand);
    struct place direct = link ? *link : (struct place){0};
    bool has_tls = strncmp(brand->base_url, "https://", 8) == 0;
    const char *port = strrchr(strstr(brand->base_url, "://") + 3, ':');
    int64_t now_s = clock_wall_ms() / 1000;
    char url[PLACE_URL_MAX], secret[TOKEN_TEXT_MAX + 1], want[PLACE_URL_MAX];
    char unused_secret[TOKEN_TEXT_MAX + 1], resolve[2 * HOST_URL_MAX];
    struct probe unused;
    struct reply reply;

    direct.by_link = false;
    if (port && strchr(port, ']'))
        port = NULL; /* the end of an IPv6 address */
    if (!link || !place_ask(d->places, link, now_s, url, secret, &unused) ||
        !place_ask(d->places, &direct, now_s, want, unused_secret, &unused)) {
        doctor_say(d, DOCTOR_NOTE, about, "link", "%s has no kind whose links can be tried", host);
        return;
    }
    snprintf(url, sizeof(url), "%s%s%s/%s", has_tls ? "https://" : "http://", host,
             port ? port : "", secret);
    snprintf(resolve, sizeof(resolve), "%s:%s:%s", host,
             port      ? port + 1
             : has_tls ? "443"
                       : "80",
             address);
    fetch(d, url, address[0] ? resolve : NULL, &reply);
    if (reply.status == 0) {
        doctor_say(d, DOCTOR_FIX, about, has_tls ? "TLS" : "link", "%s: %s", host, reply.error);
        return;
    }
    if (has_tls)
        say_certificate(d, about, host, reply.certificate_s);
    else
        doctor_say(d, DOCTOR_NOTE, about, "TLS",
                   "links begin with http://: what they lead to can be read and changed on the "
                   "way; give base_url an https:// host");
    say_link(d, about, host, &reply, want);
    say_fields(d, about, host, &reply);
    doctor_say_clock(d, host, (int64_t)curl_getdate(reply.field[FIELD_DATE], NULL) * 1000);
    free(reply.location);
    if (has_tls && !port)
        look_at_http(d, about, host, address);
}

void doctor_look_at_hosts(struct doctor *d)
{
    char address[INET6_ADDRSTRLEN];

    for (unsigned i = 0; i < d->config->n_brands; i++) {
        const struct config_brand *brand = &d->config->brands[i];

        for (unsigned k = 0; k < brand->n_hosts; k++) {
            if (look_at_name(d, brand->name, brand->hosts[k], address))
                look_at_link(d, site_brand_at(d->site, i), brand->name, brand->hosts[k], address);
        }
    }
}
