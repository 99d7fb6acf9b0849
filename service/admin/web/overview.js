// The first page: how many, who, when, where from.
import { stats } from "./api.js";
import { bars } from "./bars.js";
import { Card } from "./card.js";
import { TimeChart } from "./charts.js";
import { fill, h } from "./dom.js";
import { addressOf, periodName, toParams } from "./filters.js";
import { count, percent, share } from "./format.js";
import { heatmap, peak, sumHours } from "./heatmap.js";
import { audiences, campaignName, labelKeys, labelName, labelNote, valueName } from "./words.js";

const HEAT_DAYS = 90;

/** Several cards that show parts of one answer share the request. */
export function shared(load) {
    let running = null;

    // Not aborted with one card: others wait for it, too.
    return () => {
        running ??= load().finally(() => { running = null; });
        return running;
    };
}

/** How a figure compares with the period before. */
export function change(now, before, { what = "the period before", isGood = true } = {}) {
    if (before === undefined || before === null)
        return h("p", { class: "change" }, "\u00a0");
    if (before === 0)
        return h("p", { class: "change" }, now === 0 ? `None in ${what} either` : `None in ${what}`);
    const ratio = now / before - 1;
    const name = ratio > 0.0005 ? "up" : ratio < -0.0005 ? "down" : "";

    return h("p", { class: "change" },
        h("b", { class: isGood ? name : null },
            `${{ up: "▲ ", down: "▼ " }[name] ?? ""}${percent(Math.abs(ratio))}`),
        h("span", { class: "visually-hidden" }, { up: " more", down: " fewer" }[name] ?? ""),
        ` against ${what} (${count(before)})`);
}

export function figureCard(title, note, load, read, footer) {
    return new Card({
        title, note, load, span: 3, shape: "figure",
        render(data, body) {
            const { now, before } = read(data);

            fill(body, h("p", { class: "figure" }, now === null ? "–" : count(now)),
                footer ? footer(data) : change(now, before));
        },
    });
}

/** Rows by time and one more dimension, as series over the times. */
export function toSeries(rows, dimension, field) {
    const keys = [...new Set(rows.map(({ time }) => time))];
    const place = new Map(keys.map((key, i) => [key, i]));
    const series = new Map();

    for (const row of rows) {
        if (!series.has(row[dimension]))
            series.set(row[dimension], new Array(keys.length).fill(0));
        series.get(row[dimension])[place.get(row.time)] += row[field];
    }
    return { keys, series };
}

function labelChart(load, filters) {
    const chart = new TimeChart("bar", "Clicks over time by who clicked");
    const wanted = (key) => filters.who === "total" || (filters.who === "human") === (key === "human");
    const all = (data) => data.total[filters.who];

    return new Card({
        title: "Clicks over time",
        note: "People and machines are told apart by how they behave; machines never inflate a " +
            "figure for people.",
        span: 8, shape: "plot", load,
        isEmpty: (data) => all(data) === 0,
        close: () => chart.close(),
        render(data, body) {
            const { keys, series } = toSeries(data.rows, "label", "total");

            chart.show(body, {
                keys,
                interval: data.interval,
                summary: `${count(all(data))} clicks ${audiences[filters.who].of}, ${
                    periodName(filters)}`,
                series: labelKeys.filter((key) => series.has(key) && wanted(key)).map((key) => ({
                    name: labelName(key), note: labelNote(key), values: series.get(key),
                    colour: key === "human" ? "people" : key,
                })),
            });
        },
    });
}

function whoCard(load) {
    return new Card({
        title: "Who clicked",
        note: "Mail gateways open every link to check it. Those clicks are kept, but counted apart.",
        span: 4, load,
        isEmpty: (data) => data.total.total === 0,
        render(data, body) {
            const sums = new Map();

            for (const row of data.rows)
                sums.set(row.label, (sums.get(row.label) ?? 0) + row.total);
            fill(body, bars("Clicks by who clicked", [...sums].map(([key, value]) => ({
                name: labelName(key), title: `${labelName(key)}: ${labelNote(key)}`, value,
                colour: key === "human" ? "people" : key }))));
        },
    });
}

