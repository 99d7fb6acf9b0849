// The filters of the page.  They are kept in the address, so that a view can be bookmarked and sent.
import { audiences } from "./words.js";

/** What clicks can be picked by, one at a time: the API counts each apart.  Name, and what it is
 * called on a chip. */
export const dimensions = {
    label: "Who clicked", reason: "Given away by", country: "Country", device: "Device",
    browser: "Browser", system: "System", channel: "Channel", variant: "Variant",
    referrer: "Opened from",
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
    ["", "The period before"],
    ["weekday", "Same weekdays before"],
    ["year", "Same dates last year"],
    ["year_weekday", "Same weekdays last year"],
];

/** A date to compare from on: as long a period that begins then. */
export function isComparedByDate({ compare }) {
    return /^\d{4}-\d\d-\d\d$/.test(compare);
}

export const periods = [
    ["24h", "Last 24 hours"],
    ["7d", "Last 7 days"],
    ["30d", "Last 30 days"],
    ["90d", "Last 90 days"],
    ["mtd", "This month"],
    ["ytd", "This year"],
    ["1y", "Last 12 months"],
];

let zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** The time zone of days and hours. */
export function timeZone() {
    return zone;
}

/** Uses UTC, because the server does not know the zone of this browser. */
export function useUtc() {
    zone = "UTC";
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

/** The dimension that clicks are picked by, or "". */
export function dimensionOf(filters) {
    return Object.keys(dimensions).find((name) => filters[name]) ?? "";
}

export function withoutDimensions(filters) {
    return { ...filters, ...noDimensions };
}

/** The filters and one more, as the last; of dimensions it takes the place of any other. */
export function addFilter(filters, name, value) {
    const { [name]: _, ...others } = name in dimensions ? withoutDimensions(filters) : filters;

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
        return named[1].replace(/^L/, "l").replace(/^T/, "t");
    return filters.to ? `${filters.from} to ${filters.to}` : `since ${filters.from}`;
}

/** The parameter `compare` of GET /v1/stats. */
export function compareParam({ compare }) {
    return compare || "previous";
}

/** The period that is compared with, in words: "the 30 days before". */
export function beforeName(filters) {
    const [, n, unit] = /^(\d+)([hd])$/.exec(filters.from) ?? [];
    const names = { weekday: "the same weekdays before", year: "the same dates last year",
        year_weekday: "the same weekdays last year" };

    if (filters.compare)
        return names[filters.compare] ?? `the period from ${filters.compare} on`;
    if (!n || filters.to)
        return filters.from === "1y" && !filters.to ? "the 12 months before" : "the period before";
    return `the ${n} ${unit === "h" ? "hours" : "days"} before`;
}
