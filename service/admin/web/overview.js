// The first page: how many, who, when, where from.
import { address, isShared, stats } from "./api.js";
import { loadNotes } from "./annotations.js";
import { anomalyCard } from "./anomalies.js";
import { bars } from "./bars.js";
import { Card, evenOut } from "./card.js";
import { TimeChart } from "./charts.js";
import { conversionCard, loadMails } from "./conversions.js";
import { fill, h } from "./dom.js";
import { addFilter, addressOf, beforeName, chartParams, chartStepOf, compareParam, daysOf, dimensions, dimensionsOf,
    isOfInvoices, narrow, partOf, periodName, toParams, timeZone, withoutDimensions } from "./filters.js";
import { big, bucketDate, clock, count, many, percent, share, weekOf } from "./format.js";
import { heatButtons, heatmap, sumHours } from "./heatmap.js";
import { t } from "./texts.js";
import { audiences, campaignName, labelKeys, labelName, labelNote, valueName } from "./words.js";

const HOUR_MS = 3600000;
const HEAT_DAYS = 90;
const DAYS_MAX = 100;
const CAMPAIGNS_MAX = 32; // that the API takes by name

/** Several cards that show parts of one answer share the request. */
export function once(load) {
    let running = null;

    // Not aborted with one card, because other cards wait for it as well.
    return () => {
        running ??= load().finally(() => { running = null; });
        return running;
    };
}

/** How a figure compares with the period before. */
export function change(now, before, { what = t("common.the_period_before"), isGood = true } = {}) {
    if (before === undefined || before === null)
        return h("p", { class: "change" }, "\u00a0");
    if (before === 0)
        return h("p", { class: "change" }, t("overview.none_in", { what }));
    const ratio = now / before - 1;
    // "10,008 % more" says less than "101 times as many".
    const size = ratio >= 9 ? `× ${count(Math.round(now / before))}` : percent(Math.abs(ratio));
    const name = ratio > 0.0005 ? "up" : ratio < -0.0005 ? "down" : "";

    return h("p", { class: "change" },
        h("b", { class: isGood ? name : null },
            `${{ up: "▲ ", down: "▼ " }[name] ?? ""}${size}`),
        h("span", { class: "visually-hidden" }, name ? t(`overview.${name}`) : ""),
        t("overview.on", { what, before }));
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
    const interval = shownStep(data.interval, times.length, chartStepOf(filters));
    const keyOf = (time) => (interval === "week" ? weekOf(time) : interval === "month" ? time.slice(0, 7) : time);
    const keys = [...new Set(times.map(keyOf))];
    const places = new Map(keys.map((key, i) => [key, i]));

    return { keys, interval, times, placeOf: (time) => places.get(keyOf(time)) };
}

/* Finds the time that stands by one of the period that is compared with; undefined: there is none. */
function matchTimes(interval, times, before) {
    if (interval === "month") {
        const places = new Map(before.map((time, i) => [time, i]));

        return (time) => times[places.get(time)];
    }
    // By local clocks: in one of the periods they may have been set forward or back.
    const since = (first, time) => bucketDate(time) - bucketDate(first);
    const found = new Map(times.map((time) => [since(times[0], time), time]));

    return (time) => found.get(since(before[0], time)) ?? found.get(since(before[0], time) + HOUR_MS);
}

/** The period that is compared with, over the same times: its first day stands by the first one.  A map
 * from the values of `dimension` to the counts, empty where the answer has none; without a dimension
 * its one key is "". */
export function comparedValues(data, filters, dimension) {
    const values = new Map();

    if (!data.previous || data.previous.rows.length === 0)
        return values;
    const { keys, times, placeOf } = steps(data, filters);
    const zeros = new Array(keys.length).fill(null); // no point where that period has ended
    const before = timesOf(data.previous.rows);
    const timeFor = matchTimes(data.interval, times, before);

    // Months of which there are fewer or more: none stands for another.
    if (data.interval === "month" && before.length !== times.length)
        return values;
    for (const time of before.map(timeFor).filter((one) => one !== undefined))
        zeros[placeOf(time)] = 0;
    for (const row of data.previous.rows) {
        const time = timeFor(row.time ?? row.key), key = dimension ? row[dimension] : "";

        if (!values.has(key))
            values.set(key, [...zeros]);
        if (time !== undefined)
            values.get(key)[placeOf(time)] += row[filters.who];
    }
    return values;
}

