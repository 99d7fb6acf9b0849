// The funnel: mails sent, invoices clicked, invoices paid, of each reminder.
import { address, get } from "./api.js";
import { Card } from "./card.js";
import { TimeChart } from "./charts.js";
import { amounts, emptyFunnel, funnelParams, isEmptyFunnel, loadFunnel, missing } from "./conversions.js";
import { fill, h, table } from "./dom.js";
import { beforeName, compareParam, periodName } from "./filters.js";
import { count, duration, many, money, odds, per100, percent, share, time } from "./format.js";
import { openDialog } from "./listing.js";
import { shared } from "./overview.js";
import { judge, needed } from "./significance.js";
import { campaignName } from "./words.js";

const LISTED = 20; // invoices of a list on the page; all of them are in the file

/* --- lists: the invoices behind a number --- */

const lists = {
    clicked: ["Clicked", "A person clicked a link of the mail", "Who clicked"],
    unclicked: ["Not clicked", "Mailed, and no person has clicked a link of the mail", "Who didn’t click"],
    unpaid: ["Not paid", "Not paid, as far as events told; nor cancelled, refunded or replaced", "Who hasn’t paid"],
};

function listTable(what, data) {
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": lists[what][0] },
        table("rows small", lists[what][1], ["Invoice", "Client", "Mailed", "Last click", "State"],
            data.rows.map((row) => [String(row.object), row.client ? String(row.client) : "–",
                time(row.sent_at), time(row.last_click_at), row.state ?? "–"])));
}

function drawList(what, params, data, place) {
    fill(place,
        h("p", { class: "small muted" }, `${lists[what][1]}. Clients who opted out of tracking are not in the list.`),
        data.rows.length === 0 ? h("p", null, "No invoice is in this list.")
            : [listTable(what, data), h("p", { class: "small muted" }, data.next_page === null
                ? many(data.rows.length, "invoice") : `The first ${many(data.rows.length, "invoice")}; the file has all.`),
            h("div", { class: "actions" }, h("a", { class: "button plain small", download: `hopcount-${what}.csv`,
                href: address(`${what}.csv`, { ...params, limit: "all", for: "spreadsheet" }) }, "Download as CSV")),
            h("p", { class: "small muted" }, "New links for these, of another campaign:",
                h("code", { class: "command" }, "hopcount mint -c hopcount.yaml --batch --from-list ",
                    `hopcount-${what}.csv pay --campaign 13 > links.csv`))]);
}

/* What opens the list, in a dialog of its own. */
function listButton(what, campaign, name, filters) {
    const { brand, from, to, tz } = funnelParams(filters);
    const params = { brand, campaign, from, to, tz };

    async function open() {
        const place = h("div", { class: "stack" }, h("p", { class: "muted" }, "Loading …"));

        openDialog(`${lists[what][0]}: ${name}`, place);
        try {
            drawList(what, params, await get(what, { ...params, limit: LISTED }), place);
        } catch (error) {
            fill(place, h("p", { role: "alert" }, error.message));
        }
    }

    return h("button", { type: "button", class: "text-button", "aria-haspopup": "dialog", onclick: open },
        h("span", null, lists[what][2]), h("span", { class: "visually-hidden" }, `: ${name}`));
}

/* --- steps --- */

function hint(step) {
    return h("p", { class: "small muted after" }, missing(step));
}

/* A difference to the other period, in words that a screen reader reads, too. */
function difference(now, before, filters, show = count) {
    if (before === undefined || before === null || before === 0 || now === null)
        return null;
    const ratio = now / before - 1;
    const name = ratio > 0.0005 ? "up" : ratio < -0.0005 ? "down" : "";

    return h("span", { class: "change", title: `${show(before)} in ${beforeName(filters)}` },
        h("b", { class: name }, `${{ up: "▲ ", down: "▼ " }[name] ?? ""}${percent(Math.abs(ratio))}`),
        h("span", { class: "visually-hidden" }, { up: " more than", down: " fewer than" }[name] ?? " as in",
            ` ${beforeName(filters)}`));
}

/* `open` are the buttons that show who is behind the number. */
function step(name, value, { top, rate, was, filters, open = [] }) {
    const bar = h("i");

    bar.style.width = `${top > 0 && value ? Math.min(100, value / top * 100) : 0}%`;
    return h("li", { class: "funnel-step" },
        h("span", { class: "funnel-name" }, name),
        h("span", { class: "funnel-value" }, value === null ? "–" : count(value)),
        h("span", { class: "bar" }, bar),
        h("span", { class: "funnel-note" }, rate, was ? [" ", difference(value, was, filters)] : null),
        open.length > 0 ? h("span", { class: "funnel-note funnel-open" }, open) : null);
}

function rate(part, whole, of) {
    return whole > 0 ? `${share(part, whole)} of ${of}` : "";
}

