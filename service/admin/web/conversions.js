// What clicks led to: mails, invoices clicked, invoices paid, and their money.
import { get } from "./api.js";
import { Card } from "./card.js";
import { fill, h, table } from "./dom.js";
import { addressOf, toParams } from "./filters.js";
import { count, money, share } from "./format.js";

/** The parameters of GET /v1/funnel that the filters stand for. */
export function funnelParams(filters) {
    const { brand, campaign, kind, from, to, tz } = toParams(filters);

    return { brand, campaign, kind, from, to, tz };
}

export function loadFunnel(filters, more = {}) {
    return (signal) => get("funnel", { ...funnelParams(filters), ...more }, signal);
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
    sent: ["No mail was told of in this period.",
        "Tell of each mail as it is sent, by its invoice (or with --n 800 of a whole run); who makes links by the API " +
        "can say “sent”: true there:", "event mail.sent --campaign 12 --object 4711 --client 77"],
    clicked: ["No person has clicked a link of these mails.",
        "An invoice counts when its link was made with its number:",
        "mint -c hopcount.yaml pay --object 4711 --client 77 --campaign 12"],
    paid: ["No payment was told of that a click could be credited with.",
        "Tell of payments, their amount in cents:", "event invoice.paid --object 4711 --amount 1999 --currency EUR"],
};

/** Which event of a step is missing, and one command that sends it. */
export function missing(step) {
    const [what, how, words] = steps[step];

    return [h("strong", null, what), h("span", null, " ", how),
        step === "clicked" ? h("code", { class: "command" }, `hopcount ${words}`) : command(words)];
}

/** What to show while nothing is known: which event is missing, and how to send it. */
export function emptyFunnel() {
    return [h("strong", null, "Nothing is known of mails, clicks and payments in this period."),
        ["sent", "paid"].map((step) => missing(step).slice(1)),
        h("span", null, "The key needs the scope events:write.")];
}

export function isEmptyFunnel({ total }) {
    return !total.sent && total.clicked === 0 && total.paid === 0;
}

/** The card of the overview. */
export function conversionCard(filters) {
    return new Card({
        title: "What clicks led to", span: 4,
        note: "Of the mails of this period. A payment belongs to the last link that a person clicked before it.",
        load: loadFunnel(filters, { group_by: "campaign", limit: 1 }),
        isEmpty: isEmptyFunnel,
        empty: emptyFunnel(),
        render({ total }, body) {
            fill(body, table("rows", "Mails, clicks and payments", ["Step", "Number", "Share"], [
                ["Mails sent", count(total.sent), ""],
                ["Invoices clicked", count(total.clicked), total.sent > 0 ? share(total.clicked, total.sent) : "–"],
                ["Invoices paid after a click", count(total.paid), share(total.paid, total.clicked)],
                ["Money", amounts(total.amount), ""]]),
            h("p", { class: "small after" }, h("a", { href: addressOf("funnel", filters), "data-view": "funnel" },
                "Which reminder gets paid")));
        },
    });
}
