// The first page: how many, who, when, where from.
import { address, stats } from "./api.js";
import { anomalyCard } from "./anomalies.js";
import { bars } from "./bars.js";
import { Card } from "./card.js";
import { TimeChart } from "./charts.js";
import { conversionCard } from "./conversions.js";
import { fill, h } from "./dom.js";
import { addFilter, addressOf, beforeName, compareParam, daysOf, dimensionOf, dimensions, periodName, stepOf, toParams,
    timeZone, withoutDimensions } from "./filters.js";
import { big, clock, count, many, percent, share, weekOf } from "./format.js";
import { heatLegend, heatmap, sumHours } from "./heatmap.js";
import { audiences, campaignName, labelKeys, labelName, labelNote, valueName } from "./words.js";

const HEAT_DAYS = 90;
const DAYS_MAX = 100;
const CAMPAIGNS_MAX = 32; // that the API takes by name

/** Several cards that show parts of one answer share the request. */
export function shared(load) {
    let running = null;

    // Not aborted with one card, because other cards wait for it as well.
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
        return h("p", { class: "change" }, `None in ${what}`);
    const ratio = now / before - 1;
    // "10,008 % more" says less than "101 times as many".
    const size = ratio >= 9 ? `× ${count(Math.round(now / before))}` : percent(Math.abs(ratio));
    const name = ratio > 0.0005 ? "up" : ratio < -0.0005 ? "down" : "";

    return h("p", { class: "change" },
        h("b", { class: isGood ? name : null },
            `${{ up: "▲ ", down: "▼ " }[name] ?? ""}${size}`),
        h("span", { class: "visually-hidden" }, { up: " more", down: " fewer" }[name] ?? ""),
        ` on ${what} (${count(before)})`);
}

export function figureCard(title, note, load, read, { what, footer } = {}) {
    return new Card({
        title, note, load, span: 3, shape: "figure",
        render(data, body) {
            const { now, before } = read(data);

            fill(body, h("p", { class: "figure", title: now === null ? null : count(now) },
                now === null ? "–" : big(now)),
                footer ? footer(data) : change(now, before, { what }));
        },
    });
}

/** Rows by time and one more dimension, as series over the times, in the steps asked for. */
export function toSeries(data, dimension, filters, field = filters.who) {
    const { keys, interval, placeOf } = steps(data, filters);
    const series = new Map();

    for (const row of data.rows) {
        if (!series.has(row[dimension]))
            series.set(row[dimension], new Array(keys.length).fill(0));
        series.get(row[dimension])[placeOf(row.time)] += row[field];
    }
    return { keys, interval, series };
}

function timesOf(rows) {
    return [...new Set(rows.map(({ time, key }) => time ?? key))];
}

/* The times of an answer in the steps that are shown, and the place of each among them. */
function steps(data, filters) {
    const times = timesOf(data.rows);
    const interval = shownStep(data.interval, times.length, stepOf(filters));
    const keyOf = (time) => (interval === "week" ? weekOf(time) : time);
    const keys = [...new Set(times.map(keyOf))];
    const places = new Map(keys.map((key, i) => [key, i]));

    return { keys, interval, times, placeOf: (time) => places.get(keyOf(time)) };
}

/** The period that is compared with as one more series over the same times: its first day stands by
 * the first one.  Null where the answer has none. */
export function comparedSeries(data, filters, field = filters.who) {
    if (!data.previous || data.previous.rows.length === 0)
        return null;
    const { keys, times, placeOf } = steps(data, filters);
    const values = new Array(keys.length).fill(null); // no point where that period has ended
    const order = new Map(timesOf(data.previous.rows).map((time, i) => [time, i]));

    for (const row of data.previous.rows) {
        const time = times[order.get(row.time ?? row.key)];

        if (time !== undefined)
            values[placeOf(time)] = (values[placeOf(time)] ?? 0) + row[field];
    }
    const name = beforeName(filters);

    return { name: name.charAt(0).toUpperCase() + name.slice(1), values, colour: "muted", isCompared: true };
}

/* More columns than DAYS_MAX can’t be read, so days become weeks, which the API does not know. */
function shownStep(interval, n, wanted) {
    return interval === "day" && (wanted === "week" || (wanted === "" && n > DAYS_MAX)) ? "week"
        : interval;
}

