// Links that led to a page of ours, and not to the invoice.
import { stats } from "./api.js";
import { difference } from "./bars.js";
import { Card } from "./card.js";
import { fill, h, table } from "./dom.js";
import { beforeName, compareParam, toParams } from "./filters.js";
import { count } from "./format.js";
import { t } from "./texts.js";
import { audiences, campaignName } from "./words.js";

/* What each page is called, and what it means for the mail that led there. */
const pages = {
    expired: [t("ownpages.the_link_had_expired"), t("ownpages.they_came_too_late")],
    renewed: [t("ownpages.asked_for_a_fresh"), t("ownpages.they_pressed_the_button")],
    revoked: [t("ownpages.the_link_was_withdrawn"), t("ownpages.somebody_revoked_it_or")],
    used: [t("ownpages.the_link_was_used"), t("ownpages.it_opens_only_so")],
    settled: [t("ownpages.nothing_to_pay"), t("ownpages.the_invoice_was_paid")],
    no_target: [t("ownpages.the_link_leads_nowhere"), t("ownpages.its_kind_has_no")],
    later: [t("ownpages.not_known_yet"), t("ownpages.the_service_had_just")],
    unsure: [t("ownpages.could_not_be_confirmed"), t("ownpages.redis_could_not_confirm")],
    button: [t("ownpages.saw_a_page_with"), t("ownpages.the_button_leads_on")],
    pressed: [t("ownpages.pressed_the_button"), t("ownpages.they_went_on_to")],
    opted_out: [t("ownpages.opted_out_of_tracking"), t("ownpages.their_links_lead_on")],
};

function pagesOf(campaign, { rows, before }, filters) {
    const field = filters.who;
    const shown = rows.filter((row) => row[field] > 0).sort((a, b) => b[field] - a[field]);

    return [campaign ? h("h3", null, campaign) : null,
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": campaign ? t("ownpages.of_campaign", { campaign }) : t("ownpages.pages_of_ours") },
            table("rows small", t("ownpages.pages_of_ours_that"), [t("ownpages.page"), t("ownpages.times"), t("common.change")], shown.map((row) => [
                h("span", null, pages[row.page]?.[0] ?? row.page,
                    h("span", { class: "below small muted" }, pages[row.page]?.[1] ?? "")),
                count(row[field]), difference(row[field], before ? before.get(row.key) ?? 0 : undefined, beforeName(filters)) ?? ""])))];
}

/** `load` gives the campaigns that the page shows: {keys, names}. */
export function ownPagesCard(load, filters) {
    const field = filters.who;

    return new Card({
        title: t("ownpages.ended_on_a_page"), span: 8,
        note: t("ownpages.note", { of: audiences[field].of }),
        async load(signal) {
            const { keys, names } = await load();

            if (keys.length === 0)
                return { names, keys, rows: [] };
            const { rows, previous } = await stats({ ...toParams(filters), campaign: keys.join(","),
                group_by: "campaign,page", compare: compareParam(filters) }, signal);

            return { names, keys, rows: rows.filter((row) => row[field] > 0),
                before: previous && new Map(previous.rows.map((row) => [row.key, row[field]])) };
        },
        isEmpty: ({ rows }) => rows.length === 0,
        table: ({ names, rows }) => [[t("common.campaign"), t("ownpages.page"), t("ownpages.times")], ...rows.map((row) =>
            [campaignName(row.campaign, names.get(row.campaign)), pages[row.page]?.[0] ?? row.page, row[field]])],
        empty: t("ownpages.all_links_of_these"),
        render({ names, keys, rows, before }, body) {
            const found = keys.filter((key) => rows.some(({ campaign }) => campaign === key));

            fill(body, found.map((key) => h("div", { class: "stack after" },
                pagesOf(keys.length > 1 ? campaignName(key, names.get(key)) : null,
                    { rows: rows.filter(({ campaign }) => campaign === key), before }, filters))));
        },
    });
}
