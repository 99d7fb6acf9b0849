/* top: the processes at one Redis on a terminal, as GET /v1/health tells of them: how fast they
 * count, what waits, what their sinks do, which campaigns are unusual. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "proto/rfc3339.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/json_text.h"
#include "service/cli/api.h"
#include "service/cli/command.h"
#include "service/cli/local_time.h"

enum { TOP_URL, TOP_KEY_FILE, TOP_KEY, TOP_CONFIG, TOP_EVERY, TOP_ONCE };

enum { EVERY_DEFAULT_S = 2, EVERY_MAX_S = 3600, NAME_COLUMN = 28, LAG_BAD_S = 30 };

static const struct cli_option options[] = {
    [TOP_URL] = API_URL_OPTION,
    [TOP_KEY_FILE] = API_KEY_FILE_OPTION,
    [TOP_KEY] = API_KEY_OPTION,
    [TOP_CONFIG] = API_CONFIG_OPTION,
    [TOP_EVERY] = {"every", "SECONDS", "between two looks, 1-3600 (2)", NULL, 0},
    [TOP_ONCE] = {"once", NULL, "look once, which is so anyway where no terminal is", NULL, 0},
};

struct top {
    bool is_live; /* on a terminal, drawn anew again and again */
    bool has_color;
    json_t *before; /* the requests of the look before; NULL: this is the first */
    int64_t before_ms;
};

/* --- parts of lines --- */