function campaignSteps(row, before, filters) {
    const top = Math.max(row.sent ?? 0, row.clicked, row.paid);
    const name = campaignName(row.key, row.name);
    const opens = (what) => listButton(what, row.key, name, filters);

    return h("div", { class: "stage" },
        h("div", null,
            h("h3", { title: name }, name),
            h("ol", { class: "funnel", "aria-label": `Steps of ${name}` },
                step("Mailed", row.sent, { top, was: before?.sent, filters }),
                step("Clicked", row.clicked, { top, rate: rate(row.clicked, row.sent, "mails"), was: before?.clicked,
                    filters, open: [opens("clicked"), opens("unclicked")] }),
                step("Paid", row.paid, { top, rate: rate(row.paid, row.clicked, "clicked"), was: before?.paid,
                    filters, open: [opens("unpaid")] })),
            h("p", { class: "small" }, h("b", null, amounts(row.amount))),
            row.click_to_pay_s ? h("p", { class: "small muted" },
                `Half pay within ${duration(row.click_to_pay_s.median)} of the click.`) : null,
            row.sent === 0 ? hint("sent") : row.clicked === 0 ? hint("clicked")
                : row.paid === 0 ? hint("paid") : null));
}

function stepsCard(load, filters) {
    return new Card({
        title: "Step by step", span: 12, load,
        note: `The mails of this period (${periodName(filters)}), whenever they were clicked and paid. A payment ` +
            "belongs to the last link of its invoice that a person clicked before it.",
        isEmpty: isEmptyFunnel,
        empty: emptyFunnel(),
        render(data, body) {
            const before = new Map((data.previous?.rows ?? []).map((row) => [row.key, row]));

            fill(body, h("div", { class: "stages" }, data.rows.map((row) =>
                campaignSteps(row, before.get(row.key), filters))));
        },
    });
}

function figure(title, note, load, filters, read, show = count) {
    return new Card({
        title, note, load, span: 3, shape: "figure",
        render(data, body) {
            const now = read(data.total), before = data.previous ? read(data.previous.total) : null;

            fill(body, h("p", { class: "figure" }, now === null ? "–" : show(now)),
                h("p", { class: "change" }, difference(now, before, filters) ?? "\u00a0"));
        },
    });
}

function moneyCard(load, filters) {
    return new Card({
        title: "Money", note: "Paid after a click, less refunds and credit notes", load, span: 3,
        shape: "figure",
        render({ total, previous }, body) {
            const all = Object.entries(total.amount).sort((a, b) => b[1] - a[1]);

            fill(body, all.length === 0 ? h("p", { class: "figure" }, "–")
                : all.map(([currency, n], i) => h("p", { class: i === 0 ? "figure" : "small" },
                    money(n, currency))),
            h("p", { class: "change" }, previous && all.length > 0
                ? difference(all[0][1], previous.total.amount[all[0][0]], filters,
                    (n) => money(n, all[0][0])) ?? "\u00a0" : "\u00a0"));
        },
    });
}

/* --- time to pay --- */

/* Steps of the histogram are too fine to be seen: put together by what people say. */
const spans = [
    [60, "1 min"], [300, "5 min"], [900, "15 min"], [3600, "1 h"], [10800, "3 h"], [21600, "6 h"],
    [86400, "1 d"], [172800, "2 d"], [259200, "3 d"], [604800, "7 d"], [1209600, "14 d"], [2592000, "30 d"],
    [Infinity, "later"],
];

function toSpans(steps) {
    const values = spans.map(() => 0);

    for (const { from_s: from, to_s: to, n } of steps) {
        const middle = (from + to) / 2;

        values[spans.findIndex(([end]) => middle < end)] += n;
    }
    return values;
}

function timeCard(title, note, field, load) {
    const chart = new TimeChart("bar", title);

    return new Card({
        title, note, load, span: 6, shape: "plot",
        isEmpty: ({ total }) => total[field].length === 0,
        empty: missing(field === "click_to_pay" ? "paid" : "clicked"),
        close: () => chart.close(),
        render({ total }, body) {
            const spread = total[`${field}_s`];

            chart.show(body, {
                keys: spans.map(([, name]) => name), interval: "step", unit: "Invoices",
                title: "Up to …", isStated: true,
                summary: `Half within ${duration(spread.median)}, a quarter within ${
                    duration(spread.q1)}, three quarters within ${duration(spread.q3)}.`,
                series: [{ name: "Invoices", values: toSpans(total[field]), colour: "people" }],
            });
        },
    });
}

/* --- what became of payments --- */

const outcomes = {
    credited: "Credited to a click",
    no_click: "Nobody had clicked a link of the invoice",
    before_click: "The clicks came after the payment",
    too_late: "The last click was too long ago",
    opted_out: "The client must not be tracked",
    replaced: "A later payment of the same invoice took its place",
    taken_back: "Refunded, credited, or unpaid again",
};

function outcomeCard(load) {
    return new Card({
        title: "What became of payments", span: 6, load,
        note: "All payments of the period by their own date, whatever their campaign.",
        isEmpty: ({ payments }) => Object.values(payments).every(({ n }) => n === 0),
        empty: missing("paid"),
        render({ payments }, body) {
            const rows = Object.entries(payments).filter(([, { n }]) => n !== 0)
                .map(([key, { n, amount }]) => [outcomes[key] ?? key, count(n), amounts(amount)]);

            fill(body, h("div", { class: "scroll", tabindex: "0", role: "region",
                "aria-label": "Table of payments" },
            table("rows small", "Payments by what became of them", ["Payments", "Number", "Money"], rows)));
        },
    });
}

