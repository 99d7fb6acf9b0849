#include "service/checks/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "service/base/clock.h"

enum {
    HOSTS = 256, /* places for the pace of hosts; two that share one wait for each other */
    DAY_S = 86400,
};

_Static_assert(PROBE_WHY_MAX >= CURL_ERROR_SIZE, "libcurl writes that much");

struct prober {
    struct prober_options options;
    CURLM *multi;
    struct probe *first, **last; /* all that aren't done, in the order they were added */
    unsigned n_running;
    int64_t next_ms[HOSTS]; /* monotonic: when a host may be asked again */
};

const char *probe_verdict_name(enum probe_verdict verdict)
{
    static const char *const names[] = {"up", "later", "down"};

    return names[verdict];
}

int64_t probe_days_left(int64_t certificate_s, int64_t now_s)
{
    int64_t left_s = certificate_s - now_s;

    return left_s >= 0 ? left_s / DAY_S : (left_s - DAY_S + 1) / DAY_S;
}

void probe_clear(struct probe *probe)
{
    for (unsigned i = 0; i < probe->n_hops; i++)
        free(probe->hops[i].url);
    free(probe->body);
    probe->body = NULL;
    probe->body_len = 0;
    probe->n_hops = 0;
    probe->time_ms = 0;
    probe->has_certificate = false;
    probe->why[0] = '\0';
}

/* --- the verdict --- */

static void fail(struct probe *probe, enum probe_verdict verdict, const char *why)
{
    probe->verdict = verdict;
    snprintf(probe->why, sizeof(probe->why), "%s", why);
}

static bool has_text(const struct probe *probe)
{
    return probe->body && memmem(probe->body, probe->body_len, probe->must_contain,
                                 strlen(probe->must_contain)) != NULL;
}

/* A page behind a login answers 401 to a stranger.  403 may be meant for programs like this one,
 * 429 says that we ask too often, 503 that the page is away for a while. */
static void judge_page(struct probe *probe)
{
    long status = probe->hops[probe->n_hops - 1].status;
    char why[PROBE_WHY_MAX];

    probe->verdict = PROBE_UP;
    snprintf(why, sizeof(why), "it answers %ld", status);
    if (status == 403 || status == 429 || status == 503) {
        fail(probe, PROBE_LATER, why);
    } else if ((status < 200 || status >= 400) && status != 401) {
        fail(probe, PROBE_DOWN, why);
    } else if (probe->n_hops == 1 && probe->is_link) {
        if (!probe->lands_on_page || status != 200) {
            snprintf(why, sizeof(why),
                     "it answers %ld where a link leads on; does base_url lead to hopcountd?",
                     status);
            fail(probe, PROBE_DOWN, why);
        }
    } else if (probe->must_contain && status < 300 && !has_text(probe)) {
        snprintf(why, sizeof(why), "the page lacks '%s'", probe->must_contain);
        fail(probe, PROBE_DOWN, why);
    }
}

/* --- one request --- */

static bool is_redirect(long status)
{
    return status >= 300 && status < 400;
}

/* Of the page at the end what must hold a text is kept; else its first bytes are enough.  The page
 * of a redirect is read to its end: libcurl says only then where it leads. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct probe *probe = arg;
    size_t len = size * n, room = PROBE_BODY_MAX - probe->body_len;
    size_t taken = len < room ? len : room;
    long status = 0;

    curl_easy_getinfo(probe->handle, CURLINFO_RESPONSE_CODE, &status);
    if (!is_redirect(status)) {
        if (!probe->must_contain)
            return 0;
        if (!probe->body && !(probe->body = malloc(PROBE_BODY_MAX)))
            return 0;
        memcpy(probe->body + probe->body_len, data, taken);
    }
    probe->body_len += taken;
    return len < room ? len : 0;
}

/* FNV-1a of scheme, host and port. */
static unsigned host_place(const char *url)
{
    const char *host = strstr(url, "://");
    size_t len = host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?#") : strlen(url);
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)url[i]) * 16777619u;
    return hash % HOSTS;
}

