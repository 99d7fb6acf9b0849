// A/B tests: the variants of a campaign, and the conclusion in a sentence.
import { stats } from "./api.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { addressOf, readFilters, readView, toParams } from "./filters.js";
import { count, many, odds, percent, per100 } from "./format.js";
import { judge, wilson } from "./significance.js";
import { campaignName } from "./words.js";

const LISTED = 32; // campaigns whose tests are listed; the API takes no more

/* --- the mails sent: in the address, so that a test can be shown to others, and in this browser --- */

/** "A:1000,B:980" as {A: 1000, B: 980}. */
export function parseSent(text) {
    const sent = {};

    for (const part of (text ?? "").split(",")) {
        const match = /^([A-G]):(\d{1,9})$/.exec(part);

        if (match)
            sent[match[1]] = Number(match[2]);
    }
    return sent;
}

function storageKey({ brand, campaign, from, to }) {
    return `sent ${brand} ${campaign} ${from} ${to}`;
}

function readSent(filters) {
    if (filters.sent)
        return parseSent(filters.sent);
    try {
        return parseSent(localStorage.getItem(storageKey(filters)));
    } catch {
        return {}; // the browser may block storage
    }
}

function keepSent(sent) {
    const filters = { ...readFilters(), sent: Object.entries(sent).filter(([, n]) => n > 0)
        .map(([key, n]) => `${key}:${n}`).join(",") };

    history.replaceState(null, "", addressOf(readView(), filters));
    try {
        if (filters.sent)
            localStorage.setItem(storageKey(filters), filters.sent);
        else
            localStorage.removeItem(storageKey(filters));
    } catch {
        // Storage is blocked; the address still holds the numbers.
    }
}

/* --- what follows from the counts --- */

/* Which variant leads, by how much, and the interval of the difference. */
function lead({ by, leader, pairs }) {
    const [{ other, ratio, difference, low, high }] = pairs;

    if (by === "share")
        return `${leader.name} got ${per100(leader.clicks / leader.sent)} clicks per 100 mails, ${
            other.name} ${per100(other.clicks / other.sent)}${difference === 0 ? "."
                : low > 0 ? `: the real difference is most likely between ${per100(low)} and ${
                    per100(high)} clicks per 100 mails.`
                    : `. The real difference may be anything from ${per100(-low)} clicks per 100 ` +
                    `mails in favour of ${other.name} to ${per100(high)} in favour of ${
                        leader.name}.`}`;
    if (leader.clicks === other.clicks)
        return `${leader.name} and ${other.name} got ${many(leader.clicks, "click")} each.`;
    if (other.clicks === 0)
        return `${leader.name} got ${many(leader.clicks, "click")}, ${other.name} none.`;
    return `${leader.name} got ${many(leader.clicks, "click")} by people, ${other.name} ${
        count(other.clicks)}: ${percent(ratio - 1)} more${low > 1
        ? `. The real lead is most likely between ${percent(low - 1)} and ${percent(high - 1)}` : ""}.`;
}

function conclusion(result) {
    const [{ p, other }] = result.pairs;
    const all = result.pairs.length > 1 ? "all variants"
        : [result.leader.name, other.name].sort().join(" and ");

    switch (result.verdict) {
    case "few":
        return ["Too early to tell. ",
            "With fewer than 20 clicks by people, chance decides. Keep the test running."];
    case "clear":
        return [`Variant ${result.leader.name} works better. `,
            `${lead(result)} If ${all} worked equally well, chance alone would make a difference ` +
            `like this ${odds(p)}.`];
    default:
        return ["No winner yet. ",
            `${lead(result)} Even if ${all} worked equally well, chance alone would make a ` +
            `difference like this ${odds(p)}. Keep the test running, or take whichever you like ` +
            "better."];
    }
}

/* The assumptions of the sentence. */
function caveat({ by }, variants) {
    const known = variants.filter(({ sent }) => sent > 0);

    if (by === "share")
        return "";
    if (variants.some(({ clicks, sent }) => sent > 0 && clicks > sent))
        return "A variant has more clicks than mails, so the mails are left out. Are the numbers of " +
            "the same period?";
    if (known.length > 0)
        return "Enter the mails of every variant to have them taken into account.";
    return "This takes it that every variant went to equally many people, as in a split by halves. " +
        "If not, enter how many mails were sent with each: your mail program knows.";
}

const fineprint = "Only clicks by people count here; machines open every variant alike. Somebody who " +
    "clicks twice counts twice, which makes the test a little too sure. It can’t say why one works " +
    "better. And who looks every day and stops at the first good result finds winners that are none: " +
    "decide how long the test runs before it starts. (Without the mails it is the exact binomial " +
    "test of an equal split, else a test of two proportions; both are two-sided, at 5%, corrected for " +
    "the number of variants by Holm. Ranges are 95% intervals.)";

function statement(variants) {
    const result = judge(variants);

    if (result.verdict === "one")
        return h("p", { class: "statement" }, "Only one variant was clicked: there is nothing to " +
            "compare it with.");
    const [bold, rest] = conclusion(result);
    const warning = caveat(result, variants);

    return [
        h("div", { class: `statement${result.verdict === "clear" ? " clear" : ""}` },
            h("p", null, h("strong", null, bold), rest),
            warning ? h("p", { class: "small muted" }, warning) : null),
        h("details", { class: "data" }, h("summary", null, "What this test can and can’t say"),
            h("p", { class: "small muted" }, fineprint)),
    ];
}