/** The same as one more series; null where the answer has none. */
export function comparedSeries(data, filters) {
    const values = comparedValues(data, filters).get("");

    return values ? comparedAs(filters, values) : null;
}

/** Values of the period that is compared with, as a series of a chart. */
export function comparedAs(filters, values) {
    const name = beforeName(filters);

    return { name: name.charAt(0).toUpperCase() + name.slice(1), values, colour: "muted", isCompared: true };
}

/* More columns than DAYS_MAX can’t be read, so days become weeks, which the API does not know; or
 * months, see chartParams(). */
function shownStep(interval, n, wanted) {
    if (interval !== "day")
        return interval;
    return wanted === "week" || (wanted === "" && n > DAYS_MAX) ? "week" : wanted === "month" ? wanted : interval;
}

/** What a press on the columns of a chart over time does: the period becomes that part of it.  `data`
 * is the answer that the chart shows, `keys` its columns. */
export function periodWays(data, { keys, interval }, filters) {
    if (isShared() || (interval === "hour" && keys.length === 1))
        return null;
    return (i) => ({ what: t(`charts.only_${interval}`), filters: narrow(filters, partOf(keys[i], interval, data)) });
}

/* The series by who clicked: labels, or people and machines only where the answer has no labels. */
function byWho(data, filters) {
    if (data.group_by !== "time")
        return toSeries(data, "label", filters, "total");
    const rows = data.rows.map((row) => ({ ...row, time: row.key, all: "" }));
    const people = toSeries({ ...data, rows }, "all", filters, "human");
    const machines = toSeries({ ...data, rows }, "all", filters, "automated").series.get("") ?? [];

    return { ...people, series: new Map([["human", people.series.get("") ?? []], ["bot", machines]]) };
}

/* Clicks that are picked by one property are all counted by time; by their labels too, only for as
 * long as properties are counted together. */
function hasLabels(picked) {
    return picked.length !== 1 || picked[0] === "label";
}

/* What a press on the name of such a series does. */
function labelWay(key, name, isSplit, filters) {
    const whose = { ...filters, sent: "", who: key === "human" ? "human" : "automated" };

    return { view: "", title: t("overview.show_only_these", { value: name }),
        filters: isSplit ? whose : addFilter(whose, "label", key) };
}

function labelChart(load, context, filters) {
    const chart = new TimeChart("bar", t("overview.clicks_over_time_by"));
    const isSplit = !hasLabels(dimensionsOf(filters));
    const wanted = (key) => filters.who === "total" || (filters.who === "human") === (key === "human");
    const all = (data) => data.total[filters.who];

    return new Card({
        title: t("overview.clicks_over_time"),
        note: t("overview.people_and_machines_are"),
        span: 8, shape: "plot",
        async load(signal) {
            const [data, notes] = await Promise.all([load(), loadNotes(filters, signal)]);

            return { ...data, notes };
        },
        isEmpty: (data) => all(data) === 0,
        close: () => chart.close(),
        render(data, body) {
            const { keys, interval, series } = byWho(data, filters);
            const names = labelKeys.filter((key) => series.has(key) && wanted(key));
            const nameOf = (key) => isSplit && key !== "human" ? t("common.machines") : labelName(key);

            chart.show(body, {
                keys,
                interval,
                summary: t("overview.summary", { n: all(data), of: audiences[filters.who].of,
                    period: periodName(filters) }),
                compared: comparedSeries(data, filters),
                notes: data.notes, noting: { filters, mayWrite: context.mayWrite },
                wayOf: periodWays(data, { keys, interval }, filters),
                series: names.map((key) => ({
                    name: nameOf(key), note: isSplit ? "" : labelNote(key), values: series.get(key),
                    colour: key === "human" ? "people" : key,
                    way: names.length > 1 ? labelWay(key, nameOf(key), isSplit, filters) : null,
                })),
            });
        },
    });
}

