/* doctor: looks at all that hopcount needs around it, and says what is good and what to do. */
#include "service/cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <jansson.h>

#include "proto/slice.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/ownership.h"
#include "service/checks/places.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/config/apikeys.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/label/geo_db.h"

enum { DOCTOR_CONFIG, DOCTOR_CA, DOCTOR_RESOLVER, DOCTOR_JSON };
enum { TMPFS = 0x01021994, SEGMENTS_MIN = 4 };

static const struct cli_option options[] = {
    [DOCTOR_CONFIG] = CONFIG_OPTION,
    [DOCTOR_CA] = {"ca", "FILE", "PEM file of the authorities that vouch for the hosts", CLI_FILES,
                   0},
    [DOCTOR_RESOLVER] = {"resolver", "ADDRESS",
                         "name server to ask in place of the system's: 192.0.2.1 or 192.0.2.1:53",
                         NULL, 0},
    [DOCTOR_JSON] = {"json", NULL, "a JSON object per line", NULL, 0},
};

/* --- lines --- */

void doctor_say(struct doctor *d, enum doctor_grade grade, const char *about, const char *what,
                const char *format, ...)
{
    static const char *const words[] = {"good", "note", "fix"};
    char text[2 * DOCTOR_TEXT_MAX];
    json_t *json;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    d->n_notes += grade == DOCTOR_NOTE;
    d->n_fixes += grade == DOCTOR_FIX;
    if (!d->as_json) {
        printf("%-4s  %-14s %-17s %s\n", words[grade], about, what, text);
    } else if ((json = json_pack("{ss ss ss ss}", "grade", words[grade], "about", about, "what",
                                 what, "text", text)) != NULL) {
        if (json_dumpf(json, stdout, 0) == 0)
            putchar('\n');
        json_decref(json);
    }
    fflush(stdout);
}

void doctor_say_clock(struct doctor *d, const char *about, int64_t their_ms)
{
    int64_t ahead_s = (their_ms - clock_wall_ms()) / 1000;

    if (their_ms <= 0)
        doctor_say(d, DOCTOR_NOTE, about, "clock", "it tells no time");
    else if (ahead_s > DOCTOR_CLOCK_S || ahead_s < -DOCTOR_CLOCK_S)
        doctor_say(d, DOCTOR_FIX, about, "clock",
                   "%" PRId64
                   " s %s ours; links expire and clicks are dated by it: let NTP set both",
                   ahead_s < 0 ? -ahead_s : ahead_s, ahead_s < 0 ? "behind" : "before");
    else
        doctor_say(d, DOCTOR_GOOD, about, "clock", "as ours");
}

/* --- files --- */

static void look_at_secret(struct doctor *d, const char *what, const char *path)
{
    struct error err = {0};
    int fd;

    if (!path)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        doctor_say(d, DOCTOR_FIX, "files", what, "%s: %s", path, strerror(errno));
        return;
    }
    if (own_secret_check(fd, path, &err))
        doctor_say(d, DOCTOR_GOOD, "files", what, "%s: nobody else may read or change it", path);
    else
        doctor_say(d, DOCTOR_FIX, "files", what, "%s", err.text);
    close(fd);
}

static void look_at_disk(struct doctor *d)
{
    const struct config_ledger *ledger = &d->config->ledger;
    const char *dir = d->config->state_dir;
    struct statvfs disk;
    struct statfs kind;
    int64_t left;

    if (statvfs(dir, &disk) != 0 || statfs(dir, &kind) != 0) {
        doctor_say(d, DOCTOR_NOTE, "files", "state_dir", "%s: %s; hopcountd makes it at its start",
                   dir, strerror(errno));
        return;
    }
    left = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    if (kind.f_type == TMPFS)
        doctor_say(d, DOCTOR_FIX, "files", "state_dir",
                   "%s is in memory: clicks that wait for Redis end with the machine; put it on a "
                   "disk",
                   dir);
    if (left < SEGMENTS_MIN * ledger->segment_bytes)
        doctor_say(d, DOCTOR_FIX, "files", "disk",
                   "%s has %" PRId64 " MiB left, no room for new clicks; make room", dir,
                   left >> 20);
    else if (left < ledger->disk_max_bytes)
        doctor_say(d, DOCTOR_NOTE, "files", "disk",
                   "%s has %" PRId64 " MiB left, ledger.disk_max_bytes are %" PRId64
                   " MiB: the disk is full before that",
                   dir, left >> 20, ledger->disk_max_bytes >> 20);
    else
        doctor_say(d, DOCTOR_GOOD, "files", "disk", "%s has %" PRId64 " MiB left", dir, left >> 20);
}

/* hopcountd starts without such a file, or with one that it can't read, and says so in its log
 * only.
 */