static bool set_options(const struct prober *prober, struct probe *probe)
{
    CURL *curl = probe->handle;
    bool ok =
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        /* Who gives up a question doesn't wait for a name server that stalls. */
        curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "hopcount/" HOPCOUNT_VERSION) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)prober->options.timeout_ms) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, probe->error) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, probe) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PRIVATE, probe) == CURLE_OK &&
        /* Some systems set a cookie and send back to the same page: without it for ever. */
        curl_easy_setopt(curl, CURLOPT_COOKIEFILE, "") == CURLE_OK;

    if (ok && prober->options.tls_ca)
        ok = curl_easy_setopt(curl, CURLOPT_CAINFO, prober->options.tls_ca) == CURLE_OK;
    return ok;
}

/* Sends the request of the last hop. */
static bool start(struct prober *prober, struct probe *probe, int64_t now_ms)
{
    const char *url = probe->hops[probe->n_hops - 1].url;
    char field[160];
    struct curl_slist *fields = NULL;

    if (!probe->handle) {
        if (!(probe->handle = curl_easy_init()) || !set_options(prober, probe))
            return false;
        if (probe->language) {
            snprintf(field, sizeof(field), "Accept-Language: %.100s", probe->language);
            if (!(fields = curl_slist_append(NULL, field)))
                return false;
            curl_easy_setopt(probe->handle, CURLOPT_HTTPHEADER, fields);
            probe->fields = fields;
        }
    }
    probe->error[0] = '\0';
    probe->body_len = 0;
    if (curl_easy_setopt(probe->handle, CURLOPT_URL, url) != CURLE_OK ||
        curl_multi_add_handle(prober->multi, probe->handle) != CURLM_OK)
        return false;
    prober->next_ms[host_place(url)] = now_ms + prober->options.pace_ms;
    probe->is_running = true;
    prober->n_running++;
    return true;
}

static void stop(struct prober *prober, struct probe *probe)
{
    if (!probe->is_running)
        return;
    curl_multi_remove_handle(prober->multi, probe->handle);
    probe->is_running = false;
    prober->n_running--;
}

static void close_handle(struct probe *probe)
{
    curl_easy_cleanup(probe->handle);
    curl_slist_free_all(probe->fields);
    probe->handle = NULL;
    probe->fields = NULL;
}

static void unlink_probe(struct prober *prober, struct probe *probe)
{
    struct probe **at = &prober->first;

    while (*at && *at != probe)
        at = &(*at)->next;
    *at = probe->next;
    if (!*at)
        prober->last = at;
}

static void end(struct prober *prober, struct probe *probe)
{
    unlink_probe(prober, probe);
    close_handle(probe);
    free(probe->body);
    probe->body = NULL;
    prober->options.on_done(prober->options.owner, probe);
}

/* The first certificate of a connection is the server's own; of a chain of redirects the one that
 * expires first counts. */
static void find_certificate(struct probe *probe)
{
    static const char field[] = "Expire date:";
    struct curl_certinfo *info = NULL;

    if (curl_easy_getinfo(probe->handle, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
        info->num_of_certs < 1)
        return;
    for (const struct curl_slist *line = info->certinfo[0]; line; line = line->next) {
        int64_t expires_s = strncmp(line->data, field, sizeof(field) - 1) == 0
                                ? curl_getdate(line->data + sizeof(field) - 1, NULL)
                                : -1;

        if (expires_s > 0 && (!probe->has_certificate || expires_s < probe->certificate_s)) {
            probe->certificate_s = expires_s;
            probe->has_certificate = true;
        }
    }
}

static bool add_hop(struct probe *probe, const char *url)
{
    struct probe_hop *hop = &probe->hops[probe->n_hops];

    *hop = (struct probe_hop){.url = strdup(url)};
    probe->n_hops += hop->url != NULL;
    return hop->url != NULL;
}

/* True: a redirect, whose hop is waiting. */
static bool follow(const struct prober *prober, struct probe *probe, bool was_cut)
{
    long status = probe->hops[probe->n_hops - 1].status;
    const char *location = NULL;
    char why[PROBE_WHY_MAX];

    curl_easy_getinfo(probe->handle, CURLINFO_REDIRECT_URL, &location);
    if (!location && was_cut && is_redirect(status)) {
        snprintf(why, sizeof(why), "it answers %ld with a page of more than %d KiB", status,
                 PROBE_BODY_MAX >> 10);
        fail(probe, PROBE_DOWN, why);
        return false;
    }
    if (!location) {
        judge_page(probe);
        return false;
    }
    if (probe->n_hops > prober->options.redirects_max) {
        snprintf(why, sizeof(why), "more than %u redirects", prober->options.redirects_max);
        fail(probe, PROBE_DOWN, why);
        return false;
    }
    if (add_hop(probe, location))
        return true;
    fail(probe, PROBE_LATER, "out of memory");
    return false;
}

static void on_request_done(struct prober *prober, struct probe *probe, CURLcode code)
{
    curl_off_t time_us = 0;
    bool goes_on = false;

    stop(prober, probe);
    curl_easy_getinfo(probe->handle, CURLINFO_TOTAL_TIME_T, &time_us);
    probe->time_ms += time_us / 1000;
    /* CURLE_WRITE_ERROR: on_body() has seen enough. */
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR) {
        curl_easy_getinfo(probe->handle, CURLINFO_RESPONSE_CODE,
                          &probe->hops[probe->n_hops - 1].status);
        find_certificate(probe);
        goes_on = follow(prober, probe, code == CURLE_WRITE_ERROR);
    } else {
        fail(probe, PROBE_DOWN, probe->error[0] ? probe->error : curl_easy_strerror(code));
    }
    if (!goes_on)
        end(prober, probe);
}