/** A link that picks the clicks with that value, on the overview or another view. */
export function picker(filters, dimension, key, view = "") {
    if (filters[dimension] === key || isShared())
        return null;
    return () => h("a", { "data-view": view, title: t("overview.show_only_these", { value: valueName(dimension, key) }),
        href: addressOf(view, addFilter({ ...filters, sent: "" }, dimension, key)) }, valueName(dimension, key));
}

/* The reasons why clicks count as machines’; nothing where there are none. */
function reasonBars({ rows, previous }, filters) {
    const before = previous && new Map(previous.rows.map(({ key, automated }) => [key, automated]));
    const items = rows.filter(({ automated }) => automated > 0).map(({ key, automated }) => (
        { name: valueName("reason", key), value: automated, before: before ? before.get(key) ?? 0 : undefined,
            link: picker({ ...filters, who: "automated" }, "reason", key) }));

    return items.length === 0 ? null : [
        h("h3", { class: "small after" }, t("overview.what_gave_machines_away")),
        bars(t("overview.machines_clicks_by_what"), items, { limit: 4, machines: true, what: beforeName(filters) })];
}

function whoCard(load, params, filters) {
    return new Card({
        title: t("common.who_clicked"),
        table: (data) => [[t("common.who_clicked"), t("filters.given_away_by"), t("common.clicks")],
            ...labelSums(data.rows).map(([key, n]) => [labelName(key), "", n]),
            ...data.reasons.rows.filter(({ automated }) => automated > 0).map(({ key, automated }) =>
                [t("common.machines"), valueName("reason", key), automated])],
        note: t("overview.mail_gateways_open_every"),
        span: 4,
        async load(signal) {
            const reasons = stats({ ...params, group_by: "reason", compare: compareParam(filters) }, signal).catch((error) => {
                if (error.type !== "counted-apart")
                    throw error;
                return { rows: [] };
            });
            const labels = hasLabels(dimensionsOf(filters)) ? load()
                : stats({ ...params, group_by: "label", compare: compareParam(filters) }, signal);
            const [data, found] = await Promise.all([labels, reasons]);

            return { ...data, reasons: found };
        },
        isEmpty: (data) => data.total.total === 0,
        render(data, body) {
            const before = data.previous && new Map(labelSums(data.previous.rows));

            fill(body, bars(t("overview.clicks_by_who_clicked"), labelSums(data.rows).map(([key, value]) => ({
                name: labelName(key), title: `${labelName(key)}: ${labelNote(key)}`, value,
                before: before ? before.get(key) ?? 0 : undefined,
                link: picker({ ...filters, who: key === "human" ? "human" : "automated" }, "label", key),
                colour: key === "human" ? "people" : key })), { what: beforeName(filters) }),
            reasonBars(data.reasons, filters));
        },
    });
}

/* The clicks by label, [[label, clicks], …], of rows by label or by time and label. */
function labelSums(rows) {
    const sums = new Map();

    for (const { label, key, total } of rows)
        sums.set(label ?? key, (sums.get(label ?? key) ?? 0) + total);
    return [...sums];
}

/* The whole table as a file. */
function saveLink(title, params) {
    return h("a", { class: "save small muted", download: "hopcount-stats.csv", "aria-label": t("common.as_csv", { title }),
        title: t("common.save_as_csv"), href: address("stats.csv", { ...params, for: "spreadsheet" }) }, "CSV");
}

/** A ranking by one dimension; `leaveOut` is a value that is told apart, below; `isRated`: campaigns, ordered by
 * what was clicked of their mails, where these are known. */
