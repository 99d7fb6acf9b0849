/* The metrics in Prometheus' text format 0.0.4.  Names and units follow its conventions; the values
 * are snapshots of counters that other threads write. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "service/admin/audit.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/anomalies.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/checks/check_record.h"
#include "service/checks/checks.h"
#include "service/checks/places.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore.h"
#include "service/ledger/ledger.h"
#include "service/public/access_log.h"
#include "service/public/worker.h"
#include "service/reports/reports.h"
#include "service/sinks/sinks.h"
#include "service/state/event_log.h"
#include "service/state/state_feed.h"

/* A metric without labels. */
struct metric {
    const char *name, *type, *help;
    double value;
};

static void write_head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
    evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* 17 digits hold any double; whole numbers come out whole. */
static void write_metrics(struct evbuffer *out, const struct metric *metrics, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        write_head(out, metrics[i].name, metrics[i].type, metrics[i].help);
        evbuffer_add_printf(out, "%s %.17g\n", metrics[i].name, metrics[i].value);
    }
}

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* All workers' counters together. */
struct worker_sums {
    uint64_t requests[OUTCOMES], ended[CLOSE_REASONS], reasons[CLICK_REASONS];
    uint64_t agents_cached, agents_full, agents_hurried;
    uint64_t accepted, open, open_max, heads, unsent_bytes, bytes_in, bytes_out, accept_pauses,
        loop_passes, gather_pauses;
};

static void add_worker(struct worker_sums *sums, const struct worker_counters *counters)
{
    for (unsigned i = 0; i < OUTCOMES; i++)
        sums->requests[i] += counter64_get(&counters->requests[i]);
    for (unsigned i = 0; i < CLICK_REASONS; i++)
        sums->reasons[i] += counter64_get(&counters->reasons[i]);
    for (unsigned i = 0; i < CLOSE_REASONS; i++)
        sums->ended[i] += counter64_get(&counters->closed[i]);
    sums->agents_cached += counter64_get(&counters->agents.hits);
    sums->agents_full += counter64_get(&counters->agents.full);
    sums->agents_hurried += counter64_get(&counters->agents.hurried);
    sums->accepted += counter64_get(&counters->accepted);
    sums->open += counter64_get(&counters->open);
    sums->open_max += counter64_get(&counters->open_max);
    sums->heads += counter64_get(&counters->heads);
    sums->unsent_bytes += counter64_get(&counters->unsent_bytes);
    sums->bytes_in += counter64_get(&counters->bytes_in);
    sums->bytes_out += counter64_get(&counters->bytes_out);
    sums->accept_pauses += counter64_get(&counters->accept_pauses);
    sums->loop_passes += counter64_get(&counters->loop_passes);
    sums->gather_pauses += counter64_get(&counters->pauses);
}

static void write_labelled(struct evbuffer *out, const struct worker_sums *sums)
{
    write_head(out, "hopcount_requests_total", "counter",
               "Requests on the public port by outcome; redirect is a counted click.");
    for (unsigned i = 0; i < OUTCOMES; i++)
        evbuffer_add_printf(out,
                            "hopcount_requests_total{outcome=\"%s\",status=\"%u\"} %" PRIu64 "\n",
                            outcome_name(i), outcome_status(i), sums->requests[i]);
    write_head(out, "hopcount_connections_ended_total", "counter",
               "Connections of the public port that ended, by reason.");
    for (unsigned i = 0; i < CLOSE_REASONS; i++)
        evbuffer_add_printf(out, "hopcount_connections_ended_total{reason=\"%s\"} %" PRIu64 "\n",
                            close_reason_name(i), sums->ended[i]);
    write_head(out, "hopcount_clicks_labelled_total", "counter",
               "Counted clicks by the label they got when they came, and why.");
    for (unsigned i = 0; i < CLICK_REASONS; i++)
        evbuffer_add_printf(
            out, "hopcount_clicks_labelled_total{label=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
            click_label_name(click_reason_label((enum click_reason)i)), click_reason_name(i),
            sums->reasons[i]);
    write_head(
        out, "hopcount_agents_total", "counter",
        "User agents of clicks: seen lately (cached), matched against all patterns (full), or, "
        "while too many are new, only told apart as machine or person (hurried).");
    evbuffer_add_printf(out,
                        "hopcount_agents_total{looked_up=\"cached\"} %" PRIu64
                        "\nhopcount_agents_total{looked_up=\"full\"} %" PRIu64
                        "\nhopcount_agents_total{looked_up=\"hurried\"} %" PRIu64 "\n",
                        sums->agents_cached, sums->agents_full, sums->agents_hurried);
}

