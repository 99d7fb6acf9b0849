// How the service is doing: for those who run it, and for those who wonder why a figure is old.
import { get } from "./api.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { shared } from "./overview.js";
import { ago, bytes, clock, count, many, seconds, time } from "./format.js";

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
    ok: ["All is well", "Clicks are redirected, counted and readable."],
    degraded: ["Redirects work, counting waits", "Every click is redirected and kept; the figures " +
        "catch up by themselves when the failure named below is over."],
    draining: ["Shutting down", "This process finishes its requests and ends."],
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
    return h("p", { class: "empty" }, "Shown to keys for all brands.");
}

function counting(health) {
    const { ledger, log, figures } = health;

    if (isLimited(health))
        return facts([
            ["Complete up to", figures.as_of ? time(figures.as_of) : "not known yet"],
            ["Lag", figures.lag_s === null ? "not known yet" : seconds(figures.lag_s)],
        ]);
    if (!ledger)
        return h("p", { class: "empty" }, "This process counts nothing.");
    return facts([
        ["Complete up to", figures.as_of ? time(figures.as_of) : "not known yet"],
        ["Lag", figures.lag_s === null ? "not known yet" : seconds(figures.lag_s)],
        ["Waiting to be counted", many(figures.pending, "click")],
        ["Counted by this pod", `${many(ledger.applied, "click")}${log?.recovered > 0
            ? ", with those that earlier starts left" : ""}, in ${many(ledger.batches, "batch")}`],
        ledger.replayed > 0 && ["Counted again", `${many(ledger.replayed, "click")} that Redis had lost`],
        ["Lost", tag(ledger.lost_gap === 0, "none", many(ledger.lost_gap, "click"))],
        ledger.rejected > 0 && ["Set aside", many(ledger.rejected, "increment")],
    ]);
}

function redis(health) {
    const { redis: link, ledger } = health;

    return facts([
        !isLimited(health) && ["Counts are written", tag(ledger?.connected ?? false, "connected", "not connected")],
        ["Figures are read", tag(link.answers, "connected", "not connected")],
        (link.error || ledger?.error) && ["Why", link.error ?? ledger.error],
    ]);
}

function disk(health) {
    const { log } = health;

    if (isLimited(health))
        return allBrandsOnly();
    if (!log)
        return h("p", { class: "empty" }, "This process keeps no click log.");
    const dropped = sum(log.dropped);

    return facts([
        ["Clicks are kept", tag(!log.degraded, "on disk", "in memory only", "warn")],
        ["Since start", many(log.appended, "click")],
        log.recovered > 0 && ["From earlier starts", many(log.recovered, "click")],
        ["On disk", `${bytes(log.disk_bytes)} in ${many(log.segments, "segment")}`],
        log.memory_bytes > 0 && ["In memory", bytes(log.memory_bytes)],
        ["Dropped", tag(dropped === 0, "none", many(dropped, "click"))],
        log.set_aside > 0 && ["Files set aside", count(log.set_aside)],
        log.error && ["Last failure", log.error],
    ]);
}

function workers({ workers: list }) {
    if (list === null)
        return allBrandsOnly();
    return h("table", { class: "rows small" },
        h("caption", { class: "visually-hidden" }, "Workers"),
        h("thead", null, h("tr", null, ["Worker", "Requests", "Clicks", "Connections"].map((text, i) =>
            h("th", { scope: "col", class: i > 0 ? "number" : null }, text)))),
        h("tbody", null, list.map((worker, i) => h("tr", null,
            h("th", { scope: "row" }, `No. ${i + 1}`),
            [worker.requests, worker.redirects, worker.connections].map((n) =>
                h("td", { class: "number" }, count(n)))))));
}

function podState(pod) {
    if (!pod.alive)
        return h("span", { class: "tag bad" }, `silent for ${seconds(pod.seen_s)}`);
    if (pod.seen_s > 10)
        return h("span", { class: "tag warn" }, `last heard ${seconds(pod.seen_s)} ago`);
    return tag(pod.connected, "counting", "waiting for Redis", "warn");
}

