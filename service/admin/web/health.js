// How the service is doing: for those who run it, and for those who wonder why a figure is old.
import { get } from "./api.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { once } from "./overview.js";
import { ago, bytes, clock, count, many, seconds, time } from "./format.js";
import { faultSentence } from "./sentences.js";
import { t } from "./texts.js";

function tag(ok, good, bad, grade = "bad") {
    return h("span", { class: `tag ${ok ? "good" : grade}` }, ok ? good : bad);
}

function facts(list) {
    return h("dl", { class: "facts" }, list.filter(Boolean).map(([name, ...value]) =>
        [h("dt", null, name), h("dd", null, ...value)]));
}

function sum(object) {
    return Object.values(object).reduce((a, b) => a + b, 0);
}

const verdicts = {
    ok: [t("health.all_is_well"), t("health.clicks_are_redirected_counted")],
    degraded: [t("health.redirects_work_counting_waits"), t("health.every_click_is_redirected")],
    clocks_differ: [t("health.clocks_differ"), t("health.times_are_wrong")],
    draining: [t("health.shutting_down"), t("health.this_process_finishes_its")],
};

function verdict(health) {
    const [bold, rest] = verdicts[health.status] ?? [health.status, ""];

    return h("p", { class: `pill large ${health.status === "ok" ? "good" : "warn"}` },
        h("span", null, h("strong", null, `${bold}. `), rest));
}

/* A key for some brands does not see figures that cover all brands. */
function isLimited({ workers: list }) {
    return list === null;
}

function allBrandsOnly() {
    return h("p", { class: "empty" }, t("health.shown_to_keys_for"));
}

function counting(health) {
    const { ledger, log, figures } = health;

    if (isLimited(health))
        return facts([
            [t("health.complete_up_to"), figures.as_of ? time(figures.as_of) : t("health.not_known_yet")],
            [t("health.lag"), figures.lag_s === null ? t("health.not_known_yet") : seconds(figures.lag_s)],
        ]);
    if (!ledger)
        return h("p", { class: "empty" }, t("health.this_process_counts_nothing"));
    return facts([
        [t("health.complete_up_to"), figures.as_of ? time(figures.as_of) : t("health.not_known_yet")],
        [t("health.lag"), figures.lag_s === null ? t("health.not_known_yet") : seconds(figures.lag_s)],
        [t("health.waiting_to_be_counted"), many(figures.pending, "click")],
        [t("health.counted_by_this_pod"), t(log?.recovered > 0 ? "health.counted_recovered" : "health.counted",
            { clicks: many(ledger.applied, "click"), batches: many(ledger.batches, "batch") })],
        ledger.replayed > 0 && [t("health.counted_again"), t("health.that_redis_had_lost", { number: many(ledger.replayed, "click") })],
        [t("health.lost"), tag(ledger.lost_gap === 0, t("health.none"), many(ledger.lost_gap, "click"))],
        ledger.rejected > 0 && [t("health.set_aside"), many(ledger.rejected, "increment")],
    ]);
}

function clockState({ clock_ahead_s: ahead, clocks_differ: differ }) {
    if (ahead === null)
        return t("health.not_known_yet");
    return tag(!differ, t("health.clock_as_redis"),
        t(ahead > 0 ? "health.clock_ahead" : "health.clock_behind", { time: seconds(Math.abs(ahead)) }), "warn");
}

function redis(health) {
    const { redis: link, ledger } = health;

    return facts([
        !isLimited(health) && [t("health.counts_are_written"), tag(ledger?.connected ?? false, t("health.connected"), t("health.not_connected"))],
        [t("health.figures_are_read"), tag(link.answers, t("health.connected"), t("health.not_connected"))],
        [t("health.clock"), clockState(link)],
        (link.error || ledger?.error) && [t("health.why"), faultSentence(link.error ?? ledger.error)],
    ]);
}