static void write_workers(struct evbuffer *out, const struct admin_sources *sources)
{
    struct worker_sums sums = {.accepted = 0};

    for (unsigned i = 0; i < sources->n_workers; i++)
        add_worker(&sums, worker_counters(sources->workers[i]));
    write_labelled(out, &sums);
    {
        const struct metric metrics[] = {
            {"hopcount_workers", "gauge", "Worker threads.", sources->n_workers},
            {"hopcount_connections_total", "counter", "Connections accepted on the public port.",
             (double)sums.accepted},
            {"hopcount_connections", "gauge", "Connections of the public port that are open.",
             (double)sums.open},
            {"hopcount_connections_max", "gauge", "Limit of hopcount_connections.",
             (double)sums.open_max},
            {"hopcount_connections_unfinished_heads", "gauge",
             "Connections that hold an unfinished request head.", (double)sums.heads},
            {"hopcount_unsent_bytes", "gauge", "Bytes of replies that clients have not taken yet.",
             (double)sums.unsent_bytes},
            {"hopcount_received_bytes_total", "counter", "Bytes received on the public port.",
             (double)sums.bytes_in},
            {"hopcount_sent_bytes_total", "counter", "Bytes sent on the public port.",
             (double)sums.bytes_out},
            {"hopcount_accept_pauses_total", "counter",
             "Times accepting paused for lack of descriptors or memory.",
             (double)sums.accept_pauses},
            {"hopcount_event_loop_turns_total", "counter", "Turns of the workers' event loops.",
             (double)sums.loop_passes},
            {"hopcount_gather_pauses_total", "counter",
             "Pauses of public.gather_us in which requests gathered.", (double)sums.gather_pauses},
        };

        write_metrics(out, metrics, N_OF(metrics));
    }
}

static void write_store(struct evbuffer *out, struct clickstore *store)
{
    struct clickstore_stats stats;
    uint64_t refused;

    clickstore_stats(store, &stats);
    /* Clicks that took no place in a log: they were dropped when they came. */
    refused = stats.dropped[CLICKLOG_DROP_DISK_CAP] + stats.dropped[CLICKLOG_DROP_MEMORY_CAP] +
              stats.dropped[CLICKLOG_DROP_NO_SEGMENT];
    write_head(out, "hopcount_clicks_dropped_total", "counter",
               "Clicks that will never be counted, by reason.");
    for (unsigned i = 0; i < CLICKLOG_DROPS; i++)
        evbuffer_add_printf(out, "hopcount_clicks_dropped_total{reason=\"%s\"} %" PRIu64 "\n",
                            clicklog_drop_name((enum clicklog_drop)i), stats.dropped[i]);
    {
        const struct metric metrics[] = {
            {"hopcount_clicks_accepted_total", "counter",
             "Clicks of this process that are to be counted; relabellings and events are no "
             "clicks.  "
             "Conservation: hopcount_clicks_accepted_total + "
             "hopcount_clicks_recovered_total = hopcount_clicks_applied + "
             "hopcount_clicks_pending + sum(hopcount_clicks_dropped_total).",
             (double)(stats.appended + refused)},
            {"hopcount_clicks_recovered_total", "counter",
             "Clicks found at start in the logs of earlier starts; the damaged are dropped when "
             "read.",
             (double)stats.recovered},
            {"hopcount_log_disk_bytes", "gauge", "Bytes of click log segments on disk.",
             (double)stats.disk_bytes},
            {"hopcount_log_memory_bytes", "gauge",
             "Bytes of click log segments that are in memory only.", (double)stats.memory_bytes},
            {"hopcount_log_segments", "gauge", "Segments of the click logs.",
             (double)stats.n_segments},
            {"hopcount_log_set_aside_total", "counter",
             "Damaged, foreign or newer log files that were set aside.", (double)stats.n_set_aside},
            {"hopcount_log_degraded", "gauge",
             "1 when new clicks would not survive the process: the disk takes none.",
             stats.degraded},
            {"hopcount_log_last_errno", "gauge", "errno of the disk's last failure; 0 = none.",
             stats.last_errno},
            {"hopcount_stderr_lines_dropped_total", "counter",
             "Log lines that stderr did not take at once: whoever reads it is late.",
             (double)log_dropped()},
        };

        write_metrics(out, metrics, N_OF(metrics));
    }
}

