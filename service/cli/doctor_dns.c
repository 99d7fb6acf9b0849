/* doctor: names of hosts, and whether mails and links are of one domain. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/number.h"
#include "service/base/error.h"
#include "service/cli/doctor.h"
#include "service/config/config.h"

enum { ANSWER_MAX = 65535, TRY_S = 2, TRIES = 2, DNS_PORT = 53, NAME_MAX_LEN = 254 };

bool doctor_dns_open(struct doctor *d, const char *server, struct error *err)
{
    struct sockaddr_in *first = &d->dns.nsaddr_list[0];
    const char *colon = server ? strchr(server, ':') : NULL;
    uint32_t port = DNS_PORT;
    char ip[INET_ADDRSTRLEN];

    if (res_ninit(&d->dns) != 0) {
        error_set(err, "the resolver cannot be started; look at /etc/resolv.conf");
        return false;
    }
    /* Once, and again: a name server that is down must not hold us up. */
    d->dns.retrans = TRY_S;
    d->dns.retry = TRIES;
    d->dns.options |= RES_USE_EDNS0;
    if (!server)
        return true;
    snprintf(ip, sizeof(ip), "%.*s", (int)(colon ? colon - server : (long)strlen(server)), server);
    *first = (struct sockaddr_in){.sin_family = AF_INET};
    if (inet_pton(AF_INET, ip, &first->sin_addr) != 1 ||
        (colon && (!number_parse_u32(slice_of(colon + 1), UINT16_MAX, &port) || port == 0))) {
        error_set(err, "--resolver: '%s' is no address; write 192.0.2.1 or 192.0.2.1:53", server);
        return false;
    }
    first->sin_port = htons((uint16_t)port);
    d->dns.nscount = 1;
    d->has_dns_server = true;
    return true;
}

/* A TXT record is several texts of up to 255 bytes, which are put together. */
static void add_text(const ns_rr *rr, char out[static DOCTOR_TEXT_MAX])
{
    const uint8_t *data = ns_rr_rdata(*rr);
    size_t len = ns_rr_rdlen(*rr), n = 0;

    for (size_t i = 0; i < len && i + 1 + data[i] <= len; i += 1 + (size_t)data[i]) {
        size_t part = data[i];

        if (n + part >= DOCTOR_TEXT_MAX)
            break;
        memcpy(out + n, data + i + 1, part);
        n += part;
    }
    out[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)out[i] < ' ' || (unsigned char)out[i] > '~')
            out[i] = '?';
    }
}

static bool ask(struct doctor *d, const char *name, ns_type type, struct doctor_records *out)
{
    uint8_t *answer = malloc(ANSWER_MAX);
    ns_msg message;
    bool ok = false;
    int len;

    if (!answer)
        return false;
    len = res_nquery(&d->dns, name, ns_c_in, (int)type, answer, ANSWER_MAX);
    if (len < 0) {
        ok = d->dns.res_h_errno == HOST_NOT_FOUND || d->dns.res_h_errno == NO_DATA;
        goto out;
    }
    if (ns_initparse(answer, len < ANSWER_MAX ? len : ANSWER_MAX, &message) != 0)
        goto out;
    for (int i = 0; i < ns_msg_count(message, ns_s_an) && out->n < DOCTOR_DNS_MAX; i++) {
        ns_rr rr;

        if (ns_parserr(&message, ns_s_an, i, &rr) != 0)
            break;
        if (ns_rr_type(rr) != type)
            continue;
        if (type == ns_t_txt)
            add_text(&rr, out->text[out->n++]);
        else if (ns_rr_rdlen(rr) == (type == ns_t_a ? 4 : 16) &&
                 inet_ntop(type == ns_t_a ? AF_INET : AF_INET6, ns_rr_rdata(rr), out->text[out->n],
                           DOCTOR_TEXT_MAX))
            out->n++;
    }
    ok = true;
out:
    free(answer);
    return ok;
}

bool doctor_dns_addresses(struct doctor *d, const char *name, struct doctor_records *out)
{
    bool ok;

    out->n = 0;
    ok = ask(d, name, ns_t_a, out);
    return ask(d, name, ns_t_aaaa, out) && ok;
}

bool doctor_dns_texts(struct doctor *d, const char *name, struct doctor_records *out)
{
    out->n = 0;
    return ask(d, name, ns_t_txt, out);
}

/* --- mail --- */

/* Leaves the records that begin with `tag`. */
static void keep(struct doctor_records *records, const char *tag)
{
    size_t n = 0;

    for (size_t i = 0; i < records->n; i++) {
        if (strncasecmp(records->text[i], tag, strlen(tag)) == 0)
            memmove(records->text[n++], records->text[i], DOCTOR_TEXT_MAX);
    }
    records->n = n;
}

/* Whether `term` is one of the terms of an SPF record.  Case doesn't matter there (RFC 7208). */
static bool spf_has(const char *record, const char *term)
{
    struct slice rest = slice_of(record), word;

    while (slice_next_part(&rest, ' ', &word)) {
        if (slice_equal_nocase(word, slice_of(term)))
            return true;
    }
    return false;
}