/* --- one test --- */

function rate({ clicks, sent }) {
    if (!sent)
        return "–";
    if (clicks > sent)
        return "over 100%";
    const { low, high } = wilson(clicks, sent);

    return h("span", { title: `Most likely between ${percent(low)} and ${percent(high)}` },
        percent(clicks / sent));
}

function row(variant, all, change) {
    const rateCell = h("td", { class: "number" }, rate(variant));
    const input = h("input", {
        class: "input sent number", type: "number", min: "0", max: "999999999", inputmode: "numeric",
        placeholder: "–", value: variant.sent ?? "",
        "aria-label": `Mails sent with variant ${variant.name}`,
        oninput: (event) => {
            variant.sent = Math.min(999999999,
                Math.max(0, Math.floor(Number(event.target.value) || 0)));
            fill(rateCell, rate(variant));
            change();
        },
    });

    return h("tr", null,
        h("th", { scope: "row" }, `Variant ${variant.name}`),
        h("td", { class: "number" }, count(variant.clicks)),
        h("td", { class: "number muted wide-only" }, all > 0 ? percent(variant.clicks / all) : "–"),
        h("td", { class: "number" }, input),
        rateCell);
}

function head() {
    const column = (name, type) => h("th", { scope: "col", class: type }, name);

    return h("thead", null, h("tr", null, column("Variant"), column("Clicks", "number"),
        column("Share", "number wide-only"), column("Mails sent", "number"),
        column("Click rate", "number")));
}

function drawOne(rows, body, filters) {
    const sent = readSent(filters);
    const variants = rows.filter(({ variant, key }) => (variant ?? key) !== "none")
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map((one) => ({ name: one.key, clicks: one.human, sent: sent[one.key] }));
    const all = variants.reduce((sum, { clicks }) => sum + clicks, 0);
    const verdict = h("div", { "aria-live": "polite" }, statement(variants));
    const change = () => {
        for (const variant of variants)
            sent[variant.name] = variant.sent;
        keepSent(sent);
        fill(verdict, statement(variants));
    };

    fill(body,
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of variants" },
            h("table", { class: "rows plain" },
                h("caption", { class: "visually-hidden" }, "Variants and their clicks"),
                head(),
                h("tbody", null, variants.map((variant) => row(variant, all, change))))),
        verdict);
}

/* --- tests of several campaigns, each on its own, because their sums would prove nothing --- */

const verdicts = {
    one: ["Nothing to compare", ""],
    few: ["Too early to tell", ""],
    open: ["No winner yet", ""],
};

function drawSeveral(rows, body, filters) {
    const tests = new Map();

    for (const one of rows.filter(({ variant }) => variant !== "none"))
        tests.set(one.campaign, [...tests.get(one.campaign) ?? [],
            { name: one.variant, clicks: one.human, label: campaignName(one.campaign, one.name) }]);
    const lines = [...tests].sort(([a], [b]) => a - b).map(([campaign, variants]) => {
        const { verdict, leader } = judge(variants);
        const [text, grade] = verdicts[verdict] ?? [`${leader.name} works better`, "good"];

        return h("tr", null,
            h("th", { scope: "row" }, h("a", { "data-view": "campaigns",
                href: addressOf("campaigns", { ...filters, campaign, sent: "" }) },
            variants[0].label)),
            h("td", null, variants.sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ name, clicks }) =>
                `${name}\u00a0${count(clicks)}`).join(" · ")),
            h("td", null, h("span", { class: `tag ${grade}` }, text)));
    });

    fill(body, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of A/B tests" },
        h("table", { class: "rows" },
            h("caption", { class: "visually-hidden" }, "A/B tests"),
            h("thead", null, h("tr", null, ["Campaign", "People’s clicks", "Result"].map((text) =>
                h("th", { scope: "col" }, text)))),
            h("tbody", null, lines))),
    h("p", { class: "small muted after" },
        "Results take it that each variant went to equally many people. Open a campaign to see how " +
        "sure its result is, or to enter how many mails were sent."));
}

/** The card; `load` promises the campaigns there are, as {rows}. */
export function variantCard(load, filters) {
    const isOne = /^\d+$/.test(filters.campaign);

    return new Card({
        title: isOne ? "A/B test" : "A/B tests",
        note: "Which version of a mail gets more people to click?",
        span: 8,
        async load(signal) {
            if (isOne)
                return stats({ ...toParams(filters), group_by: "variant" }, signal);
            const { rows } = await load();
            const campaign = filters.campaign || rows.slice(0, LISTED).map(({ key }) => key).join(",");

            return campaign === "" ? { rows: [] } : stats({ ...toParams(filters), campaign,
                group_by: "campaign,variant", limit: 1000, offset: 0 }, signal);
        },
        isEmpty: ({ rows }) => !rows.some(({ variant, key }) => (variant ?? key) !== "none"),
        empty: "No clicked link carries a variant. To test two versions of a mail, mint the links of " +
            "one with --variant A and those of the other with --variant B.",
        render({ rows }, body) {
            if (!isOne)
                drawSeveral(rows, body, filters);
            // Not while somebody types a number into it.
            else if (!body.contains(document.activeElement) || !body.querySelector("input"))
                drawOne(rows, body, { ...filters, sent: readFilters().sent });
        },
    });
}