/* What is counted in Redis, by all processes; absent until Redis has told it. */
static void write_payments(struct evbuffer *out, const struct ledger_stats *stats)
{
    if (stats->facts_waiting >= 0) {
        write_head(
            out, "hopcount_funnel_waiting", "gauge",
            "Batches of mails, clicks and payments, of all processes, not in the funnel yet.");
        evbuffer_add_printf(out, "hopcount_funnel_waiting %" PRId64 "\n", stats->facts_waiting);
    }
    if (stats->payments_in < 0)
        return;
    write_head(out, "hopcount_payments_in", "gauge",
               "Payments that were told, by all processes: the sum of hopcount_payments.");
    evbuffer_add_printf(out, "hopcount_payments_in %" PRId64 "\n", stats->payments_in);
    write_head(out, "hopcount_payments", "gauge",
               "What became of them: credited to a click, or why not; all processes.");
    for (unsigned i = 0; i < FUNNEL_OUTCOMES; i++)
        evbuffer_add_printf(out, "hopcount_payments{outcome=\"%s\"} %" PRId64 "\n",
                            funnel_outcome_name(i), stats->payments[i]);
}

static void write_ledger(struct evbuffer *out, struct ledger *ledger)
{
    /* Reasons that clicks get only when they are looked at again. */
    static const enum click_reason later[] = {CLICK_REASON_MANY_LINKS, CLICK_REASON_MANY_NETWORKS,
                                              CLICK_REASON_SIGNS, CLICK_REASON_REPEAT};
    struct ledger_stats stats;

    ledger_stats(ledger, &stats);
    {
        const struct metric metrics[] = {
            {"hopcount_clicks_applied", "gauge",
             "Clicks of the logs, those of earlier starts too, that Redis holds; goes back when "
             "Redis lost some.",
             (double)stats.applied},
            {"hopcount_clicks_pending", "gauge", "Clicks in the logs that Redis has not yet.",
             (double)stats.pending},
            {"hopcount_clicks_replayed_total", "counter",
             "Clicks applied again after Redis had lost them.", (double)stats.replayed},
            {"hopcount_clicks_lost_gap_total", "counter",
             "Clicks that Redis lost and the log no longer holds.", (double)stats.lost_gap},
            {"hopcount_batches_total", "counter", "Batches applied in Redis.",
             (double)stats.n_batches},
            {"hopcount_batches_refused_total", "counter",
             "Batches that the cursor refused, because they had been applied.",
             (double)stats.refused},
            {"hopcount_increments_rejected_total", "counter",
             "Increments set aside: the counter has a wrong type or would overflow.",
             (double)stats.rejected},
            {"hopcount_lag_seconds", "gauge", "Age of the oldest pending click.",
             (double)stats.lag_ms / 1000},
            {"hopcount_lag_bytes", "gauge", "Bytes of pending clicks in the logs.",
             (double)stats.pending * CLICK_RECORD_LEN},
            {"hopcount_as_of_timestamp_seconds", "gauge",
             "Time up to which Redis holds every click of this process.",
             (double)stats.as_of_ms / 1000},
            {"hopcount_redis_up", "gauge", "1 when the ledger is connected to Redis.",
             stats.connected},
            {"hopcount_pods", "gauge",
             "Processes that share this Redis, this one too; 0 when it does not answer.",
             stats.gateway.n_pods},
        };

        write_metrics(out, metrics, N_OF(metrics));
    }
    write_head(out, "hopcount_clicks_relabelled_total", "counter",
               "Clicks labelled human when they came and found to be a machine's, by why.");
    for (size_t i = 0; i < N_OF(later); i++)
        evbuffer_add_printf(out, "hopcount_clicks_relabelled_total{reason=\"%s\"} %" PRIu64 "\n",
                            click_reason_name(later[i]), stats.gateway.relabelled[later[i]]);
    write_payments(out, &stats);
    write_head(
        out, "hopcount_clock_ahead_seconds", "gauge",
        "By how much the clock of this process is ahead of Redis', at least; below 0 when it "
        "is behind, absent until Redis has told its time.");
    if (stats.gateway.knows_clock)
        evbuffer_add_printf(out, "hopcount_clock_ahead_seconds %.3f\n",
                            (double)stats.gateway.clock_ahead_ms / 1000);
    write_head(out, "hopcount_redis_refusal", "gauge",
               "1 while Redis takes no counts, with the cause; absent while it does.");
    if (stats.cause[0])
        evbuffer_add_printf(out, "hopcount_redis_refusal{cause=\"%s\"} 1\n", stats.cause);
}

