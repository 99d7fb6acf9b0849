// The filters of the page.  They are kept in the address, so that a view can be bookmarked and sent.
import { bucket, time, writtenDate } from "./format.js";
import { t } from "./texts.js";
import { audiences } from "./words.js";

/** What clicks can be picked by, several at a time.  Name, and what it is called on a chip. */
export const dimensions = {
    label: t("common.who_clicked"), reason: t("filters.given_away_by"), country: t("filters.country"), device: t("filters.device"),
    browser: t("filters.browser"), system: t("filters.system"), channel: t("common.channel"), variant: t("common.variant"),
    referrer: t("common.opened_from"), delay: t("filters.after_the_link_was"),
};

const noDimensions = Object.fromEntries(Object.keys(dimensions).map((name) => [name, ""]));
const defaults = {
    brand: "",
    campaign: "",
    kind: "",
    from: "30d",
    to: "",
    interval: "",
    who: "human",
    sent: "",
    compare: "",
    wide: "", // the periods that this one is a part of, where a chart was pressed: see narrow()
    ...noDimensions,
};

/** What the period is compared with, as the API calls it; "" is the period before. */
export const comparisons = [
    ["", t("filters.the_period_before")],
    ["weekday", t("filters.same_weekdays_before")],
    ["year", t("filters.same_dates_last_year")],
    ["year_weekday", t("filters.same_weekdays_last_year")],
];

/** A date to compare from on: as long a period that begins then. */
export function isComparedByDate({ compare }) {
    return /^\d{4}-\d\d-\d\d$/.test(compare);
}

export const periods = [
    ["24h", t("filters.last_24_hours")],
    ["7d", t("filters.last_7_days")],
    ["30d", t("filters.last_30_days")],
    ["90d", t("filters.last_90_days")],
    ["mtd", t("filters.this_month")],
    ["ytd", t("filters.this_year")],
    ["1y", t("filters.last_12_months")],
];

let zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** The time zone of days and hours. */
export function timeZone() {
    return zone;
}

/** Uses that zone: a shared view has its own. */
export function useZone(name) {
    zone = name;
    clock = clockOf(name);
}

function clockOf(name) {
    return new Intl.DateTimeFormat("en-US", { timeZone: name, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric",
        hour: "numeric", minute: "numeric", second: "numeric" });
}

let clock = clockOf(zone);

/** What clocks in that zone show at a moment, as if it were UTC: so the API names hours and days. */
export function localTime(moment) {
    const { year, month, day, hour, minute, second } = Object.fromEntries(clock.formatToParts(moment)
        .map(({ type, value }) => [type, Number(value)]));

    return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
}

/** Uses UTC, because the server does not know the zone of this browser. */
export function useUtc() {
    useZone("UTC");
}

/** All filters, those that are not given as they always are. */
export function withDefaults(filters) {
    return { ...defaults, ...filters };
}

export function readFilters() {
    const query = new URLSearchParams(location.search);
    const filters = {};

    // In the order of the address: the last one is the one that was added last.
    for (const name of query.keys()) {
        if (name in defaults)
            filters[name] = query.get(name);
    }
    for (const name of Object.keys(defaults))
        filters[name] ??= defaults[name];
    if (!(filters.who in audiences))
        filters.who = defaults.who;
    return filters;
}

/** The address of a view, with the filters that differ from the default. */
export function addressOf(view, filters) {
    const query = new URLSearchParams();

    for (const [name, value] of Object.entries(filters)) {
        if (value !== defaults[name])
            query.set(name, value);
    }
    return `${view || "./"}${query.size > 0 ? `?${query}` : ""}`;
}

/** The dimensions that clicks are picked by. */
export function dimensionsOf(filters) {
    return Object.keys(dimensions).filter((name) => filters[name]);
}

export function withoutDimensions(filters) {
    return { ...filters, ...noDimensions };
}

/** The filters and one more, as the last. */
export function addFilter(filters, name, value) {
    const { [name]: _, ...others } = filters;

    return { ...others, [name]: value };
}

/** The filters that are shown as chips, the last one last: [[name, value], …]; `wide` stands for a
 * period that is a part of another one. */
export function chosenFilters(filters) {
    return Object.entries(filters).filter(([name, value]) =>
        value !== "" && (["campaign", "kind", "wide"].includes(name) || name in dimensions));
}

