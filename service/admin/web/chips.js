// The filters in use, each with a button that removes it; Escape removes the last one.
import { h } from "./dom.js";
import { chosenFilters, dimensions } from "./filters.js";
import { campaignName, valueName } from "./words.js";

function words(name, value, context) {
    const names = value.split(",").map((key) => name !== "campaign" ? valueName(name, key)
        : campaignName(key, context.campaigns.find((one) => one.key === key)?.name));
    const of = { campaign: names.length > 1 ? "Campaigns" : "Campaign", kind: "Kind of link", ...dimensions }[name];

    return `${of}: ${names.length > 3 ? names.length : names.join(", ")}`;
}

/** The list; null when there is no filter.  `change` is called with the filters that are to be others. */
export function chips(context, filters, change) {
    const chosen = chosenFilters(filters);
    const none = Object.fromEntries(chosen.map(([name]) => [name, ""]));

    return chosen.length === 0 ? null : h("ul", { class: "chips", "aria-label": "Filters in use" },
        chosen.map(([name, value]) => h("li", null, h("button", { class: "chip", type: "button",
            "data-key": `chip-${name}`, title: "Remove this filter (Esc removes the last one)",
            onclick: () => change({ [name]: "" }) },
        h("span", { class: "visually-hidden" }, "Remove "), words(name, value, context),
        h("span", { "aria-hidden": "true" }, " ×")))),
        chosen.length > 1 ? h("li", null, h("button", { class: "chip all", type: "button", "data-key": "chip-all",
            onclick: () => change(none) }, "Remove all")) : null);
}

/** What is left when the last filter is removed; null: there is none. */
export function withoutLast(filters) {
    const last = chosenFilters(filters).at(-1);

    return last ? { ...filters, [last[0]]: "" } : null;
}