static void look_at_spf(struct doctor *d, const char *about, const char *domain)
{
    struct doctor_records records;

    if (!doctor_dns_texts(d, domain, &records)) {
        doctor_say(d, DOCTOR_NOTE, about, "SPF", "no name server tells of %s", domain);
        return;
    }
    keep(&records, "v=spf1");
    if (records.n == 0)
        doctor_say(d, DOCTOR_FIX, about, "SPF",
                   "%s has none; publish a TXT record such as \"v=spf1 mx -all\"", domain);
    else if (records.n > 1)
        doctor_say(d, DOCTOR_FIX, about, "SPF", "%s has %zu records, which is an error; keep one",
                   domain, records.n);
    else if (spf_has(records.text[0], "+all") || spf_has(records.text[0], "all"))
        doctor_say(d, DOCTOR_FIX, about, "SPF", "%s lets anyone send (+all); end it with -all",
                   domain);
    else if (!spf_has(records.text[0], "-all") && !spf_has(records.text[0], "~all") &&
             !strcasestr(records.text[0], " redirect="))
        doctor_say(d, DOCTOR_NOTE, about, "SPF", "%s says nothing of others; end it with -all",
                   domain);
    else
        doctor_say(d, DOCTOR_GOOD, about, "SPF", "%s: %s", domain, records.text[0]);
}

/* The policy of a domain: of it, or of the nearest one above that has two labels at least.  Returns
 * whose it is, NULL = there is none; `*failed`: no name server answered. */
static const char *find_dmarc(struct doctor *d, const char *domain, struct doctor_records *out,
                              bool *failed)
{
    char name[NAME_MAX_LEN + sizeof("_dmarc.")];

    *failed = false;
    for (; strchr(domain, '.'); domain = strchr(domain, '.') + 1) {
        snprintf(name, sizeof(name), "_dmarc.%.253s", domain);
        if (!doctor_dns_texts(d, name, out)) {
            *failed = true;
            return NULL;
        }
        keep(out, "v=DMARC1");
        if (out->n > 0)
            return domain;
    }
    return NULL;
}

/* The value of `tag` in a DMARC record; absent when it has none.  Blanks may stand around both. */
static struct slice find_dmarc_tag(const char *record, const char *tag)
{
    struct slice rest = slice_of(record), part, name;

    while (slice_next_part(&rest, ';', &part)) {
        if (slice_next_part(&part, '=', &name) && part.ptr &&
            slice_equal_nocase(slice_trim(name), slice_of(tag)))
            return slice_trim(part);
    }
    return slice_make(NULL, 0);
}

/* The tag of `owner`'s record by which filters judge mails of `domain`: "sp" is for domains below
 * the one that has the record. */
static const char *policy_tag(const char *record, const char *owner, const char *domain)
{
    return strcasecmp(owner, domain) != 0 && find_dmarc_tag(record, "sp").ptr ? "sp" : "p";
}

static bool is_below(const char *host, const char *domain)
{
    size_t host_len = strlen(host), len = strlen(domain);

    return host_len >= len && strcasecmp(host + host_len - len, domain) == 0 &&
           (host_len == len || host[host_len - len - 1] == '.');
}

/* The domain that has the policy is the one that belongs to one owner as a whole: a link host below
 * it is of the sender, for those who compare. */
static void look_at_alignment(struct doctor *d, const struct config_brand *brand,
                              const char *domain)
{
    for (unsigned i = 0; i < brand->n_hosts; i++) {
        if (is_below(brand->hosts[i], domain))
            doctor_say(d, DOCTOR_GOOD, brand->name, "alignment", "%s is of %s, as the mails are",
                       brand->hosts[i], domain);
        else
            doctor_say(d, DOCTOR_FIX, brand->name, "alignment",
                       "%s is no name of %s, which mails come from, so filters take its links for "
                       "a stranger's; use a host such as go.%s",
                       brand->hosts[i], domain, domain);
    }
}

static void look_at_brand(struct doctor *d, const struct config_brand *brand)
{
    struct doctor_records records;
    const char *owner, *tag = "p";
    bool failed;

    look_at_spf(d, brand->name, brand->mail_domain);
    owner = find_dmarc(d, brand->mail_domain, &records, &failed);
    if (owner)
        tag = policy_tag(records.text[0], owner, brand->mail_domain);
    if (failed)
        doctor_say(d, DOCTOR_NOTE, brand->name, "DMARC", "no name server tells of %s",
                   brand->mail_domain);
    else if (!owner)
        doctor_say(d, DOCTOR_FIX, brand->name, "DMARC",
                   "%s has none; publish \"v=DMARC1; p=none; rua=mailto:…\" at _dmarc.%s first",
                   brand->mail_domain, brand->mail_domain);
    else if (slice_equal_nocase(find_dmarc_tag(records.text[0], tag), slice_of("none")))
        doctor_say(d, DOCTOR_NOTE, brand->name, "DMARC",
                   "%s only watches (%s=none); %s=quarantine once its reports are clean", owner,
                   tag, tag);
    else
        doctor_say(d, DOCTOR_GOOD, brand->name, "DMARC", "%s: %s", owner, records.text[0]);
    look_at_alignment(d, brand, owner ? owner : brand->mail_domain);
}

void doctor_look_at_mail(struct doctor *d)
{
    for (unsigned i = 0; i < d->config->n_brands; i++) {
        const struct config_brand *brand = &d->config->brands[i];

        if (brand->mail_domain)
            look_at_brand(d, brand);
        else
            doctor_say(d, DOCTOR_NOTE, brand->name, "mail",
                       "brands[%u].mail_domain isn't set: SPF, DMARC and alignment are not looked "
                       "at",
                       i);
    }
}