function disk(health) {
    const { log } = health;

    if (isLimited(health))
        return allBrandsOnly();
    if (!log)
        return h("p", { class: "empty" }, t("health.this_process_keeps_no"));
    const dropped = sum(log.dropped);

    return facts([
        [t("health.clicks_are_kept"), tag(!log.degraded, t("health.on_disk"), t("health.in_memory_only"), "warn")],
        [t("health.since_start"), many(log.appended, "click")],
        log.recovered > 0 && [t("health.from_earlier_starts"), many(log.recovered, "click")],
        [t("health.on_disk_2"), t("health.bytes_in", { bytes: bytes(log.disk_bytes), segments: many(log.segments, "segment") })],
        log.memory_bytes > 0 && [t("health.in_memory"), bytes(log.memory_bytes)],
        [t("health.dropped"), tag(dropped === 0, t("health.none"), many(dropped, "click"))],
        log.set_aside > 0 && [t("health.files_set_aside"), count(log.set_aside)],
        log.error && [t("health.last_failure"), log.error],
    ]);
}

function workers({ workers: list }) {
    if (list === null)
        return allBrandsOnly();
    return h("table", { class: "rows small" },
        h("caption", { class: "visually-hidden" }, t("health.workers")),
        h("thead", null, h("tr", null, [t("health.worker"), t("health.requests"), t("common.clicks"), t("health.connections")].map((text, i) =>
            h("th", { scope: "col", class: i > 0 ? "number" : null }, text)))),
        h("tbody", null, list.map((worker, i) => h("tr", null,
            h("th", { scope: "row" }, t("health.no", { number: i + 1 })),
            [worker.requests, worker.redirects, worker.connections].map((n) =>
                h("td", { class: "number" }, count(n)))))));
}

function podState(pod) {
    if (!pod.alive)
        return h("span", { class: "tag bad" }, t("health.silent_for", { seen_s: seconds(pod.seen_s) }));
    if (pod.seen_s > 10)
        return h("span", { class: "tag warn" }, t("health.last_heard_ago", { seen_s: seconds(pod.seen_s) }));
    return tag(pod.connected, t("health.is_counting"), t("health.waits"), "warn");
}

/* Says what silent pods mean: clicks may wait on their disks. */
function silence(list) {
    const silent = list.filter(({ alive }) => !alive);
    const waiting = silent.reduce((all, { pending }) => all + pending, 0);

    if (silent.length === 0)
        return null;
    return h("p", { class: "notice warn" }, t("health.silent", { n: silent.length }), " ",
        waiting > 0 ? t("health.silent_waiting", { n: waiting }) : t("health.silent_later"));
}

function pods({ pods: list }) {
    const shown = [...list].sort((a, b) => (a.host < b.host ? -1 : 1));

    return [silence(list), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("health.table_of_pods") },
        h("table", { class: "rows small" },
            h("caption", { class: "visually-hidden" }, t("health.pods")),
            h("thead", null, h("tr", null, h("th", { scope: "col" }, t("health.pod")),
                h("th", { scope: "col" }, t("common.state")),
                [t("health.waiting_clicks"), t("health.lag"), t("health.complete_up_to"), t("health.started"), t("health.version")].map((text) =>
                    h("th", { scope: "col", class: "number" }, text)))),
            h("tbody", null, shown.map((pod) => h("tr", null,
                h("th", { scope: "row", class: "pod" }, h("span", { class: "code" }, pod.host),
                    pod.self ? ` ${t("health.this_one")}` : null),
                h("td", null, podState(pod)),
                [count(pod.pending), seconds(pod.lag_s), pod.as_of ? clock(pod.as_of) : "–",
                    ago(pod.started_at), pod.version].map(
                    (text) => h("td", { class: "number" }, text)))))))];
}

const reportStates = {
    new: ["", t("health.report_new")], sending: ["", t("health.report_sending")], sent: ["good", t("health.report_sent")],
    later: ["warn", t("health.report_later")], refused: ["bad", t("health.report_refused")],
    gave_up: ["bad", t("health.report_gave_up")], unknown: ["", t("health.not_known_yet")],
};

function reportState({ state, error, tries }) {
    const [grade, word] = reportStates[state];

    return [h("span", { class: `tag ${grade}` }, word), error ? ` ${t("health.report_error", { error, n: tries })}` : null];
}