/* Says what silent pods mean: clicks may wait on their disks. */
function silence(list) {
    const silent = list.filter(({ alive }) => !alive);
    const waiting = silent.reduce((all, { pending }) => all + pending, 0);

    if (silent.length === 0)
        return null;
    return h("p", { class: "notice warn" }, `${silent.length === 1 ? "A pod has" : `${silent.length} pods have`
    } stopped without finishing. ${waiting > 0 ? `${many(waiting, "click")} that waited there, and any that ` +
        "came after its last report, are" : "Clicks that came after its last report are"
    } counted when it starts again on the same disk.`);
}

function pods({ pods: list }) {
    const shown = [...list].sort((a, b) => (a.host < b.host ? -1 : 1));

    return [silence(list), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of pods" },
        h("table", { class: "rows small" },
            h("caption", { class: "visually-hidden" }, "Pods"),
            h("thead", null, h("tr", null, h("th", { scope: "col" }, "Pod"),
                h("th", { scope: "col" }, "State"),
                ["Waiting clicks", "Lag", "Complete up to", "Started", "Version"].map((text) =>
                    h("th", { scope: "col", class: "number" }, text)))),
            h("tbody", null, shown.map((pod) => h("tr", null,
                h("th", { scope: "row", class: "pod" }, h("span", { class: "code" }, pod.host),
                    pod.self ? " (this one)" : null),
                h("td", null, podState(pod)),
                [count(pod.pending), seconds(pod.lag_s), pod.as_of ? clock(pod.as_of) : "–",
                    ago(pod.started_at), pod.version].map(
                    (text) => h("td", { class: "number" }, text)))))))];
}

const outcomes = {
    redirect: "Redirected and counted", silent: "Redirected, silent link", home: "Home page",
    home_page: "Home page", robots: "robots.txt", not_found: "No such link",
    no_target: "Link without a target", unknown_host: "Unknown host", expired: "Expired link",
    bad_request: "Malformed request", method: "Method refused", timeout: "Too slow",
};

function requests({ requests: list }) {
    if (list === null)
        return allBrandsOnly();
    const rows = Object.entries(list).sort((a, b) => b[1] - a[1]);

    if (rows.length === 0)
        return h("p", { class: "empty" }, "None since the start.");
    return h("table", { class: "rows small" },
        h("caption", { class: "visually-hidden" }, "Requests by outcome"),
        h("tbody", null, rows.map(([key, n]) => h("tr", null,
            h("th", { scope: "row" }, outcomes[key] ?? key.replaceAll("_", " ")),
            h("td", { class: "number" }, count(n))))));
}

function process(health) {
    return facts([
        ["Pod", h("span", { class: "code" }, health.host)],
        ["Version", health.version],
        ["Running since", `${time(health.started_at)} (${ago(health.started_at)})`],
        ["Configuration", tag(health.reload.ok, "loaded", "last reload failed", "warn"),
            ` ${time(health.reload.at)}`],
    ]);
}

export function health() {
    const load = shared(() => get("health"));
    const part = (title, note, span, draw) => new Card({ title, note, span, load,
        render: (data, body) => fill(body, draw(data)) });
    const cards = [
        part("State", null, 12, verdict),
        part("Counting", "All pods, from the click to the figure", 4, counting),
        part("Redis", "Where the counts live", 4, redis),
        part("Click log", "Where clicks wait until they are counted", 4, disk),
        part("Pods", "All processes that share this Redis, as each said last", 12, pods),
        part("This pod", "The process that answers this page", 4, process),
        part("Workers", "Each answers on its own", 4, workers),
        part("Requests", "What the public port was asked", 4, requests),
    ];

    return {
        title: "Health",
        intro: "A click is redirected even when all of this is down; only the figures wait.",
        filters: false, cards, everyMs: 2000,
    };
}