export function rankCard(title, note, dimension, params, filters, options = {}) {
    const field = filters.who;
    const isShown = (row) => row.key !== options.leaveOut && row[field] > 0;

    return new Card({
        title, note, span: options.span ?? 4,
        extra: options.load ? null : saveLink(title, { ...params, group_by: dimension }),
        // What was put together here, the API has no file of.
        table: !options.load ? null : ({ rows }) => [[title, t("common.clicks")], ...rows.filter(isShown).map((row) =>
            [campaignName(row.key, row.name), row[field]])],
        load: options.load ?? (async (signal) => {
            const [data, mails] = await Promise.all([stats({ ...params, group_by: dimension,
                compare: compareParam(filters) }, signal), options.isRated ? loadMails(filters, signal) : null]);

            return { ...data, mails };
        }),
        isEmpty: (data) => !data.rows.some(isShown),
        empty: options.empty,
        render(data, body) {
            const before = data.previous && new Map(data.previous.rows.map((row) => [row.key, row[field]]));
            const rest = data.rows.find(({ key }) => key === options.leaveOut)?.[field] ?? 0;

            fill(body, bars(title, data.rows.filter(isShown).map((row) => ({
                name: dimension === "campaign" ? campaignName(row.key, row.name)
                    : valueName(dimension, row.key),
                link: options.link ? () => options.link(row)
                    : dimension === "campaign" ? null : picker(filters, dimension, row.key, options.view),
                value: row[field], before: before ? before.get(row.key) ?? 0 : undefined, mailed: data.mails?.get(row.key),
            })), { what: beforeName(filters), machines: field === "automated", limit: options.limit }),
            rest > 0 ? h("p", { class: "small muted after" },
                t("overview.more_on_links_without", { rest })) : null);
        },
    });
}