function reports({ reports: list }) {
    if (list.length === 0)
        return h("p", { class: "empty" }, t("health.no_reports"));
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("health.table_of_reports") },
        h("table", { class: "rows small" },
            h("caption", { class: "visually-hidden" }, t("health.reports")),
            h("thead", null, h("tr", null,
                [t("health.report"), t("common.brand"), t("health.report_to"), t("health.report_last"), t("health.report_next")].map((text) =>
                    h("th", { scope: "col" }, text)))),
            h("tbody", null, list.map((report) => h("tr", null,
                h("th", { scope: "row" }, report.name), h("td", null, report.brand), h("td", null, report.to),
                h("td", null, reportState(report), report.at ? ` ${time(report.at)}` : null),
                h("td", null, report.next_at ? time(report.next_at) : "–"))))));
}

const outcomes = {
    redirect: t("health.redirected_and_counted"), silent: t("health.redirected_silent_link"), home: t("health.home_page"),
    home_page: t("health.home_page"), robots: "robots.txt", not_found: t("health.no_such_link"),
    no_target: t("health.link_without_a_target"), unknown_host: t("health.unknown_host"), expired: t("health.expired_link"),
    bad_request: t("health.malformed_request"), method: t("health.method_refused"), timeout: t("health.too_slow"),
};

function requests({ requests: list }) {
    if (list === null)
        return allBrandsOnly();
    const rows = Object.entries(list).sort((a, b) => b[1] - a[1]);

    if (rows.length === 0)
        return h("p", { class: "empty" }, t("health.none_since_the_start"));
    return h("table", { class: "rows small" },
        h("caption", { class: "visually-hidden" }, t("health.requests_by_outcome")),
        h("tbody", null, rows.map(([key, n]) => h("tr", null,
            h("th", { scope: "row" }, outcomes[key] ?? key.replaceAll("_", " ")),
            h("td", { class: "number" }, count(n))))));
}

function process(health) {
    return facts([
        [t("health.pod"), h("span", { class: "code" }, health.host)],
        [t("health.version"), health.version],
        [t("health.running_since"), `${time(health.started_at)} (${ago(health.started_at)})`],
        [t("health.configuration"), tag(health.reload.ok, t("health.loaded"), t("health.reload_failed"), "warn"),
            ` ${time(health.reload.at)}`],
    ]);
}

/* --- the tables as files --- */

function podRows({ pods: list }) {
    return [[t("health.pod"), t("common.state"), t("health.waiting_clicks"), t("health.lag_s"), t("health.complete_up_to"), t("health.started"),
        t("health.version")], ...list.map((pod) => [pod.host, podState(pod).textContent, pod.pending, pod.lag_s, pod.as_of, pod.started_at, pod.version])];
}

function reportRows({ reports: list }) {
    return [[t("health.report"), t("common.brand"), t("health.report_to"), t("common.state"), t("health.why"), t("health.report_last"),
        t("health.report_next")], ...list.map((one) => [one.name, one.brand, one.to, reportStates[one.state][1], one.error, one.at, one.next_at])];
}

function workerRows({ workers: list }) {
    return [[t("health.worker"), t("health.requests"), t("common.clicks"), t("health.connections")],
        ...(list ?? []).map((worker, i) => [i + 1, worker.requests, worker.redirects, worker.connections])];
}

function requestRows({ requests: list }) {
    return [[t("health.outcome"), t("health.requests")],
        ...Object.entries(list ?? {}).map(([key, n]) => [outcomes[key] ?? key.replaceAll("_", " "), n])];
}

export function health() {
    const load = once(() => get("health"));
    const part = (title, note, span, draw, table) => new Card({ title, note, span, load, table,
        render: (data, body) => fill(body, draw(data)) });
    const cards = [
        part(t("common.state"), null, 12, verdict),
        part(t("health.counting"), t("health.all_pods_from_the"), 4, counting),
        part(t("health.redis"), t("health.where_the_counts_live"), 4, redis),
        part(t("health.click_log"), t("health.where_clicks_wait_until"), 4, disk),
        part(t("health.pods"), t("health.all_processes_that_share"), 12, pods, podRows),
        part(t("health.reports"), t("health.by_mail_and_to"), 12, reports, reportRows),
        part(t("health.this_pod"), t("health.the_process_that_answers"), 4, process),
        part(t("health.workers"), t("health.each_answers_on_its"), 4, workers, workerRows),
        part(t("health.requests"), t("health.what_the_public_port"), 4, requests, requestRows),
    ];

    return {
        title: t("common.health"),
        intro: t("health.a_click_is_redirected"),
        filters: false, cards, everyMs: 2000,
    };
}
