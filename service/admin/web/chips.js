// The filters in use, each with a button that removes it; Escape removes the last one.
import { h, newId } from "./dom.js";
import { chosenFilters, dimensions, isApplied, periodName, withoutFilter } from "./filters.js";
import { t } from "./texts.js";
import { campaignName, valueName } from "./words.js";

/* Why a page can't pick by such filters. */
const reasons = {
    funnel: "chips.not_of_invoices", links: "chips.not_of_links", targets: "chips.not_of_targets",
    health: "chips.not_of_health", audit: "chips.not_of_audit",
};

/* Name and value, in words. */
function words(name, value, { context, filters }) {
    if (name === "wide")
        return [t("filterbar.period"), periodName(filters)];
    const names = value.split(",").map((key) => name !== "campaign" ? valueName(name, key)
        : campaignName(key, context.campaigns.find((one) => one.key === key)?.name));
    const of = { campaign: names.length > 1 ? t("common.campaigns") : t("common.campaign"), kind: t("common.kind_of_link"), ...dimensions }[name];

    return [of, names.length > 3 ? String(names.length) : names.join(", ")];
}

function chip([name, value], { context, filters, view, reasonId, change }) {
    const [of, text] = words(name, value, { context, filters });
    const isOff = !isApplied(view, name);

    return h("li", null, h("button", { class: isOff ? "chip off" : "chip", type: "button", "data-key": `chip-${name}`,
        "aria-describedby": isOff ? reasonId : null,
        title: name === "wide" ? t("chips.back_to_the_wider") : t("chips.remove_this_filter_esc"),
        onclick: () => change(withoutFilter(filters, name)) },
    h("span", { class: "visually-hidden" }, t("chips.remove"), " "), h("span", { class: "what" }, `${of}: ${text}`),
    h("span", { "aria-hidden": "true" }, " ×")));
}

/** The list, and why the page of `view` can't apply some; null when there is no filter.  `change` is
 * called with the filters as they are to be. */
export function chips(context, filters, view, change) {
    const chosen = chosenFilters(filters), reasonId = newId();
    const off = chosen.filter(([name]) => !isApplied(view, name));
    const names = off.map(([name, value]) => words(name, value, { context, filters })[0]).join(", ");

    return chosen.length === 0 ? null : h("div", { class: "chosen" },
        h("ul", { class: "chips", "aria-label": t("chips.filters_in_use") },
            chosen.map((one) => chip(one, { context, filters, view, reasonId, change })),
            chosen.length > 1 ? h("li", null, h("button", { class: "chip all", type: "button", "data-key": "chip-all",
                onclick: () => change(withoutAll(filters)) }, t("chips.remove_all"))) : null),
        off.length > 0 ? h("p", { class: "small muted", id: reasonId }, t(reasons[view], { names })) : null);
}

/** What is left when the last filter is removed; null: there is none. */
export function withoutLast(filters) {
    const last = chosenFilters(filters).at(-1);

    return last ? withoutFilter(filters, last[0]) : null;
}

/* A period that was narrowed several times is as it was at first. */
function withoutAll(filters) {
    const left = withoutLast(filters);

    return left ? withoutAll(left) : filters;
}