/** A ranking by one dimension. */
export function rankCard(title, note, dimension, params, filters, options = {}) {
    const field = filters.who;

    return new Card({
        title, note, span: options.span ?? 4,
        load: (signal) => stats({ ...params, group_by: dimension }, signal),
        isEmpty: (data) => data.rows.every((row) => row[field] === 0),
        empty: options.empty,
        render(data, body) {
            fill(body, bars(title, data.rows.map((row) => ({
                name: dimension === "campaign" ? campaignName(row.key, row.name)
                    : valueName(dimension, row.key),
                link: options.link?.(row),
                value: row[field],
            })), { machines: field === "automated", limit: options.limit }));
        },
    });
}

function heatCard(params, filters) {
    const long = !/^(24h|\d+d|mtd)$/.test(filters.from) || filters.to !== "";

    return new Card({
        title: "When they click",
        note: `Hours of the week, in your time zone${long ? `; the last ${HEAT_DAYS} days` : ""}. ` +
            "Send shortly before the dark fields.",
        span: 8, shape: "plot",
        load: (signal) => stats({ ...params, ...heatPeriod(filters), group_by: "time",
            interval: "hour", limit: 10000 }, signal),
        isEmpty: (data) => data.total[filters.who] === 0,
        render(data, body) {
            const sums = sumHours(data.rows, filters.who);

            fill(body, heatmap(sums), h("p", { class: "small muted heat-note" }, peak(sums)));
        },
    });
}

/* A pattern of the week needs no more than a quarter of hours, and hours are many. */
function heatPeriod(filters) {
    const isLong = ["ytd", "1y"].includes(filters.from);

    if (isLong)
        return { from: `${HEAT_DAYS}d`, to: "" };
    if (!filters.to)
        return {};
    const earliest = new Date(Date.parse(filters.to) - (HEAT_DAYS - 1) * 86400000)
        .toISOString().slice(0, 10);

    return earliest > filters.from ? { from: earliest } : {};
}

function figures(load, loadClients, filters) {
    const one = !filters.campaign.includes(",") && !filters.kind;

    return [
        figureCard("People’s clicks", "Opened by a person", load,
            (data) => ({ now: data.total.human, before: data.previous?.total.human })),
        one ? figureCard("Distinct clients", "Clients who clicked at least once", loadClients,
            (data) => ({ now: data.total.clients, before: data.previous?.total.clients }))
            : figureCard("Distinct clients", "Not counted by kind, or for several campaigns",
                async () => ({}), () => ({ now: null })),
        figureCard("Machines’ clicks", "Scanners, bots and previews", load,
            (data) => ({ now: data.total.automated }),
            ({ total, previous }) => change(total.automated, previous?.total.automated,
                { isGood: false })),
        figureCard("All clicks", "People and machines together", load,
            (data) => ({ now: data.total.total }),
            (data) => h("p", { class: "change" }, h("b", null,
                share(data.total.human, data.total.total)), " of them by people")),
    ];
}

export function overview(context, filters) {
    const params = toParams(filters);
    const load = shared(() =>
        stats({ ...params, group_by: "time,label", compare: "previous", limit: 10000 }));
    const loadClients = (signal) =>
        stats({ ...params, group_by: "time", clients: "true", compare: "previous" }, signal);
    const toCampaign = (row) => h("a",
        { href: addressOf("campaigns", { ...filters, campaign: row.key }), "data-view": "campaigns" },
        campaignName(row.key, row.name));
    const rank = (title, note, dimension, options) =>
        rankCard(title, note, dimension, params, filters, options);

    return {
        title: "Overview",
        intro: "What your clients clicked in the links of your e-mails, invoices and messages.",
        filters: true,
        csv: { ...params, group_by: "time,label" },
        cards: [
            ...figures(load, loadClients, filters),
            labelChart(load, filters),
            whoCard(load),
            rank("Top campaigns", "Which mails bring clicks", "campaign", { link: toCampaign }),
            rank("Kinds of link", "What the clients were after", "kind"),
            rank("Variants", "A/B tests; significance is on the campaign page", "variant",
                { empty: "No link carries a variant yet." }),
            heatCard(params, filters),
            rank("Countries", "By the address that clicked", "country"),
            rank("Devices", "What they held in their hands", "device"),
            rank("Channels", "Where the link was seen", "channel"),
            rank("Where from", "The kind of page that led here", "referrer"),
        ],
    };
}