static void write_states(struct evbuffer *out, const struct admin_sources *sources)
{
    struct state_feed_stats stats;

    state_feed_stats(sources->state_feed, &stats);
    {
        const struct metric metrics[] = {
            {"hopcount_events_accepted_total", "counter",
             "Events of other programs that are in the log of events since start.",
             (double)event_log_count(sources->events)},
            {"hopcount_state_entries", "gauge",
             "What is known of objects, links, clients and campaigns.", (double)stats.n_entries},
            {"hopcount_state_bytes", "gauge", "Memory of the table of states.",
             (double)stats.n_bytes},
            {"hopcount_state_known", "gauge",
             "1 when all states were loaded once, from the file or from Redis.", stats.is_known},
            {"hopcount_state_age_seconds", "gauge",
             "Since Redis last said what is new of states; -1 = never.",
             stats.age_ms < 0 ? -1 : (double)stats.age_ms / 1000},
            {"hopcount_state_lag_seconds", "gauge",
             "From Redis to the table of this process, of the newest state that came.",
             (double)stats.lag_ms / 1000},
            {"hopcount_state_loads_total", "counter",
             "Times that all states of a shard were loaded.", (double)stats.n_loads},
        };

        write_metrics(out, metrics, N_OF(metrics));
    }
}

/* A metric that each sink has. */
struct sink_metric {
    const char *name, *type, *help;
    double (*value)(const struct sink_stats *stats);
};

static double sink_lag(const struct sink_stats *stats)
{
    return (double)stats->lag;
}

static double sink_oldest(const struct sink_stats *stats)
{
    return (double)stats->oldest_ms / 1000;
}

static double sink_sent(const struct sink_stats *stats)
{
    return (double)stats->n_sent;
}

static double sink_lost(const struct sink_stats *stats)
{
    return (double)stats->n_lost;
}

static double sink_failed(const struct sink_stats *stats)
{
    return (double)stats->n_failed;
}

static double sink_up(const struct sink_stats *stats)
{
    return stats->is_off || stats->why[0] ? 0 : 1;
}