function heatCard(params, filters) {
    const period = heatPeriod(filters), cursor = {};

    return new Card({
        title: t("overview.when_they_click"),
        note: t(period.from ? "overview.hours_days" : "overview.hours", { n: HEAT_DAYS }),
        span: 8, shape: "plot",
        load: (signal) => stats({ ...params, ...period, group_by: "time",
            interval: "hour", limit: 10000, compare: compareParam(filters) }, signal),
        isEmpty: (data) => data.total[filters.who] === 0,
        render(data, body) {
            const now = sumHours(data.rows, filters.who);
            const before = data.previous && { ...sumHours(data.previous.rows, filters.who), what: beforeName({ ...filters, ...period }) };

            const isHeld = body.querySelector("td:focus") !== null;

            fill(body, heatmap(now, before, cursor), heatButtons(t("overview.when_they_click"), now, before));
            if (isHeld)
                body.querySelector("td[tabindex='0']").focus({ preventScroll: true });
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

/* Where clients are known by whole days (UTC) only, those of some hours would be others than those of
 * the clicks beside them. */
function clientsCard(load, filters) {
    const what = beforeName(filters);
    const isOfHours = /^\d+h$/.test(filters.from) || filters.from.includes("T");
    const clientsOf = (data) => (!data || (isOfHours && data.clients_by === "days") ? null
        : data.total.clients);

    return figureCard(t("overview.distinct_clients"), t("overview.clients_who_clicked_at"), load,
    (data) => ({ now: clientsOf(data) }),
    { footer: (data) => clientsOf(data) === null
        ? h("p", { class: "change" }, t("overview.counted_by_whole_days")) : [
        change(clientsOf(data), clientsOf(data.previous), { what }),
        howCounted(data, filters),
        data.total.visitors > 0 ? h("p", { class: "change", title: t("overview.links_that_name_no") },
        t("overview.visitors", { n: data.total.visitors })) : null] });
}

/* Up to when, and where days of UTC stand for local ones. */
function howCounted({ clients_by: by, clients_as_of: asOf, previous }, filters) {
    const said = [
        !filters.to && asOf ? t("overview.counted_up_to", { at: clock(asOf) }) : "",
        by === "days" ? t("overview.by_days_of_utc")
            : previous?.clients_by === "days" ? t("overview.before_by_days_of_utc") : ""].filter(Boolean);

    return said.length === 0 ? null
        : h("p", { class: "change", title: t("overview.sure_after_a_minute") }, said.join(", "));
}

function figures(load, loadClients, filters) {
    const picked = dimensionsOf(filters).length > 0;
    const one = !filters.campaign.includes(",") && !filters.kind && !picked;
    const what = beforeName(filters);

    return [
        figureCard(t("common.peoples_clicks"), t("overview.opened_by_a_person"), load,
            (data) => ({ now: data.total.human, before: data.previous?.total.human }), { what }),
        one ? clientsCard(loadClients, filters)
            : figureCard(t("overview.distinct_clients"), picked ? t("overview.not_counted_by_such")
                : t("overview.not_counted_by_kind"),
                async () => ({}), () => ({ now: null })),
        figureCard(t("overview.machines_clicks"), t("overview.scanners_bots_and_previews"), load,
            (data) => ({ now: data.total.automated }),
            { footer: ({ total, previous }) => change(total.automated, previous?.total.automated,
                { what, isGood: false }) }),
        figureCard(t("overview.all_clicks"), t("overview.people_and_machines_together"), load,
            (data) => ({ now: data.total.total }),
            { footer: ({ total }) => h("p", { class: "change" }, total.total === 0 ? "\u00a0"
                : t("overview.of_people", { share: h("b", null, share(total.human, total.total)) })) }),
    ];
}

/* Of clicks that are picked by one property each campaign's are counted, for longer than by several:
 * of those with the most clicks. */
function pickedCampaigns(params, filters) {
    return async (signal) => {
        const all = await stats({ ...toParams(withoutDimensions(filters)), interval: "", group_by: "campaign",
            limit: CAMPAIGNS_MAX, offset: 0 }, signal);
        const campaign = all.rows.map(({ key }) => key).join(",");

        return campaign === "" ? { rows: [] } : stats({ ...params, campaign, group_by: "campaign",
            compare: compareParam(filters) }, signal);
    };
}

/* What can't be shown of clicks that are picked by properties. */
export function apartCard(text, picked) {
    return new Card({
        title: t("overview.counted_apart"), span: 12,
        load: async () => ({}),
        render: (data, body) => fill(body, h("p", { class: "small muted" }, t(text, {
            dimension: picked.map((name) => dimensions[name]).join(", ") }))),
    });
}

export function overview(context, filters) {
    const params = toParams(filters);
    const picked = dimensionsOf(filters);
    const load = once(() => stats({ ...chartParams(filters), compare: compareParam(filters), limit: 10000,
        group_by: hasLabels(picked) ? "time,label" : "time" }));
    const loadClients = (signal) =>
        stats({ ...params, group_by: "time", clients: "true", compare: compareParam(filters) }, signal);
    const toCampaign = (row) => h("a", { "data-view": "campaigns",
        href: addressOf("campaigns", { ...filters, campaign: row.key }) },
    campaignName(row.key, row.name));
    const rank = (title, note, by, options) => rankCard(title, note, by, params, filters, options);

    return {
        title: t("common.overview"),
        intro: t("overview.what_your_clients_clicked"),
        filters: true,
        csv: { ...params, group_by: picked.length === 1 ? `time,${picked[0]}` : "time,label" },
        cards: evenOut([
            ...figures(load, loadClients, filters),
            picked.length > 0 || isShared() ? null : anomalyCard(filters),
            labelChart(load, context, filters),
            whoCard(load, params, filters),
            isOfInvoices(filters) ? conversionCard(filters) : null,
            picked.length === 1 && isShared() ? null : rank(t("overview.top_campaigns"), picked.length === 1 ? t("overview.of_the_with_the", { max: CAMPAIGNS_MAX }) : t("overview.which_mails_bring_clicks"),
                "campaign", { link: toCampaign, load: picked.length === 1 ? pickedCampaigns(params, filters) : undefined,
                    isRated: isOfInvoices(filters) && !isShared() && filters.who !== "automated" }),
            rank(t("common.kinds_of_link"), t("overview.what_the_clients_were"), "kind"),
            rank(t("overview.variants"), t("overview.of_a_b_tests"), "variant",
                { leaveOut: filters.variant ? "" : "none", empty: t("overview.no_clicked_link_carries") }),
            heatCard(params, filters),
            rank(t("common.countries"), t("common.by_the_address_that"), "country"),
            rank(t("common.devices"), t("common.what_they_held_in"), "device"),
            rank(t("common.channels"), t("common.where_the_link_was"), "channel"),
            rank(t("common.opened_from"), t("overview.where_the_link_stood"), "referrer"),
            rank(t("overview.browsers"), t("overview.and_mail_apps_by"), "browser"),
            rank(t("overview.systems"), t("overview.what_those_ran_on"), "system"),
            picked.length === 0 ? null : apartCard(isOfInvoices(filters) ? "overview.clients_apart" : "overview.apart", picked),
        ]),
    };
}