/* What the figures of a page can be picked by; all of it on pages that aren't named.  Invoices are
 * counted by fewer properties than clicks are, targets are of a kind only, and the others show no
 * figures of clicks. */
const appliedOn = { funnel: ["campaign", "kind", "variant", "channel", "wide"], targets: ["kind"], links: [], health: [], audit: [] };

/** Whether the page of a view can apply the filter of that name. */
export function isApplied(view, name) {
    return appliedOn[view]?.includes(name) ?? true;
}

/** The filters that the page of a view applies.  The others stay in the address: what leads to
 * another page is made from readFilters(). */
export function appliedFilters(view, filters) {
    const off = chosenFilters(filters).filter(([name]) => !isApplied(view, name) && name !== "wide");

    return { ...filters, ...Object.fromEntries(off.map(([name]) => [name, ""])) };
}

/** Whether mails, invoices and payments can be picked by all of the filters. */
export function isOfInvoices(filters) {
    return chosenFilters(filters).every(([name]) => isApplied("funnel", name));
}

/** The filters with a part of their period, {from, to}, as the last filter; withoutFilter() leads back.
 * `wide` is made of what the period was, the widest first: "1y__month.2026-10-01_2026-10-31". */
export function narrow(filters, { from, to }) {
    const { wide, ...others } = filters;
    const period = `${filters.from}_${filters.to}_${filters.interval}`.replace(/_+$/, "");

    return { ...others, from, to, interval: "", sent: "", wide: wide ? `${wide}.${period}` : period };
}

/** The filters without that chip: all values of one property, or the last narrowing of the period. */
export function withoutFilter(filters, name) {
    if (name !== "wide")
        return { ...filters, [name]: "" };
    const wider = filters.wide.split(".");
    const [from, to = "", interval = ""] = wider.pop().split("_");

    return { ...filters, from, to, interval, wide: wider.join(".") };
}

/** The view of the address: "", "campaigns", "funnel", "links", "health", "audit". */
export function readView() {
    return location.pathname.split("/").at(-1);
}

export function go(view, filters) {
    history.pushState(null, "", addressOf(view, filters));
    document.dispatchEvent(new CustomEvent("navigate"));
}

export function isCustom(filters) {
    return !periods.some(([key]) => key === filters.from) || filters.to !== "";
}

/** The largest number of days in the period; 0: not known. */
export function daysOf({ from, to }) {
    const [, n, unit] = /^(\d+)([hdwmy])$/.exec(from) ?? [];

    if (n)
        return n * { h: 1 / 24, d: 1, w: 7, m: 31, y: 366 }[unit];
    if (from === "mtd" || from === "ytd")
        return from === "mtd" ? 31 : 366;
    // A date as the end is part of the period, a time is not.
    const days = (Date.parse(to || new Date().toISOString()) - Date.parse(from)) / 86400000 +
        (to.includes("T") ? 0 : 1);

    return Number.isNaN(days) ? 0 : days;
}

/* A reply has 10,000 rows at most, and charts show up to 8 series: in longer periods, hours and
 * days would be cut off at the end. */
const HOURS_DAYS_MAX = 45;
const DAYS_DAYS_MAX = 1200;

/** Whether the period can be shown in such steps. */
export function canStep(filters, interval) {
    return daysOf(filters) <= ({ hour: HOURS_DAYS_MAX, day: DAYS_DAYS_MAX,
        week: DAYS_DAYS_MAX }[interval] ?? Infinity);
}

/** The chosen steps, or "" if there would be too many of them. */
export function stepOf(filters) {
    return canStep(filters, filters.interval) ? filters.interval : "";
}

function localDay(moment) {
    return localTime(moment).toISOString().slice(0, 10);
}

/** The day here of a date or time in the address, of an end the last day that is part of the period;
 * "" if it is a span, such as 30d. */
export function dayOf(text, isEnd = false) {
    if (!/^\d{4}-\d\d-\d\dT/.test(text) || Number.isNaN(Date.parse(text)))
        return /^\d{4}-\d\d-\d\d$/.test(text) ? text : "";
    return localDay(new Date(Date.parse(text) - (isEnd ? 1 : 0)));
}