/* --- many --- */

struct prober *prober_new(const struct prober_options *options)
{
    struct prober *prober = calloc(1, sizeof(*prober));

    if (!prober || !(prober->multi = curl_multi_init())) {
        free(prober);
        return NULL;
    }
    prober->options = *options;
    if (prober->options.redirects_max > PROBE_REDIRECTS_MAX)
        prober->options.redirects_max = PROBE_REDIRECTS_MAX;
    prober->last = &prober->first;
    return prober;
}

void prober_free(struct prober *prober)
{
    if (!prober)
        return;
    for (struct probe *probe = prober->first; probe; probe = probe->next) {
        stop(prober, probe);
        close_handle(probe);
    }
    curl_multi_cleanup(prober->multi);
    free(prober);
}

void prober_add(struct prober *prober, struct probe *probe)
{
    probe_clear(probe);
    probe->handle = NULL;
    probe->is_running = false;
    probe->next = NULL;
    *prober->last = probe;
    prober->last = &probe->next;
}

/* Starts those that wait, for a turn or for a host; what can't be asked ends. */
static void start_waiting(struct prober *prober)
{
    int64_t now_ms = clock_mono_ms();
    struct probe *probe, *next;

    for (probe = prober->first; probe && prober->n_running < prober->options.parallel;
         probe = next) {
        next = probe->next;
        if (probe->is_running)
            continue;
        if (probe->n_hops == 0 && !add_hop(probe, probe->url)) {
            fail(probe, PROBE_LATER, "out of memory");
            end(prober, probe);
        } else if (now_ms >= prober->next_ms[host_place(probe->hops[probe->n_hops - 1].url)] &&
                   !start(prober, probe, now_ms)) {
            fail(probe, PROBE_LATER, "libcurl: out of memory or descriptors");
            end(prober, probe);
        }
    }
}

void prober_step(struct prober *prober)
{
    struct probe *probe;
    CURLMsg *message;
    int unused;

    start_waiting(prober);
    curl_multi_perform(prober->multi, &unused);
    while ((message = curl_multi_info_read(prober->multi, &unused)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &probe);
        on_request_done(prober, probe, message->data.result);
    }
}

void prober_wait(struct prober *prober, int wait_ms)
{
    int64_t now_ms = clock_mono_ms();

    /* Those that wait for a host are no descriptors that libcurl knows. */
    for (const struct probe *probe = prober->first; probe; probe = probe->next) {
        int64_t left_ms = 0;

        if (probe->is_running || prober->n_running == prober->options.parallel)
            continue;
        if (probe->n_hops > 0)
            left_ms = prober->next_ms[host_place(probe->hops[probe->n_hops - 1].url)] - now_ms;
        if (left_ms < wait_ms)
            wait_ms = left_ms > 0 ? (int)left_ms : 0;
    }
    curl_multi_poll(prober->multi, NULL, 0, wait_ms, NULL);
}

bool prober_is_idle(const struct prober *prober)
{
    return prober->first == NULL;
}