static void write_sinks(struct evbuffer *out, struct sinks *sinks)
{
    static const struct sink_metric metrics[] = {
        {"hopcount_sink_up", "gauge", "1 while the sink takes what it is given.", sink_up},
        {"hopcount_sink_lag_clicks", "gauge", "Records of the logs that the sink hasn't got.",
         sink_lag},
        {"hopcount_sink_oldest_seconds", "gauge", "Age of the oldest of them; 0: there is none.",
         sink_oldest},
        {"hopcount_sink_sent_total", "counter", "Records that the sink got, over all starts.",
         sink_sent},
        {"hopcount_sink_lost_clicks_total", "counter",
         "Records that the sink will never get, over all starts: deleted for want of space on the "
         "disk, or damaged.",
         sink_lost},
        {"hopcount_sink_failed_ranges", "gauge",
         "Ranges of records that the sink refused; hopcount sinks retry sends them again.",
         sink_failed},
    };
    unsigned n = sinks_count(sinks);
    struct sink_stats stats;

    for (size_t i = 0; n > 0 && i < N_OF(metrics); i++) {
        write_head(out, metrics[i].name, metrics[i].type, metrics[i].help);
        for (unsigned j = 0; j < n; j++) {
            sinks_stats(sinks, j, &stats);
            evbuffer_add_printf(out, "%s{sink=\"%s\",type=\"%s\"} %.17g\n", metrics[i].name,
                                stats.name, stats.type, metrics[i].value(&stats));
        }
    }
}

static void write_sink_errors(struct evbuffer *out, struct sinks *sinks)
{
    write_head(out, "hopcount_sink_last_error", "gauge",
               "1 while the sink doesn't go on, with the cause; absent while it does.");
    for (unsigned i = 0; i < sinks_count(sinks); i++) {
        struct sink_stats stats;

        sinks_stats(sinks, i, &stats);
        if (!stats.why[0])
            continue;
        evbuffer_add_printf(out, "hopcount_sink_last_error{sink=\"%s\",error=\"", stats.name);
        /* A backslash before quotes and backslashes, blanks for controls. */
        for (const char *text = stats.why; *text; text++) {
            char c = (unsigned char)*text < ' ' ? ' ' : *text;

            if (c == '"' || c == '\\')
                evbuffer_add(out, "\\", 1);
            evbuffer_add(out, &c, 1);
        }
        evbuffer_add_printf(out, "\"} 1\n");
    }
}

/* A metric that pages have. */
struct page_metric {
    struct evbuffer *out;
    const char *name;
    bool (*value)(const json_t *record, int64_t *out);
};

static bool page_is_up(const json_t *record, int64_t *out)
{
    const char *state = check_record_text(record, "state");

    *out = strcmp(state, "up") == 0;
    return strcmp(state, "unknown") != 0;
}

static bool page_certificate_days(const json_t *record, int64_t *out)
{
    int64_t expires_s = check_record_number(record, "certificate");

    *out = probe_days_left(expires_s, clock_wall_ms() / 1000);
    return expires_s != 0;
}

static bool page_age_s(const json_t *record, int64_t *out)
{
    *out = (clock_wall_ms() - check_record_number(record, "at")) / 1000;
    return true;
}

static void write_page(void *owner, const struct place *place, const json_t *record)
{
    const struct page_metric *m = owner;
    int64_t value;

    if (!record || !m->value(record, &value))
        return;
    evbuffer_add_printf(m->out, "%s{brand=\"%.*s\",target=\"%s\",way=\"%s\"} %" PRId64 "\n",
                        m->name, SLICE_ARG(place->brand->name), place->name,
                        place->by_link ? "link" : "direct", value);
}