/* The last day of the day, week or month that a key of the API names. */
function lastDay(key, interval) {
    const end = new Date(key.padEnd(10, "-01"));

    if (interval === "month")
        end.setUTCMonth(end.getUTCMonth() + 1, 0);
    else if (interval === "week")
        end.setUTCDate(end.getUTCDate() + 6);
    return end.toISOString().slice(0, 10);
}

/** The part of a period that the column of a chart stands for: its first and last day, or the
 * beginning and end of its hour.  `answer` is {from, to} of the period, as the API said it: of the
 * weeks and months at its ends only a part may lie inside. */
export function partOf(key, interval, answer) {
    const write = (ms) => new Date(ms).toISOString().replace(".000", "");

    if (interval === "hour")
        return { from: write(Date.parse(key)), to: write(Date.parse(key) + 3600000) };
    const first = key.padEnd(10, "-01"), last = lastDay(key, interval);
    const from = localDay(new Date(answer.from)), to = localDay(new Date(Date.parse(answer.to) - 1));

    return { from: first < from ? from : first, to: last > to ? to : last };
}

/** The parameters of GET /v1/stats that the filters stand for. */
export function toParams(filters) {
    return {
        brand: filters.brand,
        campaign: filters.campaign,
        kind: filters.kind,
        from: filters.from,
        // A day that isn't over ends now, and is compared with the same part of another one.
        to: filters.to === localDay(new Date()) ? "" : filters.to,
        // Weeks are made of days here.
        interval: stepOf(filters) === "week" ? "day" : stepOf(filters),
        tz: zone === "UTC" ? "" : zone,
        ...Object.fromEntries(Object.keys(dimensions).map((name) => [name, filters[name] ?? ""])),
    };
}

/** The steps of charts over time, where they don't follow from the API's answer alone. */
export function chartStepOf(filters) {
    return stepOf(filters) || (daysOf(filters) > 366 ? "month" : "");
}

/** The parameters for charts over time.  Months are made of days here as well, where there are not
 * too many: two periods of as many days may touch a different number of months, and then only their
 * days can be set side by side. */
export function chartParams(filters) {
    const params = toParams(filters);

    return chartStepOf(filters) === "month" && canStep(filters, "day") ? { ...params, interval: "day" } : params;
}

/* A period with an end, in words: a day, a month, some hours of a day, or else its two ends. */
function closedName({ from, to }) {
    const day = dayOf(from), write = (text) => text.includes("T") ? time(text) : writtenDate(text);

    if (from === to)
        return writtenDate(from);
    if (/^\d{4}-\d\d-01$/.test(from) && lastDay(from, "month") === to)
        return bucket(from.slice(0, 7), "month");
    if (from.includes("T") && to.includes("T") && day && day === dayOf(to, true)) {
        const [begin, end] = [from, to].map((text) => localTime(new Date(text)).toISOString().slice(11, 16));

        return t("filters.hours_of", { day: writtenDate(day), from: begin, to: end });
    }
    return t("filters.from_to", { from: write(from), to: write(to) });
}

/** The period in words: "the last 30 days". */
export function periodName(filters) {
    const named = periods.find(([key]) => key === filters.from);

    if (named && !filters.to)
        return named[1].charAt(0).toLowerCase() + named[1].slice(1);
    return filters.to ? closedName(filters) : t("filters.since", { from: writtenDate(filters.from) });
}

/** The parameter `compare` of GET /v1/stats. */
export function compareParam({ compare }) {
    return compare || "previous";
}

/** The period that is compared with, in words: "the 30 days before". */
export function beforeName(filters) {
    const [, n, unit] = /^(\d+)([hd])$/.exec(filters.from) ?? [];
    const names = { weekday: t("filters.the_same_weekdays_before"), year: t("filters.the_same_dates_last"),
        year_weekday: t("filters.the_same_weekdays_last") };

    if (filters.compare)
        return names[filters.compare] ?? t("filters.the_period_from_on", { compare: writtenDate(filters.compare) });
    if (filters.to && filters.from === filters.to)
        return t("filters.days_before", { n: 1 });
    if (!n || filters.to)
        return filters.from === "1y" && !filters.to ? t("filters.the_12_months_before") : t("common.the_period_before");
    return t(unit === "h" ? "filters.hours_before" : "filters.days_before", { n: Number(n) });
}