/* The series by who clicked: labels, or people and machines only where clicks are picked by something
 * else, which is counted apart. */
function byWho(data, filters) {
    if (data.group_by !== "time")
        return toSeries(data, "label", filters, "total");
    const rows = data.rows.map((row) => ({ ...row, time: row.key, all: "" }));
    const people = toSeries({ ...data, rows }, "all", filters, "human");
    const machines = toSeries({ ...data, rows }, "all", filters, "automated").series.get("") ?? [];

    return { ...people, series: new Map([["human", people.series.get("") ?? []], ["bot", machines]]) };
}

function labelChart(load, filters) {
    const chart = new TimeChart("bar", "Clicks over time by who clicked");
    const isSplit = !["", "label"].includes(dimensionOf(filters));
    const wanted = (key) => filters.who === "total" || (filters.who === "human") === (key === "human");
    const all = (data) => data.total[filters.who];

    return new Card({
        title: "Clicks over time",
        note: "People and machines are told apart by how they behave. In tests less than 2 in 100 mails " +
            "that a gateway opened counted as a person’s, mostly those with a single link.",
        span: 8, shape: "plot", load,
        isEmpty: (data) => all(data) === 0,
        close: () => chart.close(),
        render(data, body) {
            const { keys, interval, series } = byWho(data, filters);

            chart.show(body, {
                keys,
                interval,
                summary: `${count(all(data))} clicks ${audiences[filters.who].of}, ${
                    periodName(filters)}`,
                compared: comparedSeries(data, filters),
                series: labelKeys.filter((key) => series.has(key) && wanted(key)).map((key) => ({
                    name: isSplit && key !== "human" ? "Machines" : labelName(key),
                    note: isSplit ? "" : labelNote(key), values: series.get(key),
                    colour: key === "human" ? "people" : key,
                })),
            });
        },
    });
}

/** A link that picks the clicks with that value, on the overview. */
function picker(filters, dimension, key) {
    if (filters[dimension] === key)
        return null;
    return () => h("a", { "data-view": "", title: `Show only these: ${valueName(dimension, key)}`,
        href: addressOf("", addFilter({ ...filters, sent: "" }, dimension, key)) }, valueName(dimension, key));
}

/* The reasons why clicks count as machines’; nothing where there are none. */
function reasonBars(rows, filters) {
    const items = rows.filter(({ automated }) => automated > 0).map(({ key, automated }) => (
        { name: valueName("reason", key), value: automated,
            link: picker({ ...filters, who: "automated" }, "reason", key) }));

    return items.length === 0 ? null : [
        h("h3", { class: "small after" }, "What gave machines away"),
        bars("Machines’ clicks by what gave them away", items, { limit: 4, machines: true })];
}

function whoCard(load, params, filters) {
    return new Card({
        title: "Who clicked",
        note: "Mail gateways open every link to check it. Those clicks are kept, but counted apart.",
        span: 4,
        async load(signal) {
            const [data, reasons] = await Promise.all([load(),
                stats({ ...params, group_by: "reason" }, signal)]);

            return { ...data, reasons: reasons.rows };
        },
        isEmpty: (data) => data.total.total === 0,
        render(data, body) {
            const sums = new Map();

            for (const row of data.rows)
                sums.set(row.label, (sums.get(row.label) ?? 0) + row.total);
            fill(body, bars("Clicks by who clicked", [...sums].map(([key, value]) => ({
                name: labelName(key), title: `${labelName(key)}: ${labelNote(key)}`, value,
                link: picker({ ...filters, who: key === "human" ? "human" : "automated" }, "label", key),
                colour: key === "human" ? "people" : key }))),
            reasonBars(data.reasons, filters));
        },
    });
}

/* The whole table as a file. */
function saveLink(title, params) {
    return h("a", { class: "save small muted", download: "hopcount-stats.csv", "aria-label": `${title} as CSV`,
        title: "Save as CSV", href: address("stats.csv", { ...params, for: "spreadsheet" }) }, "CSV");
}

