// What is being looked at.  It lives in the address, so a view can be kept, sent and gone back to.

const defaults = {
    brand: "",
    campaign: "",
    kind: "",
    from: "30d",
    to: "",
    interval: "",
    who: "human",
    sent: "",
};

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

/** The time zone that days and hours are of. */
export function timeZone() {
    return zone;
}

/** The server doesn't know the zone of this browser. */
export function useUtc() {
    zone = "UTC";
}

export function readFilters() {
    const query = new URLSearchParams(location.search);
    const filters = { ...defaults };

    for (const name of Object.keys(defaults))
        filters[name] = query.get(name) ?? defaults[name];
    return filters;
}

/** The address of a view, with the filters that are not as usual. */
export function addressOf(view, filters) {
    const query = new URLSearchParams();

    for (const [name, value] of Object.entries(filters)) {
        if (value !== defaults[name])
            query.set(name, value);
    }
    return `${view || "./"}${query.size > 0 ? `?${query}` : ""}`;
}

/** The view of the address: "", "campaigns", "links", "health". */
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

/* Weeks are made of days here. */
function apiInterval(interval) {
    return interval === "week" ? "day" : interval;
}

/** The parameters of GET /v1/stats that the filters stand for. */
export function toParams(filters) {
    return {
        brand: filters.brand,
        campaign: filters.campaign,
        kind: filters.kind,
        from: filters.from,
        to: filters.to,
        interval: apiInterval(filters.interval),
        tz: zone === "UTC" ? "" : zone,
    };
}

/** The period in words: "the last 30 days". */
export function periodName(filters) {
    const named = periods.find(([key]) => key === filters.from);

    if (named && !filters.to)
        return named[1].replace(/^L/, "l").replace(/^T/, "t");
    return filters.to ? `${filters.from} to ${filters.to}` : `since ${filters.from}`;
}

/** The period that is compared with, in words: "the 30 days before". */
export function beforeName(filters) {
    const [, n, unit] = /^(\d+)([hd])$/.exec(filters.from) ?? [];

    if (!n || filters.to)
        return filters.from === "1y" && !filters.to ? "the 12 months before" : "the period before";
    return `the ${n} ${unit === "h" ? "hours" : "days"} before`;
}
