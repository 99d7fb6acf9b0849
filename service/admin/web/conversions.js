// What clicks led to: mails, invoices clicked, invoices paid, and their money.
import { get } from "./api.js";
import { difference, ofMails } from "./bars.js";
import { Card } from "./card.js";
import { fill, h, table } from "./dom.js";
import { addressOf, beforeName, compareParam, toParams } from "./filters.js";
import { count, money, share, units } from "./format.js";
import { t } from "./texts.js";

const LISTED = 2000; // campaigns with the most mails

/** The parameters of GET /v1/funnel that the filters stand for. */
export function funnelParams(filters) {
    const { brand, campaign, kind, variant, channel, from, to, tz } = toParams(filters);

    return { brand, campaign, kind, variant, channel, from, to, tz };
}

export function loadFunnel(filters, more = {}) {
    return (signal) => get("funnel", { ...funnelParams(filters), ...more }, signal);
}

/** The funnel's rows of the campaigns whose mails are known, by number. */
export async function loadMails(filters, signal) {
    const { rows } = await get("funnel", { ...funnelParams(filters), campaign: "", group_by: "campaign", sort: "sent",
        limit: LISTED }, signal);

    return new Map(rows.filter(({ sent }) => sent > 0).map((row) => [row.key, row]));
}

export function amounts(amount) {
    const all = Object.entries(amount ?? {}).sort((a, b) => b[1] - a[1]);

    return all.length === 0 ? "–" : all.map(([currency, n]) => money(n, currency)).join(" + ");
}

/* A command that tells this service something, whole. */
function command(words) {
    return h("code", { class: "command" },
        `hopcount ${words} --key-file api-key --url ${location.origin}`);
}

/* What has to be told for the step to be known, and how. */
const steps = {
    sent: [t("conversions.no_mail_was_told"),
        t("conversions.tell_of_mails_as"), "event mail.sent --campaign 12 --object 4711 --client 77"],
    clicked: [t("conversions.no_person_has_clicked"),
        t("conversions.an_invoice_counts_when"),
        "mint -c hopcount.yaml pay --object 4711 --client 77 --campaign 12"],
    paid: [t("conversions.no_payment_was_told"),
        t("conversions.tell_of_payments_hopcount"), "event invoice.paid --object 4711 --amount 1999 --currency EUR"],
};

/** Which event of a step is missing, and one command that sends it. */
export function missing(step) {
    const [what, how, words] = steps[step];

    return [h("strong", null, what), h("span", null, " ", how),
        step === "clicked" ? h("code", { class: "command" }, `hopcount ${words}`) : command(words)];
}

/** What to show while nothing is known: which event is missing, and how to send it. */
export function emptyFunnel() {
    return [h("strong", null, t("conversions.nothing_is_known_of")),
        ["sent", "paid"].map((step) => missing(step).slice(1)),
        h("span", null, t("conversions.needs_scope"))];
}

export function isEmptyFunnel({ total }) {
    return !total.sent && total.clicked === 0 && total.paid === 0;
}

/** The card of the overview. */
export function conversionCard(filters) {
    return new Card({
        title: t("conversions.what_clicks_led_to"), span: 4,
        note: t("conversions.of_the_mails_of"),
        load: loadFunnel(filters, { group_by: "campaign", compare: compareParam(filters), limit: 1 }),
        isEmpty: isEmptyFunnel,
        empty: emptyFunnel(),
        table: ({ total }) => [[t("common.step"), t("common.number")], [t("common.mails_sent"), total.sent],
            [t("conversions.invoices_clicked"), total.clicked], [t("conversions.invoices_paid_after_a"), total.paid],
            ...Object.entries(total.amount).map(([currency, n]) => [`${t("common.money")} ${currency}`, units(n, currency)])],
        render({ total, previous }, body) {
            const changed = (field) => difference(total[field], previous?.total[field], beforeName(filters)) ?? "";

            fill(body, table("rows outline", t("conversions.mails_clicks_and_payments"), [t("common.step"), t("common.number"), t("common.share"), t("common.change")], [
                [t("common.mails_sent"), count(total.sent), "", changed("sent")],
                [t("conversions.invoices_clicked"), count(total.clicked), ofMails(total.clicked, total.sent), changed("clicked")],
                [t("conversions.invoices_paid_after_a"), count(total.paid), share(total.paid, total.clicked), changed("paid")]]),
            h("p", { class: "small after" }, `${t("common.money")}: `, h("b", null, amounts(total.amount))),
            h("p", { class: "small after" }, h("a", { href: addressOf("funnel", filters), "data-view": "funnel" },
                t("conversions.which_reminder_gets_paid"))));
        },
    });
}
