// A/B tests: the variants of a campaign, and the conclusion in a sentence.
import { stats } from "./api.js";
import { changeBelow, difference } from "./bars.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { addressOf, beforeName, compareParam, readFilters, readView, toParams } from "./filters.js";
import { picker } from "./overview.js";
import { count, many, odds, percent, per100 } from "./format.js";
import { judge, wilson } from "./significance.js";
import { t } from "./texts.js";
import { campaignName, valueName } from "./words.js";

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
        return t(difference === 0 ? "variants.rates" : low > 0 ? "variants.rates_sure" : "variants.rates_open", {
            leader: leader.name, best: per100(leader.clicks / leader.sent), other: other.name,
            rest: per100(other.clicks / other.sent), low: per100(Math.abs(low)), high: per100(high) });
    if (leader.clicks === other.clicks)
        return t("variants.each", { leader: leader.name, other: other.name, clicks: many(leader.clicks, "click") });
    if (other.clicks === 0)
        return t("variants.other_none", { leader: leader.name, other: other.name, clicks: many(leader.clicks, "click") });
    return t(low > 1 ? "variants.more_sure" : "variants.more", { leader: leader.name, other: other.name,
        clicks: many(leader.clicks, "click"), rest: other.clicks, more: percent(ratio - 1),
        low: percent(low - 1), high: percent(high - 1) });
}

function conclusion(result) {
    const [{ p, other }] = result.pairs;
    const all = result.pairs.length > 1 ? t("variants.all")
        : t("variants.and", { a: [result.leader.name, other.name].sort()[0], b: [result.leader.name, other.name].sort()[1] });

    switch (result.verdict) {
    case "few":
        return [t("variants.few"),
            t("variants.with_fewer_than_20")];
    case "clear":
        return [t("variants.winner", { name: result.leader.name }),
            `${lead(result)} ${t("variants.chance", { all, odds: odds(p) })}`];
    default:
        return [t("variants.open"),
            `${lead(result)} ${t("variants.chance_open", { all, odds: odds(p) })}`];
    }
}

/* The assumptions of the sentence. */
function caveat({ by }, variants) {
    const known = variants.filter(({ sent }) => sent > 0);

    if (by === "share")
        return "";
    if (variants.some(({ clicks, sent }) => sent > 0 && clicks > sent))
        return t("variants.a_variant_has_more");
    if (known.length > 0)
        return t("variants.enter_the_mails_of");
    return t("variants.this_takes_it_that");
}

const fineprint = t("variants.only_clicks_by_people");

function statement(variants) {
    const result = judge(variants);

    if (result.verdict === "one")
        return h("p", { class: "statement" }, t("variants.only_one_variant_was"));
    const [bold, rest] = conclusion(result);
    const warning = caveat(result, variants);

    return [
        h("div", { class: `statement${result.verdict === "clear" ? " clear" : ""}` },
            h("p", null, h("strong", null, bold), " ", rest),
            warning ? h("p", { class: "small muted" }, warning) : null),
        h("details", { class: "data" }, h("summary", null, t("variants.what_this_test_can")),
            h("p", { class: "small muted" }, fineprint)),
    ];
}

/* --- one test --- */

function rate({ clicks, sent }) {
    if (!sent)
        return "–";
    if (clicks > sent)
        return t("variants.over_100", { most: percent(1) });
    const { low, high } = wilson(clicks, sent);

    return h("span", { title: t("variants.most_likely_between_and", { low: percent(low), high: percent(high) }) },
        percent(clicks / sent));
}

function row(variant, { all, filters }, change) {
    const rateCell = h("td", { class: "number" }, rate(variant));
    const input = h("input", {
        class: "input sent number", type: "number", min: "0", max: "999999999", inputmode: "numeric",
        placeholder: "–", value: variant.sent ?? "",
        "aria-label": t("variants.mails_sent_with_variant", { name: variant.name }),
        oninput: (event) => {
            variant.sent = Math.min(999999999,
                Math.max(0, Math.floor(Number(event.target.value) || 0)));
            fill(rateCell, rate(variant));
            change();
        },
    });

    return h("tr", null,
        h("th", { scope: "row" }, picker(filters, "variant", variant.name, "campaigns")?.() ?? t("common.variant_2", { variant: variant.name })),
        h("td", { class: "number" }, count(variant.clicks), changeBelow(variant.clicks, variant.before, beforeName(filters))),
        h("td", { class: "number wide-only" }, difference(variant.clicks, variant.before, beforeName(filters))),
        h("td", { class: "number muted wide-only" }, all > 0 ? percent(variant.clicks / all) : "–"),
        h("td", { class: "number" }, input),
        rateCell);
}

function head() {
    const column = (name, type) => h("th", { scope: "col", class: type }, name);

    return h("thead", null, h("tr", null, column(t("common.variant")), column(t("common.clicks"), "number"),
        column(t("common.change"), "number wide-only"), column(t("common.share"), "number wide-only"), column(t("common.mails_sent"), "number"),
        column(t("variants.click_rate"), "number")));
}