/** A ranking by one dimension; `leaveOut` is a value that is told apart, below. */
export function rankCard(title, note, dimension, params, filters, options = {}) {
    const field = filters.who;
    const isShown = (row) => row.key !== options.leaveOut && row[field] > 0;

    return new Card({
        title, note, span: options.span ?? 4, fills: options.fills,
        extra: options.load ? null : saveLink(title, { ...params, group_by: dimension }),
        load: options.load ?? ((signal) => stats({ ...params, group_by: dimension,
            compare: compareParam(filters) }, signal)),
        isEmpty: (data) => !data.rows.some(isShown),
        empty: options.empty,
        render(data, body) {
            const before = data.previous && new Map(data.previous.rows.map((row) => [row.key, row[field]]));
            const rest = data.rows.find(({ key }) => key === options.leaveOut)?.[field] ?? 0;

            fill(body, bars(title, data.rows.filter(isShown).map((row) => ({
                name: dimension === "campaign" ? campaignName(row.key, row.name)
                    : valueName(dimension, row.key),
                link: options.link ? () => options.link(row)
                    : dimension === "campaign" ? null : picker(filters, dimension, row.key),
                value: row[field], before: before ? before.get(row.key) ?? 0 : undefined,
            })), { what: beforeName(filters), machines: field === "automated", limit: options.limit }),
            rest > 0 ? h("p", { class: "small muted after" },
                `${count(rest)} more on links without one.`) : null);
        },
    });
}

function heatCard(params, filters) {
    const period = heatPeriod(filters);

    return new Card({
        title: "When they click",
        note: `Hours of the week, in your time zone${period.from ? `; the last ${HEAT_DAYS} days` : ""
        }. Most clicks come soon after a mail is sent, so this also shows when you send.`,
        span: 8, shape: "plot",
        load: (signal) => stats({ ...params, ...period, group_by: "time",
            interval: "hour", limit: 10000 }, signal),
        isEmpty: (data) => data.total[filters.who] === 0,
        render(data, body) {
            const sums = sumHours(data.rows, filters.who);

            fill(body, heatmap(sums), heatLegend(sums));
        },
    });
}

/* Three months of hours show the pattern of a week; more would only make the reply longer. */
function heatPeriod(filters) {
    if (!filters.to)
        return daysOf(filters) > HEAT_DAYS ? { from: `${HEAT_DAYS}d`, to: "" } : {};
    const earliest = new Date(Date.parse(filters.to) - (HEAT_DAYS - 1) * 86400000)
        .toISOString().slice(0, 10);

    return earliest > filters.from ? { from: earliest } : {};
}

/* Clients are counted by whole days: of hours there would be others than those of the clicks beside
 * them. */
function clientsCard(load, filters) {
    const what = beforeName(filters);

    if (/^\d+h$/.test(filters.from) || filters.from.includes("T"))
        return figureCard("Distinct clients", "Counted by whole days only; choose days",
            async () => ({}), () => ({ now: null }));
    return figureCard("Distinct clients", "Clients who clicked at least once", load,
    (data) => ({ now: data.total.clients, before: data.previous?.total.clients }),
    { footer: ({ total, previous, clients_as_of: asOf }) => [
        change(total.clients, previous?.total.clients, { what }),
        asOf || timeZone() !== "UTC" ? h("p", { class: "change", title: "A minute after a click it is " +
            "sure that no mail gateway made it" }, [
            !filters.to && asOf ? `counted up to ${clock(asOf)}` : "",
            timeZone() !== "UTC" ? "by days of UTC" : ""].filter(Boolean).join(", ")) : null,
        total.visitors > 0 ? h("p", { class: "change", title: "Links that name no client, " +
            "such as a newsletter’s: each visitor counts once a day" },
        `and ${many(total.visitors, "visitor")} by links without a client`) : null] });
}

