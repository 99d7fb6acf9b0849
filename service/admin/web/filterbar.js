// The row of controls above the figures.
import { h, newId } from "./dom.js";
import { canStep, comparisons, dayOf, isComparedByDate, isCustom, periodName, periods, stepOf } from "./filters.js";
import { count, many } from "./format.js";
import { Listing, openDialog } from "./listing.js";
import { t } from "./texts.js";
import { audiences, campaignName, valueName } from "./words.js";

const LISTED = 50; // campaigns in the menu, those with the most clicks
const ALL = "all"; // stands for the list of all of them

function select(label, value, options, onchange) {
    const id = newId();

    return h("div", { class: "field" },
        h("label", { for: id }, label),
        h("select", { id, "data-key": label, onchange: (event) => onchange(event.target.value) },
            options.map(([key, text]) => h("option", { value: key, selected: key === value },
                text))));
}

/* `take` is called with the date when it was picked, or typed to its end: the browser says that it
 * changed at every digit, and drawing the field anew takes it from under the hands. */
function date(label, value, limits, take) {
    const id = newId();
    let isTyped = false, isTaken = false;

    const end = ({ target }) => {
        if (isTaken || !target.value || target.value === value)
            return;
        isTaken = true; // this field gives way to a new one, and loses the focus once more
        take(target.value);
    };

    return h("div", { class: "field" },
        h("label", { for: id }, label),
        h("input", { id, "data-key": label, type: "date", value, ...limits,
            onkeydown: (event) => {
                isTyped = event.key !== "Enter";
                if (!isTyped)
                    end(event);
            },
            onpointerdown: () => { isTyped = false; },
            onchange: (event) => isTyped || end(event),
            // When it is known where the focus went.
            onblur: (event) => setTimeout(end, 0, event) }));
}

function isoDate(moment) {
    const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60000);

    return local.toISOString().slice(0, 10);
}

/* A period of one's own: both ends are days, and the last one is part of it. */
function dates(filters, change) {
    const today = isoDate(new Date());
    const from = dayOf(filters.from) || today;
    const to = dayOf(filters.to, true) || today;

    // An end beyond the other one takes that along.
    return [
        date(t("filterbar.from"), from, { max: today }, (day) => change({ from: day, to: day > to ? day : to, wide: "" })),
        date(t("filterbar.up_to_and_including"), to, { max: today },
            (day) => change({ from: day < from ? day : from, to: day, wide: "" })),
    ];
}

function period(filters, change) {
    const options = [...periods, ["custom", t("filterbar.custom_dates")]];
    const value = isCustom(filters) ? "custom" : filters.from;

    return select(t("filterbar.period"), value, options, (key) => {
        const monthAgo = new Date(Date.now() - 29 * 86400000);

        change(key === "custom" ? { from: isoDate(monthAgo), to: isoDate(new Date()), wide: "" }
            : { from: key, to: "", wide: "" });
    });
}

function comparison(filters, change) {
    const isDate = isComparedByDate(filters);
    const options = [...comparisons, ["date", t("filterbar.a_period_of_its")]];
    const yearAgo = isoDate(new Date(Date.now() - 366 * 86400000));

    return [
        select(t("filterbar.compared_with"), isDate ? "date" : filters.compare, options,
            (compare) => change({ compare: compare === "date" ? yearAgo : compare })),
        isDate ? date(t("filterbar.compared_from"), filters.compare, { max: isoDate(new Date()) },
            (compare) => change({ compare })) : [],
    ];
}

function audience(filters, change) {
    const name = newId(), labelId = newId();

    return h("div", { class: "field wide" },
        h("span", { class: "label", id: labelId }, t("filterbar.clicks_by")),
        h("div", { class: "segments", role: "radiogroup", "aria-labelledby": labelId },
            Object.entries(audiences).map(([key, { name: text }]) =>
            h("label", null,
                h("input", { type: "radio", name, "data-key": key, value: key,
                    checked: key === filters.who, onchange: () => change({ who: key }) }),
                h("span", null, text)))));
}

function brands(context, filters, change) {
    if (context.brands.length < 2)
        return [];
    return [select(t("common.brand"), filters.brand, context.brands.map(({ name }) => [name, name]),
        (brand) => change({ brand, campaign: "", kind: "" }))];
}

