// The filters of the page.  They are kept in the address, so that a view can be bookmarked and sent.
import { writtenDate } from "./format.js";
import { t } from "./texts.js";
import { audiences } from "./words.js";

/** What clicks can be picked by, several at a time.  Name, and what it is called on a chip. */
export const dimensions = {
    label: t("common.who_clicked"), reason: t("filters.given_away_by"), country: t("filters.country"), device: t("filters.device"),
    browser: t("filters.browser"), system: t("filters.system"), channel: t("common.channel"), variant: t("common.variant"),
    referrer: t("common.opened_from"),
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

/** The filters that are shown as chips, the last one last: [[name, value], …]. */
export function chosenFilters(filters) {
    return Object.entries(filters).filter(([name, value]) =>
        value !== "" && (name === "campaign" || name === "kind" || name in dimensions));
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
    const days = (Date.parse(to || new Date().toISOString()) - Date.parse(from)) / 86400000 + 1;

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

/** The parameters of GET /v1/stats that the filters stand for. */
export function toParams(filters) {
    return {
        brand: filters.brand,
        campaign: filters.campaign,
        kind: filters.kind,
        from: filters.from,
        to: filters.to,
        // Weeks are made of days here.
        interval: stepOf(filters) === "week" ? "day" : stepOf(filters),
        tz: zone === "UTC" ? "" : zone,
        ...Object.fromEntries(Object.keys(dimensions).map((name) => [name, filters[name] ?? ""])),
    };
}

/** The period in words: "the last 30 days". */
export function periodName(filters) {
    const named = periods.find(([key]) => key === filters.from);

    if (named && !filters.to)
        return named[1].charAt(0).toLowerCase() + named[1].slice(1);
    return filters.to ? t("filters.from_to", { from: writtenDate(filters.from), to: writtenDate(filters.to) })
        : t("filters.since", { from: writtenDate(filters.from) });
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
    if (!n || filters.to)
        return filters.from === "1y" && !filters.to ? t("filters.the_12_months_before") : t("common.the_period_before");
    return t(unit === "h" ? "filters.hours_before" : "filters.days_before", { n: Number(n) });
}
