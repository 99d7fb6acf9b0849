// The filters in use, each with a button that removes it; Escape removes the last one.
import { h } from "./dom.js";
import { chosenFilters, dimensions } from "./filters.js";
import { t } from "./texts.js";
import { campaignName, valueName } from "./words.js";

function words(name, value, context) {
    const names = value.split(",").map((key) => name !== "campaign" ? valueName(name, key)
        : campaignName(key, context.campaigns.find((one) => one.key === key)?.name));
    const of = { campaign: names.length > 1 ? t("common.campaigns") : t("common.campaign"), kind: t("common.kind_of_link"), ...dimensions }[name];

    return `${of}: ${names.length > 3 ? names.length : names.join(", ")}`;
}

/** The list; null when there is no filter.  `change` is called with the filters that are to be others. */
export function chips(context, filters, change) {
    const chosen = chosenFilters(filters);
    const none = Object.fromEntries(chosen.map(([name]) => [name, ""]));

    return chosen.length === 0 ? null : h("ul", { class: "chips", "aria-label": t("chips.filters_in_use") },
        chosen.map(([name, value]) => h("li", null, h("button", { class: "chip", type: "button",
            "data-key": `chip-${name}`, title: t("chips.remove_this_filter_esc"),
            onclick: () => change({ [name]: "" }) },
        h("span", { class: "visually-hidden" }, t("chips.remove"), " "), words(name, value, context),
        h("span", { "aria-hidden": "true" }, " ×")))),
        chosen.length > 1 ? h("li", null, h("button", { class: "chip all", type: "button", "data-key": "chip-all",
            onclick: () => change(none) }, t("chips.remove_all"))) : null);
}

/** What is left when the last filter is removed; null: there is none. */
export function withoutLast(filters) {
    const last = chosenFilters(filters).at(-1);

    return last ? { ...filters, [last[0]]: "" } : null;
}