function campaigns(context, filters, change) {
    const known = context.campaigns.slice(0, LISTED).map(({ key, name }) => [key, campaignName(key, name)]);
    const all = context.campaigns.length > LISTED ? [[ALL, t("filterbar.all", { n: context.campaigns.length })]] : [];
    const several = filters.campaign.includes(",");

    if (filters.campaign && !several && !known.some(([key]) => key === filters.campaign))
        known.push([filters.campaign, campaignName(filters.campaign, context.campaigns.find(({ key }) => key === filters.campaign)?.name)]);
    if (several)
        known.push([filters.campaign, many(filters.campaign.split(",").length, "campaign")]);
    return select(t("common.campaign"), filters.campaign, [["", t("common.all_campaigns")], ...known, ...all], (campaign) => {
        if (campaign === ALL)
            openCampaigns(context.campaigns, filters, change);
        else
            change({ campaign });
    });
}

/* More than one finds in a menu: to be searched. */
function openCampaigns(found, filters, change) {
    const listing = new Listing({
        caption: t("common.campaigns"), text: ({ key, name }) => `${campaignName(key, name)} ${key}`,
        columns: [
            { name: t("common.campaign"), value: ({ key, name }) => campaignName(key, name),
                cell: ({ key, name }) => h("button", { type: "button", class: "text-button", onclick: () => {
                    dialog.close();
                    change({ campaign: key });
                } }, campaignName(key, name)) },
            { name: t("common.clicks"), value: (row) => row[filters.who], cell: (row) => count(row[filters.who]),
                isNumber: true },
        ],
    });

    listing.show(found);
    const dialog = openDialog(t("filterbar.choose_a_campaign"), listing.element);
}

/* In one line, for a screen that has no room for the controls. */
function summary(filters) {
    const period = periodName(filters);

    return [period.charAt(0).toUpperCase() + period.slice(1), audiences[filters.who]?.name, filters.kind && valueName("kind", filters.kind)]
        .filter(Boolean).join(" · ");
}

let isOpen = false; // on a narrow screen: the controls are folded until they are asked for

/**
 * The controls.  `context` has the brands and the campaigns there are; `change` is called with the
 * filters that are to be others.
 */
export function filterBar(context, filters, change, { withCampaign = true, withClicks = true } = {}) {
    const brand = context.brands.find(({ name }) => name === filters.brand) ?? context.brands[0];
    const kinds = (brand?.kinds ?? []).map(({ name }) => [name, valueName("kind", name)]);

    const formId = newId();
    const form = h("form", { class: "filters", id: formId, "aria-label": t("filterbar.filters"),
        onsubmit: (event) => event.preventDefault() },
    brands(context, filters, change),
    period(filters, change),
    isCustom(filters) ? dates(filters, change) : [],
    withCampaign ? campaigns(context, filters, change) : [],
    select(t("common.kind_of_link"), filters.kind, [["", t("filterbar.all_kinds")], ...kinds],
        (kind) => change({ kind })),
    // Of clicks only: invoices are counted by the time of their mail, and those clicked are people's.
    !withClicks ? [] : select(t("filterbar.in_steps_of"), stepOf(filters),
        [["", t("filterbar.automatic")], ["hour", t("filterbar.hours")], ["day", t("filterbar.days")],
            ["week", t("filterbar.weeks")], ["month", t("filterbar.months")]].filter(([key]) => canStep(filters, key)),
        (interval) => change({ interval })),
    comparison(filters, change),
    withClicks ? audience(filters, change) : []);
    const said = withClicks ? summary(filters) : summary({ ...filters, who: "" });
    const fold = h("button", { class: "button plain fold", type: "button", "data-key": "fold",
        "aria-controls": formId, "aria-expanded": String(isOpen), onclick: () => {
            isOpen = !isOpen;
            form.classList.toggle("is-open", isOpen);
            fold.setAttribute("aria-expanded", String(isOpen));
        } }, h("span", null, said), h("span", { "aria-hidden": "true" }, "▾"));

    form.classList.toggle("is-open", isOpen);
    return [fold, form];
}