/* What all processes know alike; absent until a page was looked at. */
/* `reports` may be NULL: there are none. */
static void write_reports(struct evbuffer *out, struct reports *reports)
{
    struct report_counts counts;

    write_head(out, "hopcount_report_sent_total", "counter",
               "Mails and messages of a report that this process sent.");
    for (unsigned i = 0; reports && reports_count(reports, i, &counts); i++)
        evbuffer_add_printf(out, "hopcount_report_sent_total{report=\"%s\"} %" PRIu64 "\n",
                            counts.report, counts.n_sent);
    write_head(out, "hopcount_report_failures_total", "counter",
               "Failed attempts of this process to send a report.");
    for (unsigned i = 0; reports && reports_count(reports, i, &counts); i++)
        evbuffer_add_printf(out, "hopcount_report_failures_total{report=\"%s\"} %" PRIu64 "\n",
                            counts.report, counts.n_failed);
    write_head(out, "hopcount_report_overdue_seconds", "gauge",
               "For how long the newest report is due and has not reached all of its receivers, by "
               "whatever process; 0 when it has.");
    for (unsigned i = 0; reports && reports_count(reports, i, &counts); i++)
        evbuffer_add_printf(out, "hopcount_report_overdue_seconds{report=\"%s\"} %" PRId64 "\n",
                            counts.report, counts.overdue_s);
}

static void write_checks(struct evbuffer *out, struct checks *checks)
{
    static const struct {
        const char *name, *help;
        bool (*value)(const json_t *record, int64_t *out);
    } metrics[] = {
        {"hopcount_target_up",
         "1 when the page that links lead to answers, 0 when it is down; by all processes' checks.",
         page_is_up},
        {"hopcount_target_certificate_days",
         "Days until the first certificate on the way to the page expires.", page_certificate_days},
        {"hopcount_target_age_seconds", "Since the page was last looked at.", page_age_s},
    };

    for (size_t i = 0; i < N_OF(metrics); i++) {
        struct page_metric m = {.out = out, .name = metrics[i].name, .value = metrics[i].value};

        write_head(out, metrics[i].name, "gauge", metrics[i].help);
        checks_visit(checks, write_page, &m);
    }
    write_head(out, "hopcount_checker", "gauge",
               "1 of the one process that looks at the pages, 0 of the others.");
    evbuffer_add_printf(out, "hopcount_checker %d\n", checks_is_checker(checks));
}

static void write_admin(struct evbuffer *out, const struct server *server)
{
    write_head(out, "hopcount_build_info", "gauge", "The version that runs; always 1.");
    evbuffer_add_printf(out, "hopcount_build_info{version=\"%s\"} 1\n", HOPCOUNT_VERSION);
    write_head(out, "hopcount_admin_replies_total", "counter",
               "Replies of the admin address by class of status.");
    for (unsigned i = 2; i < 6; i++)
        evbuffer_add_printf(out, "hopcount_admin_replies_total{class=\"%uxx\"} %" PRIu64 "\n", i,
                            atomic_load(&server->n_replies[i]));
    {
        const struct metric metrics[] = {
            {"hopcount_admin_queries_failed_total", "counter",
             "Requests that failed because Redis did not answer.",
             (double)counter64_get(&server->n_queries_failed)},
            {"hopcount_admin_audit_lost_total", "counter",
             "Entries of the audit log that could not be kept; each is a log line instead.",
             (double)audit_n_lost(server->audit)},
            {"hopcount_admin_requests", "gauge",
             "Requests of the admin address being answered; streams and this one are among them.",
             atomic_load(&server->n_open)},
            {"hopcount_admin_connections", "gauge",
             "Connections of the admin address that are open.",
             (double)counter64_get(&server->n_connections)},
            {"hopcount_admin_connections_max", "gauge", "Limit of hopcount_admin_connections.",
             server->connections_max},
            {"hopcount_admin_connections_evicted_total", "counter",
             "Connections of the admin address closed while it waited for their clients, to make "
             "room for others.",
             (double)counter64_get(&server->n_evicted)},
            {"hopcount_ready", "gauge", "1 when /readyz says yes.",
             atomic_load(&server->state) == ADMIN_READY},
            {"hopcount_config_last_reload_successful", "gauge",
             "1 when the last load of the configuration went well.",
             (double)counter64_get(&server->reload_ok)},
            {"hopcount_config_last_reload_success_timestamp_seconds", "gauge",
             "When the configuration in use was loaded.", (double)counter64_get(&server->reload_s)},
            {"hopcount_config_reload_failures_total", "counter",
             "Reloads that kept the old configuration.",
             (double)counter64_get(&server->reload_failures)},
        };

        write_metrics(out, metrics, N_OF(metrics));
    }
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* `max` is the limit, which is reached when there is none to count them with. */
static unsigned count_descriptors(unsigned max)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    if (!dir)
        return errno == EMFILE ? max : 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n > 3 ? n - 3 : 0; /* `.`, `..` and the folder's own */
}

