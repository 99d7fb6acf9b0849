// A/B tests: the variants of the chosen campaigns, and what may be concluded from them.
import { stats } from "./api.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { addressOf, readFilters, readView, toParams } from "./filters.js";
import { chance, count, percent } from "./format.js";
import { judge, wilson } from "./significance.js";

/** "A:1000,B:980" as {A: 1000, B: 980}: the mails sent, as they stand in the address. */
export function parseSent(text) {
    const sent = {};

    for (const part of text.split(",")) {
        const match = /^([A-G]):(\d{1,9})$/.exec(part);

        if (match)
            sent[match[1]] = Number(match[2]);
    }
    return sent;
}

function writeSent(sent) {
    const text = Object.entries(sent).filter(([, n]) => n > 0).map(([key, n]) => `${key}:${n}`)
        .join(",");

    history.replaceState(null, "", addressOf(readView(), { ...readFilters(), sent: text }));
}

function more(ratio) {
    return percent(Math.abs(ratio - 1));
}

/* The lead over the strongest of the others, with the range it may really be in. */
function lead({ by, leader, pairs }) {
    const [first] = pairs;

    if (by === "share") {
        const points = (x) => `${(x * 100).toFixed(1)}`;

        return `Variant ${leader.name} was clicked ${points(first.difference)} percentage points ` +
            `more often than ${first.other.name} (95% interval: ${points(first.low)} to ${
                points(first.high)}).`;
    }
    if (!Number.isFinite(first.ratio))
        return `Variant ${leader.name} has ${count(leader.clicks)} clicks, ${first.other.name} none.`;
    return `Variant ${leader.name} got ${more(first.ratio)} more clicks than ${first.other.name} ` +
        `(95% interval of the ratio: ${first.low.toFixed(2)} to ${
            Number.isFinite(first.high) ? first.high.toFixed(2) : "∞"}).`;
}

function conclusion(result) {
    const [first] = result.pairs;
    const luck = `p = ${chance(first.p)}`.replace("= below", "below");

    switch (result.verdict) {
    case "few":
        return ["Too few clicks to say anything. ", "Below 20 clicks by people, luck decides."];
    case "clear":
        return [`Variant ${result.leader.name} works better. `,
            `${lead(result)} So large a lead would be rare if all variants worked equally well (${
                luck}).`];
    default:
        return ["No clear winner yet. ",
            `${lead(result)} A lead like this can well be luck (${luck}).`];
    }
}

function fineprint({ by, pairs }) {
    const sent = by === "share"
        ? "It compares clicks with the mails you say were sent."
        : "hopcount doesn’t know how many mails were sent, so it takes it that each variant went to " +
          "equally many people: enter the numbers if not.";

    return `${sent} A person who clicks twice counts twice, which makes the test a little too sure. ` +
        "It can’t tell why one works better, and looking every day until it turns out well finds " +
        `winners that are none: decide when to look before you start.${pairs.length > 1
            ? " The p values allow for several variants (Holm)." : ""}`;
}

function statement(variants) {
    const result = judge(variants);

    if (result.verdict === "one")
        return h("p", { class: "statement" }, "One variant only: there is nothing to compare with.");
    const [bold, rest] = conclusion(result);

    return h("div", { class: `statement${result.verdict === "clear" ? " clear" : ""}` },
        h("p", null, h("strong", null, bold), rest),
        h("details", { class: "data" }, h("summary", null, "What this test can and can’t say"),
            h("p", { class: "small muted" }, fineprint(result))));
}

function rate({ clicks, sent }) {
    if (!sent)
        return "–";
    if (clicks > sent)
        return "over 100%";
    const { low, high } = wilson(clicks, sent);

    return h("span", { title: `95% interval: ${percent(low)} to ${percent(high)}` },
        percent(clicks / sent));
}

function row(variant, change) {
    const rateCell = h("td", { class: "number" }, rate(variant));
    const input = h("input", {
        class: "input sent number", type: "number", min: "0", max: "999999999", inputmode: "numeric",
        placeholder: "not known", value: variant.sent ?? "",
        "aria-label": `Mails sent with variant ${variant.name}`,
        oninput: (event) => {
            variant.sent = Math.max(0, Math.floor(Number(event.target.value) || 0));
            fill(rateCell, rate(variant));
            change();
        },
    });

    return h("tr", null,
        h("th", { scope: "row" }, `Variant ${variant.name}`),
        h("td", { class: "number" }, count(variant.clicks)),
        h("td", { class: "number muted wide-only" }, count(variant.automated)),
        h("td", { class: "number" }, input),
        rateCell);
}

function draw(data, body, sent) {
    const variants = data.rows.filter(({ key }) => key !== "none")
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map((one) => ({ name: one.key, clicks: one.human, automated: one.automated,
            sent: sent[one.key] }));
    const verdict = h("div", { "aria-live": "polite" }, statement(variants));
    const change = () => {
        for (const variant of variants)
            sent[variant.name] = variant.sent;
        writeSent(sent);
        fill(verdict, statement(variants));
    };

    fill(body,
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Variants" },
            h("table", { class: "rows plain" },
                h("caption", { class: "visually-hidden" }, "Variants and their clicks"),
                h("thead", null, h("tr", null,
                    h("th", { scope: "col" }, "Variant"),
                    h("th", { scope: "col", class: "number" }, "People’s clicks"),
                    h("th", { scope: "col", class: "number wide-only" }, "Machines"),
                    h("th", { scope: "col", class: "number" }, "Mails sent"),
                    h("th", { scope: "col", class: "number" }, "Rate"))),
                h("tbody", null, variants.map((variant) => row(variant, change))))),
        verdict);
}

export function variantCard(filters) {
    const sent = parseSent(filters.sent);
    const isOne = /^\d+$/.test(filters.campaign);

    return new Card({
        title: "A/B variants",
        note: "Only clicks by people are compared; machines open every variant alike." + (isOne ? ""
            : " These are several campaigns together: tick a single one to judge its test."),
        span: 8,
        load: (signal) => stats({ ...toParams(filters), group_by: "variant" }, signal),
        isEmpty: (data) => !data.rows.some(({ key }) => key !== "none"),
        empty: "No clicked link carries a variant. Mint links with --variant A and --variant B to " +
            "test two versions of a mail.",
        render(data, body) {
            // Not under the fingers of somebody who types a number.
            if (!body.contains(document.activeElement) || !body.querySelector("input"))
                draw(data, body, sent);
        },
    });
}
