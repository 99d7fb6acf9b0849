// The pages that links lead to: which answer, which don't, and how it was before.
import { get } from "./api.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { ago, count, many, seconds, time } from "./format.js";
import { once } from "./overview.js";
import { faultSentence } from "./sentences.js";
import { t } from "./texts.js";

const SOON_DAYS = 14; // that a certificate is still good for
const STRIP_MAX = 60; // looks that fit beside each other on a phone

const ways = { direct: t("targets.directly"), link: t("targets.by_a_link") };
const found = { up: ["good", t("targets.answers")], later: ["warn", t("targets.later")], down: ["bad", t("targets.fails")] };

/* What stands in the first column of a page's state: [class, word]. */
function stateOf(target) {
    if (target.state === "up" && target.verdict === "down")
        return ["warn", t("targets.failing", { n: target.failures })];
    return { up: ["good", t("targets.answers")], down: ["bad", t("targets.down")], unchecked: ["", t("targets.not_looked_at_yet")],
        unknown: ["warn", target.verdict === "down" ? t("targets.failing", { n: target.failures }) : t("targets.unknown")],
    }[target.state];
}

function tag([grade, word]) {
    return h("span", { class: `tag ${grade}` }, word);
}

function answer({ status, time_ms: ms, why }) {
    if (why)
        return faultSentence(why);
    return status === null ? "–" : t("targets.status", { status: String(status), time: ms < 1000 ? `${count(ms)} ms` : seconds(ms / 1000) });
}

function certificate({ certificate_days: days }) {
    if (days === null)
        return "–";
    return days < 0 ? tag(["bad", t("targets.expired")]) : days < SOON_DAYS ? tag(["warn", many(days, "day")])
        : many(days, "day");
}

const order = { down: 0, unknown: 1, unchecked: 2, up: 3 };

/* What is wrong comes first. */
function looked(targets) {
    const rank = (target) => (target.state === "up" && target.verdict !== "up" ? 1 : order[target.state]);

    return targets.filter(({ state }) => state !== "no_sample").sort((a, b) => rank(a) - rank(b));
}

function name(target, withBrand) {
    return withBrand ? `${target.brand}: ${target.target}` : target.target;
}

/* --- how it is --- */

function verdict({ targets, every_s: every }) {
    const seen = looked(targets), down = seen.filter(({ state }) => state === "down");
    const open = seen.filter(({ state }) => state === "unknown" || state === "unchecked").length;
    const [grade, bold, rest] = seen.length === 0
        ? ["warn", t("targets.no_samples"), t("targets.every_kind_needs_a")]
        : down.length > 0 ? ["bad", t("targets.are_down", { n: down.length, of: seen.length }),
            t("targets.people_who_click_such")]
            : open > 0 ? ["warn", t("targets.open", { n: open }), t("targets.all_others_answer")]
                : ["good", t("targets.all_answer"), t("targets.each_was_asked_directly")];

    return h("p", { class: `pill large ${grade}` },
        h("span", null, h("strong", null, bold), " ", rest, " ", t("targets.every", { time: seconds(every) })));
}

/* --- switched off --- */

function howTo(brands) {
    const brand = brands[0]?.name ?? "acme";

    return h("div", { class: "stack" },
        h("strong", null, t("targets.the_pages_that_links")),
        h("span", null, t("targets.put_this_into_the")),
        h("pre", { class: "example" }, h("code", null,
            `checks:\n  every_s: 3600\n  samples:\n    - brand: ${brand}\n      kind: pay\n      object: 1234\n`)));
}

/* --- the list --- */

function row(target, withBrand, choose) {
    const below = (...text) => h("span", { class: "small muted below" }, ...text);
    const since = target.since && target.state === "down" ? t("targets.since", { at: time(target.since) }) : "";

    return h("tr", null,
        h("th", { scope: "row" }, `${name(target, withBrand)}, ${ways[target.way]}`, below(target.url)),
        h("td", null, tag(stateOf(target)), since, below(answer(target)),
            (target.redirects ?? []).map(({ status, to }) => below(t("targets.redirect", { status: String(status), to })))),
        h("td", { class: "number" }, target.checked_at ? ago(target.checked_at) : "–"),
        h("td", { class: "number" }, certificate(target)),
        h("td", { class: "number" }, h("button", { class: "button plain small", type: "button",
            onclick: () => choose(target), "aria-label": t("targets.history_of", { page: name(target, withBrand), way: ways[target.way] }) },
        t("targets.history"))));
}