/* --- A/B --- */

function variantTestCard(filters) {
    const load = async (signal) => get("funnel", { ...funnelParams(filters),
        group_by: "campaign,variant" }, signal);

    return new Card({
        title: "A/B tests by payments", span: 6, load,
        note: "Which version of a mail gets more invoices paid, and which gets more clicked?",
        isEmpty: ({ rows }) => !rows.some(({ variant }) => variant !== "none"),
        empty: h("span", null, "No mail of this period carries a variant. Send two versions of a mail, mint the " +
            "links of one with --variant A and those of the other with --variant B, and tell of the mails with " +
            "the same letter."),
        render({ rows }, body) {
            const tests = new Map();

            for (const row of rows.filter(({ variant }) => variant !== "none"))
                tests.set(row.campaign, [...tests.get(row.campaign) ?? [], row]);
            fill(body, [...tests.values()].map(variantTest));
        },
    });
}

const goals = {
    paid: { what: "invoices paid", more: "gets more invoices paid" },
    clicked: { what: "invoices clicked", more: "gets more invoices clicked" },
};

function variantTest(rows) {
    const name = campaignName(rows[0].campaign, rows[0].name);

    rows.sort((a, b) => (a.variant < b.variant ? -1 : 1));
    return h("div", { class: "stack after" },
        h("h3", null, name),
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Variants of ${name}` },
            table("rows small", `Variants of ${name}`, ["Variant", "Mailed", "Clicked", "Paid", "Paid per 100"],
                rows.map(({ variant, sent, clicked, paid }) => [variant, count(sent), count(clicked),
                    count(paid), sent > 0 ? per100(paid / sent) : "–"]))),
        Object.keys(goals).map((goal) => verdict(rows.map((row) =>
            ({ name: row.variant, clicks: row[goal], sent: row.sent })), goals[goal])));
}

function verdict(variants, goal) {
    return h("div", { class: "statement" }, h("p", null, conclude(variants, goal)),
        h("p", { class: "small muted" }, sampleSize(variants, goal)));
}

/** Which variant gets more of the goal, and how sure that is. */
function conclude(variants, { what, more }) {
    const { verdict: judged, leader, by, pairs } = judge(variants);

    if (judged === "one")
        return `Only one variant was mailed or has ${what}: there is nothing to compare it with.`;
    if (judged === "few")
        return [h("strong", null, "Too early to tell. "), `With fewer than 20 ${what}, chance decides.`];
    const [{ other, p }] = pairs;
    const of = (one) => (by === "share" ? `${per100(one.clicks / one.sent)} ${what} per 100 mails`
        : `${count(one.clicks)} ${what}`);
    const rest = `${leader.name} got ${of(leader)}, ${other.name} ${of(other)}. If they worked equally well, ` +
        `chance alone would make a difference like this ${odds(p)}.`;

    return [h("strong", null, judged === "clear" ? `Variant ${leader.name} ${more}. `
        : `No winner yet by ${what}. `), rest];
}

/* How many mails it takes to see a difference that matters. */
function sampleSize(variants, { what }) {
    const sent = variants.map((one) => one.sent);

    if (variants.length < 2 || sent.some((n) => !n))
        return "Tell how many mails each variant had, and the result takes that into account.";
    const rateNow = variants.reduce((sum, { clicks }) => sum + clicks, 0) / sent.reduce((a, b) => a + b, 0);
    const least = Math.min(...sent);

    if (rateNow <= 0 || rateNow * 1.2 >= 1)
        return `Each variant had at least ${many(least, "mail")}.`;
    const n = needed(rateNow, rateNow * 1.2);

    return `Each variant had at least ${many(least, "mail")}. To be likely to see one that gets a fifth more ` +
        `${what} than ${per100(rateNow)} per 100, each needs about ${count(n)}.`;
}

export function funnel(context, filters) {
    const load = shared(loadFunnel(filters, { group_by: "campaign", compare: compareParam(filters), limit: 500 }));

    return {
        title: "Funnel",
        intro: "Which reminder gets paid: of the mails sent, how many were clicked, how many paid, and how fast.",
        filters: true,
        csvPath: "funnel",
        csv: { ...funnelParams(filters), group_by: "campaign" },
        cards: [
            figure("Mailed", "Mails that were told of", load, filters, ({ sent }) => sent),
            figure("Clicked", "Invoices that a person clicked, once a campaign", load, filters,
                ({ clicked }) => clicked),
            figure("Paid", "Invoices paid after a click, once a campaign", load, filters, ({ paid }) => paid),
            moneyCard(load, filters),
            stepsCard(load, filters),
            timeCard("From click to payment", "How long people take to pay once they have clicked.",
                "click_to_pay", load),
            timeCard("From mail to click", "How long it takes until an invoice is clicked first.",
                "sent_to_click", load),
            variantTestCard(filters),
            outcomeCard(load),
        ],
    };
}
