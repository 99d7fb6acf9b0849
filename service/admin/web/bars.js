// A ranking: names, counts, shares, and a bar for each.
import { h } from "./dom.js";
import { count, share } from "./format.js";

function row(item, all, max, machines) {
    const fill = h("i");

    fill.style.width = `${(item.value / max) * 100}%`;
    if (item.colour)
        fill.style.background = `var(--${item.colour})`;
    return h("tr", null,
        h("th", { scope: "row", title: item.title ?? item.name }, item.link ?? item.name,
            h("span", { class: `bar${machines ? " machines" : ""}` }, fill)),
        h("td", { class: "number" }, count(item.value)),
        h("td", { class: "number" }, share(item.value, all)));
}

/**
 * The table.  Items are {name, value, link, title}; those beyond `limit` are summed up as the rest.
 */
export function bars(caption, items, { limit = 7, machines = false } = {}) {
    const sorted = items.filter(({ value }) => value > 0).sort((a, b) => b.value - a.value);
    const all = sorted.reduce((sum, { value }) => sum + value, 0);
    const shown = sorted.length > limit + 1 ? sorted.slice(0, limit) : sorted;
    const rest = sorted.slice(shown.length).reduce((sum, { value }) => sum + value, 0);
    const max = Math.max(sorted[0]?.value ?? 1, rest);

    if (rest > 0)
        shown.push({ name: `${sorted.length - limit} more`, value: rest, colour: "muted" });
    return h("table", { class: "bars" },
        h("caption", { class: "visually-hidden" }, caption),
        h("thead", { class: "visually-hidden" }, h("tr", null,
            h("th", { scope: "col" }, "Name"), h("th", { scope: "col" }, "Clicks"),
            h("th", { scope: "col" }, "Share"))),
        h("tbody", null, shown.map((item) => row(item, all, max, machines))));
}