static void read_memory(double *virtual_bytes, double *resident_bytes)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long virtual_pages = 0, resident_pages = 0;
    double page = (double)sysconf(_SC_PAGESIZE);

    if (file) {
        if (fscanf(file, "%llu %llu", &virtual_pages, &resident_pages) != 2)
            virtual_pages = resident_pages = 0;
        fclose(file);
    }
    *virtual_bytes = (double)virtual_pages * page;
    *resident_bytes = (double)resident_pages * page;
}

static void write_process(struct evbuffer *out, const struct server *server)
{
    struct rusage usage = {0};
    struct rlimit files = {0};
    double virtual_bytes, resident_bytes;

    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &files);
    read_memory(&virtual_bytes, &resident_bytes);
    {
        const struct metric metrics[] = {
            {"process_cpu_seconds_total", "counter", "CPU time of user and system.",
             seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)},
            {"process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes},
            {"process_virtual_memory_bytes", "gauge", "Virtual memory.", virtual_bytes},
            {"process_open_fds", "gauge", "Open descriptors.",
             count_descriptors((unsigned)files.rlim_cur)},
            {"process_max_fds", "gauge", "Limit of descriptors.", (double)files.rlim_cur},
            {"process_start_time_seconds", "gauge", "When the process started.",
             (double)server->started_ms / 1000},
        };

        write_metrics(out, metrics, N_OF(metrics));
    }
}

void metrics_handle(struct request *request)
{
    const struct server *server = request->server;
    struct evbuffer *out = evbuffer_new();
    struct reply reply = {.status = 200, .type = "text/plain; version=0.0.4; charset=utf-8"};

    if (!out) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    write_admin(out, server);
    write_workers(out, &server->sources);
    if (server->sources.store)
        write_store(out, server->sources.store);
    if (server->sources.access_log) {
        const struct metric dropped = {
            "hopcount_access_lines_dropped_total", "counter",
            "Requests whose line in the access log was dropped: more came than log.access_per_s, "
            "or than the thread that writes them could take.",
            (double)access_log_dropped(server->sources.access_log)};

        write_metrics(out, &dropped, 1);
    }
    if (server->sources.ledger)
        write_ledger(out, server->sources.ledger);
    if (server->sources.state_feed && server->sources.events)
        write_states(out, &server->sources);
    if (server->sources.sinks) {
        write_sinks(out, server->sources.sinks);
        write_sink_errors(out, server->sources.sinks);
    }
    if (server->sources.checks)
        write_checks(out, server->sources.checks);
    write_reports(out, server->sources.reports);
    write_head(out, "hopcount_campaign_anomaly", "gauge",
               "1 of a campaign whose last 24 hours are unlike the week before: people stopped "
               "clicking (stopped), machines do (machines), or pages of its links are down "
               "(broken); of all processes' clicks.");
    anomalies_write(server->anomalies, out, "hopcount_campaign_anomaly");
    write_process(out, server);
    reply.body.len = evbuffer_get_length(out);
    reply.body.ptr = (const char *)evbuffer_pullup(out, -1);
    request_reply(request, &reply);
    evbuffer_free(out);
}
