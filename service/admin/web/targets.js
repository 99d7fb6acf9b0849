// The pages that links lead to: which answer, which don't, and how it was before.
import { get } from "./api.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { ago, count, many, seconds, time } from "./format.js";
import { shared } from "./overview.js";

const SOON_DAYS = 14; // that a certificate is still good for
const STRIP_MAX = 60; // looks that fit beside each other on a phone

const ways = { direct: "directly", link: "by a link" };
const found = { up: ["good", "answers"], later: ["warn", "tells nothing"], down: ["bad", "fails"] };

/* What stands in the first column of a page's state: [class, word]. */
function stateOf(target) {
    if (target.state === "up" && target.verdict === "down")
        return ["warn", `failing, ${many(target.failures, "time")}`];
    return { up: ["good", "answers"], down: ["bad", "down"], unchecked: ["", "not looked at yet"],
        unknown: ["warn", target.verdict === "down" ? `failing, ${many(target.failures, "time")}` : "unknown"],
    }[target.state];
}

function tag([grade, word]) {
    return h("span", { class: `tag ${grade}` }, word);
}

function answer({ status, time_ms: ms, why }) {
    if (why)
        return why;
    return status === null ? "–" : `${status} in ${ms < 1000 ? `${count(ms)} ms` : seconds(ms / 1000)}`;
}

function certificate({ certificate_days: days }) {
    if (days === null)
        return "–";
    return days < 0 ? tag(["bad", "expired"]) : days < SOON_DAYS ? tag(["warn", many(days, "day")])
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
        ? ["warn", "Nothing can be looked at. ", "Every kind needs a sample in checks.samples."]
        : down.length > 0 ? ["bad", `${down.length === 1 ? "A page is down. " : `${down.length} of ${seen.length} are down. `}`,
            "People who click such a link don’t get to their page."]
            : open > 0 ? ["warn", `Of ${many(open, "page")} nothing is known yet. `, "All others answer."]
                : ["good", "All pages answer. ", "Each was asked directly and by a link that isn’t counted."];

    return h("p", { class: `pill large ${grade}` },
        h("span", null, h("strong", null, bold), rest, ` A page is asked again every ${seconds(every)}.`));
}

/* --- switched off --- */

function howTo(brands) {
    const brand = brands[0]?.name ?? "acme";

    return h("div", { class: "stack" },
        h("strong", null, "The pages that links lead to aren’t watched."),
        h("span", null, "Put this into the configuration, with an invoice that exists, and restart hopcountd. It " +
            "then asks every page once an hour, and says here which don’t answer."),
        h("pre", { class: "example" }, h("code", null,
            `checks:\n  every_s: 3600\n  samples:\n    - brand: ${brand}\n      kind: pay\n      object: 1234\n`)));
}

/* --- the list --- */

function row(target, withBrand, choose) {
    const below = (...text) => h("span", { class: "small muted below" }, ...text);
    const since = target.since && target.state === "down" ? ` since ${time(target.since)}` : "";

    return h("tr", null,
        h("th", { scope: "row" }, `${name(target, withBrand)}, ${ways[target.way]}`, below(target.url)),
        h("td", null, tag(stateOf(target)), since, below(answer(target)),
            (target.redirects ?? []).map(({ status, to }) => below(`${status} to ${to}`))),
        h("td", { class: "number" }, target.checked_at ? ago(target.checked_at) : "–"),
        h("td", { class: "number" }, certificate(target)),
        h("td", { class: "number" }, h("button", { class: "button plain small", type: "button",
            onclick: () => choose(target), "aria-label": `History of ${name(target, withBrand)}, ${ways[target.way]}` },
        "History")));
}

function list({ targets }, withBrand, choose) {
    const left = targets.filter(({ state }) => state === "no_sample");

    return [h("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Table of pages" },
        h("table", { class: "rows small targets" },
            h("caption", { class: "visually-hidden" }, "Pages that links lead to"),
            h("thead", null, h("tr", null,
                ["Page", "State and last answer"].map((text) => h("th", { scope: "col" }, text)),
                ["Last look", "Certificate"].map((text) => h("th", { scope: "col", class: "number" }, text)),
                h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "Earlier")))),
            h("tbody", null, looked(targets).map((target) => row(target, withBrand, choose))))),
    left.length > 0 ? h("p", { class: "small muted after" }, `Not looked at, for checks.samples has none for them: ${
        left.map((target) => name(target, withBrand)).join(", ")}.`) : null];
}

/* --- one page, and how it was --- */

function strip(history) {
    const shown = history.slice(0, STRIP_MAX).reverse();
    const n = (verdict) => shown.filter((look) => look.verdict === verdict).length;

    return h("div", { class: "looks", role: "img",
        "aria-label": `Of the last ${many(shown.length, "look")} it answered ${count(n("up"))}, failed ${
            count(n("down"))}, and ${count(n("later"))} told nothing.` },
    shown.map((look) => h("i", { class: look.verdict, title: `${time(look.checked_at)}: ${answer(look)}` })));
}

function story(target) {
    if (target.history.length === 0)
        return h("p", { class: "empty" }, "It was not looked at yet.");
    return [strip(target.history), h("div", { class: "scroll after", tabindex: "0", role: "region",
        "aria-label": "Table of looks" },
    h("table", { class: "rows small" },
        h("caption", { class: "visually-hidden" }, "Looks, the newest first"),
        h("thead", null, h("tr", null, ["When", "Found", "Answer"].map((text) =>
            h("th", { scope: "col" }, text)), h("th", { scope: "col", class: "number" }, "Redirects"))),
        h("tbody", null, target.history.map((look) => h("tr", null,
            h("th", { scope: "row" }, time(look.checked_at)), h("td", null, tag(found[look.verdict])),
            h("td", { class: "wide" }, answer(look)),
            h("td", { class: "number" }, count(look.redirects.length)))))))];
}

export function targets({ brands }) {
    const withBrand = brands.length > 1;
    let chosen = null;
    const isOff = ({ enabled }) => !enabled;
    const load = shared(async () => {
        const data = await get("targets");

        pages.element.hidden = isOff(data);
        return data;
    });
    const history = new Card({
        title: "History", note: "The newest hundred looks", span: 12,
        load: (signal) => (chosen ? get(`targets/${chosen.id}`, {}, signal) : Promise.resolve(null)),
        isEmpty: (target) => target === null, empty: "",
        render: (target, body) => fill(body,
            h("p", null, h("b", null, name(target, withBrand)), `, ${ways[target.way]}`,
                target.must_contain ? `; it must say “${target.must_contain}”` : ""), story(target)),
    });
    const choose = async (target) => {
        chosen = target;
        history.element.hidden = false;
        await history.refresh();
        history.element.scrollIntoView({ block: "nearest" });
    };
    const pages = new Card({ title: "Pages", span: 12, load,
        note: "Asked directly, and by a link of its own that isn’t counted",
        isEmpty: isOff, empty: "None is watched.",
        render: (data, body) => fill(body, list(data, withBrand, choose)) });
    const cards = [
        new Card({ title: "State", span: 12, load, isEmpty: isOff, empty: howTo(brands),
            render: (data, body) => fill(body, verdict(data)) }),
        pages, history,
    ];

    pages.element.hidden = history.element.hidden = true; // until they are known to be of use
    return {
        title: "Targets", intro: "The pages that links lead to: do they still answer?",
        filters: false, cards, everyMs: 10000,
    };
}