static void look_at_geo(struct doctor *d, const char *key, const char *path, enum geo_db_what what)
{
    struct geo_db *db = NULL;
    struct error err = {0};

    if (!path)
        return;
    if (geo_db_load(path, what, &db, &err) == GEO_DB_OK)
        doctor_say(d, DOCTOR_GOOD, "files", key, "%s can be read", path);
    else
        doctor_say(d, DOCTOR_FIX, "files", key, "%s; %s are unknown until it can be read", err.text,
                   what == GEO_DB_COUNTRIES ? "countries" : "autonomous systems");
    geo_db_free(db);
}

/* A new package has an empty list of keys. */
static void look_at_people(struct doctor *d)
{
    const char *path = d->config->admin.api_keys;
    struct error unused = {0};
    struct apikeys *keys = path ? apikeys_load(path, &unused) : NULL;

    if (d->config->admin.n_users == 0 && (!path || (keys && apikeys_count(keys) == 0)))
        doctor_say(d, DOCTOR_NOTE, "files", "admin",
                   "nobody can sign in or ask the API; hopcount apikey --name NAME --role admin "
                   "--add %s, then reload",
                   path ? path : "FILE, name it in admin.api_keys");
    apikeys_free(keys);
}

void doctor_look_at_files(struct doctor *d)
{
    look_at_secret(d, "keys", d->config->keys);
    look_at_secret(d, "admin.api_keys", d->config->admin.api_keys);
    look_at_secret(d, "password_file", d->config->redis.password_file);
    look_at_secret(d, "client_secret_file", d->config->admin.oidc.client_secret_file);
    look_at_geo(d, "geo.country", d->config->geo.country, GEO_DB_COUNTRIES);
    look_at_geo(d, "geo.asn", d->config->geo.asn, GEO_DB_ASNS);
    look_at_people(d);
    for (unsigned i = 0; i < site_n_brands(d->site); i++) {
        if (site_brand_at(d->site, i)->mint_kid == 0)
            doctor_say(d, DOCTOR_FIX, d->config->brands[i].name, "keys",
                       "no key mints for it; hopcount keygen --add, then `mint` in its line");
    }
    look_at_disk(d);
}

/* --- the command --- */

static int look(struct doctor *d, const struct cli_args *args, struct site *site)
{
    const struct places_options places_options = {.config = d->config,
                                                  .site = site,
                                                  .has_fallback = true,
                                                  .object = 1,
                                                  .client = 1,
                                                  .arg = "x"};
    struct error err = {0};
    struct places *places;

    if (!doctor_dns_open(d, args->value[DOCTOR_RESOLVER], &err) ||
        !places_check(d->config, site, &err) || !(places = places_new(&places_options, &err)))
        return cli_fail_error(&err);
    d->site = site;
    d->places = places;
    d->tls_ca = args->value[DOCTOR_CA] ? args->value[DOCTOR_CA] : d->config->checks.tls_ca;
    doctor_look_at_files(d);
    doctor_look_at_redis(d);
    doctor_look_at_hosts(d);
    doctor_look_at_mail(d);
    doctor_look_at_sign_in(d);
    places_free(places);
    if (d->n_fixes > 0)
        return cli_fail("%u to fix, %u to note", d->n_fixes, d->n_notes);
    if (!d->as_json)
        printf("nothing to fix, %u to note\n", d->n_notes);
    return CLI_OK;
}

static int run_doctor(const struct cli_args *args)
{
    struct doctor d = {.as_json = args->value[DOCTOR_JSON] != NULL};
    struct config *config = NULL;
    struct error err = {0};
    struct site *site;
    int status;

    if (args->n_words > 0)
        return cli_usage(&cli_doctor, "'%s' is one word too many", args->words[0]);
    if (!(site = config_option_load(args->value[DOCTOR_CONFIG], &config, &err)))
        return cli_fail_error(&err);
    d.config = config;
    status = look(&d, args, site);
    res_nclose(&d.dns);
    site_unref(site);
    config_free(config);
    return status;
}

const struct cli_command cli_doctor = {
    .name = "doctor",
    .usage = "-c FILE [OPTION…]",
    .summary = "looks at DNS, TLS, proxy, clocks, files, Redis, disk, mail domain and sign-in",
    .notes =
        "Each line says good, note (worth a thought, or not to be found out) or fix, and what to\n"
        "do. Asks only what the configuration names: the hosts of links, with a link that isn't\n"
        "counted and isn't followed, Redis, name servers and the OpenID provider. A wrong\n"
        "configuration is told as by hopcountd --check. The exit code is 1 when there is "
        "something\n"
        "to fix. For the pages that links lead to see hopcount check.\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_doctor,
};