/* Text of other processes: control characters would steer the terminal. */
static void print_name(const char *text, int width)
{
    int n = 0;

    for (const char *p = text ? text : "?"; *p && n < width; p++, n++)
        putchar((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
    printf("%*s", width - n, "");
}

/* What follows is red when it is bad. */
static void begin_color(const struct top *top, bool is_bad)
{
    if (top->has_color)
        fputs(is_bad ? "\033[31m" : "\033[0m", stdout);
}

static void print_heading(const struct top *top, const char *text)
{
    printf("\n%s%s%s\n", top->has_color ? "\033[1m" : "", text, top->has_color ? "\033[0m" : "");
}

static double number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* "3d04h", "5h12m", "7m", of the time since then. */
static void print_age(const char *since, int64_t now_s)
{
    char text[48] = "?";
    int64_t then_s, age_s;

    if (since && rfc3339_parse(slice_of(since), &then_s)) {
        age_s = now_s > then_s ? now_s - then_s : 0;
        if (age_s >= 86400)
            snprintf(text, sizeof(text), "%lldd%02lldh", (long long)(age_s / 86400),
                     (long long)(age_s % 86400 / 3600));
        else if (age_s >= 3600)
            snprintf(text, sizeof(text), "%lldh%02lldm", (long long)(age_s / 3600),
                     (long long)(age_s % 3600 / 60));
        else
            snprintf(text, sizeof(text), "%lldm", (long long)(age_s / 60));
    }
    printf("%8s", text);
}

/* --- the view --- */

static void print_fleet(const struct top *top, const json_t *health)
{
    const json_t *figures = json_object_get(health, "figures"), *pod;
    const char *status = json_find_text(health, "status"), *host = json_find_text(health, "host");
    json_int_t n_silent = json_integer_value(json_object_get(figures, "pods_silent"));
    char now[RFC3339_TEXT_MAX];
    double per_s = 0;
    size_t i;

    json_array_foreach(json_object_get(health, "pods"), i, pod) per_s +=
        number_of(pod, "clicks_per_s");
    fputs("hopcount at ", stdout);
    print_name(host, host ? (int)strnlen(host, 64) : 1);
    printf(", %s: ", local_time_format(clock_wall_ms() / 1000, now));
    begin_color(top, !status || strcmp(status, "ok") != 0);
    puts(status ? status : "?");
    begin_color(top, false);
    printf("%" JSON_INTEGER_FORMAT " alive, %" JSON_INTEGER_FORMAT
           " silent; %.1f clicks/s counted, %.0f pending, lag %.1f s\n",
           json_integer_value(json_object_get(figures, "pods")), n_silent, per_s,
           number_of(figures, "pending"), number_of(figures, "lag_s"));
}

static void print_pods(const struct top *top, const json_t *health)
{
    int64_t now_s = clock_wall_ms() / 1000;
    const json_t *pod;
    size_t i;

    print_heading(top,
                  "POD                          VERSION        UP  CLICKS/S   PENDING   LAG S  "
                  "STATE");
    json_array_foreach(json_object_get(health, "pods"), i, pod)
    {
        bool is_alive = json_is_true(json_object_get(pod, "alive"));
        bool is_connected = json_is_true(json_object_get(pod, "connected"));
        const json_t *rate = json_object_get(pod, "clicks_per_s");

        begin_color(top, !is_alive || !is_connected || number_of(pod, "lag_s") >= LAG_BAD_S);
        print_name(json_find_text(pod, "host"), NAME_COLUMN);
        putchar(' ');
        print_name(json_find_text(pod, "version"), 10);
        print_age(json_find_text(pod, "started_at"), now_s);
        if (json_is_number(rate))
            printf("%10.1f", json_number_value(rate));
        else
            printf("%10s", "?");
        printf("%10.0f%8.1f  ", number_of(pod, "pending"), number_of(pod, "lag_s"));
        if (!is_alive)
            printf("silent for %.0f s", number_of(pod, "seen_s"));
        else
            fputs(is_connected ? "counts" : "no Redis", stdout);
        begin_color(top, false);
        putchar('\n');
    }
}

/* Replies of the process that answers: per second since the look before, or since its start. */
static void print_replies(struct top *top, json_t *health, int64_t now_ms)
{
    json_t *requests = json_object_get(health, "requests"), *n;
    double past_s = (double)(now_ms - top->before_ms) / 1000;
    const char *name;

    if (!json_is_object(requests))
        return;
    print_heading(top, top->before ? "REPLIES PER SECOND, OF THE POD THAT ANSWERS"
                                   : "REPLIES SINCE ITS START, OF THE POD THAT ANSWERS");
    json_object_foreach(requests, name, n)
    {
        double value = json_number_value(n);

        if (top->before)
            value = (value - number_of(top->before, name)) / (past_s > 0 ? past_s : 1);
        print_name(name, NAME_COLUMN);
        printf(top->before ? "%12.1f\n" : "%12.0f\n", value > 0 ? value : 0);
    }
    json_decref(top->before);
    top->before = json_incref(requests);
    top->before_ms = now_ms;
}

static void print_sinks(const struct top *top, const json_t *health)
{
    const json_t *sinks = json_object_get(health, "sinks"), *sink;
    size_t i;

    if (json_array_size(sinks) == 0)
        return;
    print_heading(top,
                  "SINK                         TYPE         PENDING   LAG S        SENT    LOST  "
                  "STATE");
    json_array_foreach(sinks, i, sink)
    {
        const char *error = json_find_text(sink, "error");
        double n_failed = number_of(sink, "failed");

        begin_color(top, error || n_failed > 0 || number_of(sink, "lost") > 0);
        print_name(json_find_text(sink, "name"), NAME_COLUMN);
        putchar(' ');
        print_name(json_find_text(sink, "type"), 10);
        printf("%10.0f%8.1f%12.0f%8.0f  ", number_of(sink, "pending"), number_of(sink, "lag_s"),
               number_of(sink, "sent"), number_of(sink, "lost"));
        if (json_is_true(json_object_get(sink, "off")))
            fputs("off: ", stdout);
        print_name(error ? error : "goes on", (int)strnlen(error ? error : "goes on", 200));
        if (n_failed > 0)
            printf(", %.0f %s failed", n_failed, n_failed == 1 ? "range" : "ranges");
        begin_color(top, false);
        putchar('\n');
    }
}

static void print_anomalies(const struct top *top, const json_t *health)
{
    static const struct {
        const char *what, *text;
    } words[] = {{"stopped", "people stopped clicking"},
                 {"machines", "machines took over"},
                 {"broken", "pages that its links lead to are down"}};
    const json_t *anomalies = json_object_get(health, "anomalies"), *each;
    size_t i;

    if (json_array_size(anomalies) == 0)
        return;
    print_heading(top, "UNUSUAL CAMPAIGNS, LAST 24 HOURS");
    json_array_foreach(anomalies, i, each)
    {
        const char *what = json_find_text(each, "what"), *text = what;

        for (size_t k = 0; what && k < sizeof(words) / sizeof(words[0]); k++) {
            if (strcmp(words[k].what, what) == 0)
                text = words[k].text;
        }
        print_name(json_find_text(each, "brand"), NAME_COLUMN);
        printf(" %5.0f  ", number_of(each, "campaign"));
        print_name(text, 60);
        putchar('\n');
    }
}

static void print_view(struct top *top, json_t *health)
{
    if (top->is_live)
        fputs("\033[H\033[J", stdout);
    print_fleet(top, health);
    print_pods(top, health);
    print_replies(top, health, clock_mono_ms());
    print_sinks(top, health);
    print_anomalies(top, health);
    fflush(stdout);
}

/* --- the command --- */

static int look(struct top *top, const struct api *api)
{
    const struct api_request request = {
        .path = "/v1/health", .purpose = "look at the processes", .scope = "stats:read"};
    json_t *health = api_ask_json(api, &request);

    if (!health)
        return CLI_FAILED;
    print_view(top, health);
    json_decref(health);
    return CLI_OK;
}

static int run_top(const struct cli_args *args)
{
    const struct api_options where = {.url = args->value[TOP_URL],
                                      .config = args->value[TOP_CONFIG],
                                      .key_file = args->value[TOP_KEY_FILE],
                                      .key = args->value[TOP_KEY]};
    const char *every = args->value[TOP_EVERY], *term = getenv("TERM"),
               *no_color = getenv("NO_COLOR");
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    struct top top = {.is_live = is_terminal && !args->value[TOP_ONCE]};
    char *end = NULL;
    long every_s = every ? strtol(every, &end, 10) : EVERY_DEFAULT_S;
    struct error err = {0};
    struct api api;
    int status;

    if (args->n_words > 0)
        return cli_usage(&cli_top, "'%s' is one word too many", args->words[0]);
    if (every && (*every == '\0' || *end != '\0' || every_s < 1 || every_s > EVERY_MAX_S))
        return cli_usage(&cli_top, "--every is a number of seconds, 1 to %d", EVERY_MAX_S);
    if (!api_find(&where, &api, &err))
        return cli_fail_error(&err);
    /* no-color.org: whatever its value is, unless it is empty. */
    top.has_color = is_terminal && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
    status = look(&top, &api);
    while (top.is_live) {
        nanosleep(&(struct timespec){.tv_sec = every_s}, NULL);
        status = look(&top, &api); /* one that does not answer may be there again the next time */
    }
    json_decref(top.before);
    return status;
}

const struct cli_command cli_top = {
    .name = "top",
    .usage = "--key-file FILE [--url URL | -c FILE] [--once | --every SECONDS]",
    .summary = "shows the processes at one Redis: rates, lag, sinks, anomalies",
    .notes =
        "On a terminal it looks again every two seconds, until Ctrl-C. Any of the processes knows\n"
        "of the others, as they last said; replies and sinks are those of the one that is asked.\n"
        "Bad news is red, unless the variable NO_COLOR is set.\n"
        "The key needs the scope stats:read; it may also stand in the variable " API_KEY_VARIABLE
        ".\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_top,
};