function drawOne({ rows, previous }, body, filters) {
    const sent = readSent(filters);
    const before = previous && new Map(previous.rows.map((one) => [one.key, one.human]));
    const variants = rows.filter(({ variant, key }) => (variant ?? key) !== "none")
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map((one) => ({ name: one.key, clicks: one.human, sent: sent[one.key], before: before ? before.get(one.key) ?? 0 : undefined }));
    const all = variants.reduce((sum, { clicks }) => sum + clicks, 0);
    const verdict = h("div", { "aria-live": "polite" }, statement(variants));
    const change = () => {
        for (const variant of variants)
            sent[variant.name] = variant.sent;
        keepSent(sent);
        fill(verdict, statement(variants));
    };

    fill(body,
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("variants.table_of_variants") },
            h("table", { class: "rows plain" },
                h("caption", { class: "visually-hidden" }, t("variants.variants_and_their_clicks")),
                head(),
                h("tbody", null, variants.map((variant) => row(variant, { all, filters }, change))))),
        verdict);
}

/* --- tests of several campaigns, each on its own, because their sums would prove nothing --- */

const verdicts = {
    one: [t("variants.nothing_to_compare"), ""],
    few: [t("variants.too_early_to_tell"), ""],
    open: [t("variants.no_winner_yet"), ""],
};

function drawSeveral({ rows, previous }, body, filters) {
    const tests = new Map();
    const before = new Map();

    for (const { campaign, variant, human } of previous?.rows ?? [])
        before.set(campaign, (before.get(campaign) ?? 0) + (variant === "none" ? 0 : human));

    for (const one of rows.filter(({ variant }) => variant !== "none"))
        tests.set(one.campaign, [...tests.get(one.campaign) ?? [],
            { name: one.variant, clicks: one.human, label: campaignName(one.campaign, one.name) }]);
    const lines = [...tests].sort(([a], [b]) => a - b).map(([campaign, variants]) => {
        const { verdict, leader } = judge(variants);
        const [text, grade] = verdicts[verdict] ?? [t("variants.better", { name: leader.name }), "good"];

        return h("tr", null,
            h("th", { scope: "row" }, h("a", { "data-view": "campaigns",
                href: addressOf("campaigns", { ...filters, campaign, sent: "" }) },
            variants[0].label)),
            h("td", null, variants.sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ name, clicks }) =>
                `${name}\u00a0${count(clicks)}`).join(" · ")),
            h("td", { class: "number" }, difference(variants.reduce((sum, { clicks }) => sum + clicks, 0),
                previous ? before.get(campaign) ?? 0 : undefined, beforeName(filters))),
            h("td", null, h("span", { class: `tag ${grade}` }, text)));
    });

    fill(body, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("variants.table_of_a_b") },
        h("table", { class: "rows" },
            h("caption", { class: "visually-hidden" }, t("variants.a_b_tests")),
            h("thead", null, h("tr", null, [[t("common.campaign")], [t("common.peoples_clicks")], [t("common.change"), "number"],
                [t("variants.result")]].map(([text, type]) => h("th", { scope: "col", class: type }, text)))),
            h("tbody", null, lines))),
    h("p", { class: "small muted after" },
        t("variants.results_take_it_that")));
}

/** The card; `load` promises the campaigns there are, as {rows}. */
export function variantCard(load, filters) {
    const isOne = /^\d+$/.test(filters.campaign);

    return new Card({
        title: isOne ? t("variants.a_b_test") : t("variants.a_b_tests"),
        note: t("variants.which_version_of_a"),
        span: 8,
        async load(signal) {
            if (isOne)
                return stats({ ...toParams(filters), group_by: "variant", compare: compareParam(filters) }, signal);
            const { rows } = await load();
            const campaign = filters.campaign || rows.slice(0, LISTED).map(({ key }) => key).join(",");

            return campaign === "" ? { rows: [] } : stats({ ...toParams(filters), campaign,
                group_by: "campaign,variant", compare: compareParam(filters), limit: 1000, offset: 0 }, signal);
        },
        isEmpty: ({ rows }) => !rows.some(({ variant, key }) => (variant ?? key) !== "none"),
        table: ({ rows }) => [[t("common.campaign"), t("common.variant"), t("common.peoples_clicks")], ...rows.map((row) =>
            [isOne ? Number(filters.campaign) : campaignName(row.campaign, row.name), valueName("variant", row.variant ?? row.key), row.human])],
        empty: t("variants.no_clicked_link_carries"),
        render(data, body) {
            if (!isOne)
                drawSeveral(data, body, filters);
            // Not while somebody types a number into it.
            else if (!body.contains(document.activeElement) || !body.querySelector("input"))
                drawOne(data, body, { ...filters, sent: readFilters().sent });
        },
    });
}