function figures(load, loadClients, filters) {
    const picked = dimensions[dimensionOf(filters)];
    const one = !filters.campaign.includes(",") && !filters.kind && !picked;
    const what = beforeName(filters);

    return [
        figureCard("People’s clicks", "Opened by a person", load,
            (data) => ({ now: data.total.human, before: data.previous?.total.human }), { what }),
        one ? clientsCard(loadClients, filters)
            : figureCard("Distinct clients", picked ? "Not counted by such a filter"
                : "Not counted by kind, or for several campaigns",
                async () => ({}), () => ({ now: null })),
        figureCard("Machines’ clicks", "Scanners, bots and previews", load,
            (data) => ({ now: data.total.automated }),
            { footer: ({ total, previous }) => change(total.automated, previous?.total.automated,
                { what, isGood: false }) }),
        figureCard("All clicks", "People and machines together", load,
            (data) => ({ now: data.total.total }),
            { footer: ({ total }) => h("p", { class: "change" }, total.total === 0 ? "\u00a0"
                : [h("b", null, share(total.human, total.total)), " of them by people"]) }),
    ];
}

/* Campaigns are counted by countries and the like only one by one: of those with the most clicks. */
function pickedCampaigns(params, filters) {
    return async (signal) => {
        const all = await stats({ ...toParams(withoutDimensions(filters)), interval: "", group_by: "campaign",
            limit: CAMPAIGNS_MAX, offset: 0 }, signal);
        const campaign = all.rows.map(({ key }) => key).join(",");

        return campaign === "" ? { rows: [] } : stats({ ...params, campaign, group_by: "campaign",
            compare: compareParam(filters) }, signal);
    };
}

/* What can't be shown of clicks that are picked by a dimension. */
function apartCard(dimension) {
    return new Card({
        title: "Counted apart", span: 12,
        load: async () => ({}),
        render: (data, body) => fill(body, h("p", { class: "small muted" }, "Clicks are counted by one property at a ",
            `time, so those picked by “${dimensions[dimension]}” can’t be shown by another one, and not by what they `,
            "led to. Remove the filter to see all of it.")),
    });
}

export function overview(context, filters) {
    const params = toParams(filters);
    const dimension = dimensionOf(filters);
    const load = shared(() => stats({ ...params, compare: compareParam(filters), limit: 10000,
        group_by: dimension === "" || dimension === "label" ? "time,label" : "time" }));
    const loadClients = (signal) =>
        stats({ ...params, group_by: "time", clients: "true", compare: compareParam(filters) }, signal);
    const toCampaign = (row) => h("a", { "data-view": "campaigns",
        href: addressOf("campaigns", { ...withoutDimensions(filters), campaign: row.key }) },
    campaignName(row.key, row.name));
    // Of clicks that are picked by a dimension, those counted with it.
    const isKnown = (by) => dimension === "" || by === dimension || by === "kind" || by === "campaign";
    const rank = (title, note, by, options) =>
        isKnown(by) ? rankCard(title, note, by, params, filters, options) : null;

    return {
        title: "Overview",
        intro: "What your clients clicked in the links of your e-mails, invoices and messages.",
        filters: true,
        csv: { ...params, group_by: dimension ? `time,${dimension}` : "time,label" },
        cards: [
            ...figures(load, loadClients, filters),
            dimension ? null : anomalyCard(filters),
            labelChart(load, filters),
            dimension ? null : whoCard(load, params, filters),
            dimension ? null : conversionCard(filters),
            rank("Top campaigns", dimension ? `Of the ${CAMPAIGNS_MAX} with the most clicks` : "Which mails bring clicks",
                "campaign", { link: toCampaign, load: dimension ? pickedCampaigns(params, filters) : undefined }),
            rank("Kinds of link", "What the clients were after", "kind"),
            rank("Variants", "Of A/B tests; the campaign page says which one works better", "variant",
                { leaveOut: filters.variant ? "" : "none", empty: "No clicked link carries a variant." }),
            heatCard(params, filters),
            rank("Countries", "By the address that clicked", "country"),
            rank("Devices", "What they held in their hands", "device"),
            rank("Channels", "Where the link was seen", "channel"),
            rank("Opened from", "Where the link stood when it was clicked", "referrer"),
            rank("Browsers", "And mail apps, by what they say they are", "browser"),
            rank("Systems", "What those ran on", "system", { fills: true }),
            dimension === "label" || dimension === "reason" ? rank(dimensions[dimension],
                "Of the clicks that are shown", dimension) : null,
            dimension ? apartCard(dimension) : null,
        ].filter(Boolean),
    };
}