function list({ targets }, withBrand, choose) {
    const left = targets.filter(({ state }) => state === "no_sample");

    return [h("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": t("targets.table_of_pages") },
        h("table", { class: "rows small targets" },
            h("caption", { class: "visually-hidden" }, t("targets.pages_that_links_lead")),
            h("thead", null, h("tr", null,
                [t("targets.page"), t("targets.state_and_last_answer")].map((text) => h("th", { scope: "col" }, text)),
                [t("targets.last_look"), t("targets.certificate")].map((text) => h("th", { scope: "col", class: "number" }, text)),
                h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, t("targets.earlier"))))),
            h("tbody", null, looked(targets).map((target) => row(target, withBrand, choose))))),
    left.length > 0 ? h("p", { class: "small muted after" }, t("targets.not_looked_at_for", { pages: left.map((target) => name(target, withBrand)).join(", ") })) : null];
}

/* What is an element for the page's language, as text. */
function plain(said) {
    return said instanceof Node ? said.textContent : said;
}

/* --- one page, and how it was --- */

function strip(history) {
    const shown = history.slice(0, STRIP_MAX).reverse();
    const n = (verdict) => shown.filter((look) => look.verdict === verdict).length;

    return h("div", { class: "looks", role: "img",
        "aria-label": t("targets.of_the_last_it", { number: many(shown.length, "look"), up: n("up"), down: n("down"), later: n("later") }) },
    shown.map((look) => h("i", { class: look.verdict, title: `${time(look.checked_at)}: ${answer(look)}` })));
}

function story(target) {
    if (target.history.length === 0)
        return h("p", { class: "empty" }, t("targets.it_was_not_looked"));
    return [strip(target.history), h("div", { class: "scroll after", tabindex: "0", role: "region",
        "aria-label": t("targets.table_of_looks") },
    h("table", { class: "rows small" },
        h("caption", { class: "visually-hidden" }, t("targets.looks_the_newest_first")),
        h("thead", null, h("tr", null, [t("targets.when"), t("targets.found"), t("targets.answer")].map((text) =>
            h("th", { scope: "col" }, text)), h("th", { scope: "col", class: "number" }, t("targets.redirects")))),
        h("tbody", null, target.history.map((look) => h("tr", null,
            h("th", { scope: "row" }, time(look.checked_at)), h("td", null, tag(found[look.verdict])),
            h("td", { class: "wide" }, answer(look)),
            h("td", { class: "number" }, count(look.redirects.length)))))))];
}

export function targets({ brands }, { kind }) {
    const withBrand = brands.length > 1;
    let chosen = null;
    const isOff = ({ enabled }) => !enabled;
    const load = once(async () => {
        const data = await get("targets");

        if (kind)
            data.targets = data.targets.filter((target) => kind.split(",").includes(target.kind));

        pages.element.hidden = isOff(data);
        return data;
    });
    const history = new Card({
        title: t("targets.history"), note: t("targets.the_newest_hundred_looks"), span: 12,
        load: (signal) => (chosen ? get(`targets/${chosen.id}`, {}, signal) : Promise.resolve(null)),
        isEmpty: (target) => target === null, empty: "",
        table: (target) => [[t("targets.when"), t("targets.found"), t("targets.answer"), t("targets.redirects")],
            ...target.history.map((look) => [look.checked_at, found[look.verdict][1], plain(answer(look)), look.redirects.length])],
        render: (target, body) => fill(body,
            h("p", null, h("b", null, name(target, withBrand)), `, ${ways[target.way]}`,
                target.must_contain ? t("targets.it_must_say", { text: target.must_contain }) : ""), story(target)),
    });
    const choose = async (target) => {
        chosen = target;
        history.element.hidden = false;
        await history.refresh();
        history.element.scrollIntoView({ block: "nearest" });
    };
    const pages = new Card({ title: t("common.pages"), span: 12, load,
        note: t("targets.asked_directly_and_by"),
        isEmpty: isOff, empty: t("targets.none_is_watched"),
        table: (data) => [[t("common.brand"), t("targets.page"), t("targets.way"), "URL", t("common.state"), t("targets.answer"),
            t("targets.last_look"), t("targets.certificate_days")], ...looked(data.targets).map((target) => [target.brand, target.target,
            ways[target.way], target.url, stateOf(target)[1], plain(answer(target)), target.checked_at, target.certificate_days])],
        render: (data, body) => fill(body, list(data, withBrand, choose)) });
    const cards = [
        new Card({ title: t("common.state"), span: 12, load, isEmpty: isOff, empty: howTo(brands),
            render: (data, body) => fill(body, verdict(data)) }),
        pages, history,
    ];

    pages.element.hidden = history.element.hidden = true; // until they are known to be of use
    return {
        title: t("common.targets"), intro: t("targets.the_pages_that_links_2"),
        filters: false, cards, everyMs: 10000,
    };
}
