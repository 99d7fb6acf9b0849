// The funnel: mails sent, invoices clicked, invoices paid, of each reminder.
import { address, get } from "./api.js";
import { Card } from "./card.js";
import { TimeChart } from "./charts.js";
import { amounts, emptyFunnel, funnelParams, isEmptyFunnel, loadFunnel, missing } from "./conversions.js";
import { fill, h, table } from "./dom.js";
import { beforeName, periodName } from "./filters.js";
import { count, duration, many, money, odds, per100, percent, share } from "./format.js";
import { shared } from "./overview.js";
import { judge, needed } from "./significance.js";
import { campaignName } from "./words.js";

const LISTED = 20; // invoices of a list on the page; all of them are in the file

/* --- steps --- */

function hint(step) {
    const [what, how] = missing[step];

    return h("p", { class: "small muted" }, h("strong", null, what), " ", how);
}

/* A difference to the period before, in words that a screen reader reads, too. */
function difference(now, before, filters) {
    if (before === undefined || before === null || before === 0 || now === null)
        return null;
    const ratio = now / before - 1;
    const name = ratio > 0.0005 ? "up" : ratio < -0.0005 ? "down" : "";

    return h("span", { class: "change", title: `${count(before)} in ${beforeName(filters)}` },
        h("b", { class: name }, `${{ up: "▲ ", down: "▼ " }[name] ?? ""}${percent(Math.abs(ratio))}`),
        h("span", { class: "visually-hidden" }, { up: " more than", down: " fewer than" }[name] ?? " as in",
            ` ${beforeName(filters)}`));
}

function step(name, value, top, rate, was, filters) {
    const bar = h("i");

    bar.style.width = `${top > 0 && value ? Math.min(100, value / top * 100) : 0}%`;
    return h("li", { class: "funnel-step" },
        h("span", { class: "funnel-name" }, name),
        h("span", { class: "funnel-value" }, value === null ? "–" : count(value)),
        h("span", { class: "bar" }, bar),
        h("span", { class: "funnel-note" }, rate, was ? [" ", difference(value, was, filters)] : null));
}

function rate(part, whole, of) {
    return whole > 0 ? `${share(part, whole)} of ${of}` : "";
}


function campaignSteps(row, before, filters) {
    const top = Math.max(row.sent ?? 0, row.clicked, row.paid);
    const name = campaignName(row.key, row.name);

    return h("div", { class: "stage" },
        h("div", null,
            h("h3", null, name),
            h("ol", { class: "funnel", "aria-label": `Steps of ${name}` },
                step("Mailed", row.sent, top, "", before?.sent, filters),
                step("Clicked", row.clicked, top, rate(row.clicked, row.sent, "mails"), before?.clicked, filters),
                step("Paid", row.paid, top, rate(row.paid, row.clicked, "clicked"), before?.paid, filters)),
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
                ? difference(all[0][1], previous.total.amount[all[0][0]], filters) : "\u00a0"));
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
        empty: h("span", null, missing[field === "click_to_pay" ? "paid" : "clicked"].join(" ")),
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
        empty: h("span", null, missing.paid.join(" ")),
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
        note: "Which version of a mail gets more invoices paid, not only clicked?",
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

function variantTest(rows) {
    const name = campaignName(rows[0].campaign, rows[0].name);
    const variants = rows.map(({ variant, paid, sent }) => ({ name: variant, clicks: paid, sent }));

    return h("div", { class: "stack after" },
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Variants of ${name}` },
            table("rows small", `Variants of ${name}`, [name, "Mailed", "Clicked", "Paid", "Paid per 100 mails"],
                rows.map(({ variant, sent, clicked, paid }) => [`Variant ${variant}`, count(sent), count(clicked),
                    count(paid), sent > 0 ? per100(paid / sent) : "–"]))),
        h("div", { class: "statement" }, h("p", null, conclude(variants)),
            h("p", { class: "small muted" }, sampleSize(variants))));
}

/* Which variant gets more invoices paid, and how sure that is. */
function conclude(variants) {
    const { verdict, leader, by, pairs } = judge(variants);

    if (verdict === "one")
        return "Only one variant was mailed or paid: there is nothing to compare it with.";
    if (verdict === "few")
        return [h("strong", null, "Too early to tell. "), "With fewer than 20 invoices paid, chance decides."];
    const [{ other, p }] = pairs;
    const of = (one) => (by === "share" ? `${per100(one.clicks / one.sent)} invoices paid per 100 mails`
        : many(one.clicks, "invoice"));
    const rest = `${leader.name} got ${of(leader)}, ${other.name} ${of(other)}. If they worked equally well, ` +
        `chance alone would make a difference like this ${odds(p)}.`;

    return [h("strong", null, verdict === "clear" ? `Variant ${leader.name} gets more invoices paid. `
        : "No winner yet. "), rest];
}

/* How many mails it takes to see a difference that matters. */
function sampleSize(variants) {
    const sent = variants.map((one) => one.sent);

    if (variants.length < 2 || sent.some((n) => !n))
        return "Tell how many mails each variant had, and the result takes that into account.";
    const rateNow = variants.reduce((sum, { clicks }) => sum + clicks, 0) / sent.reduce((a, b) => a + b, 0);
    const least = Math.min(...sent);

    if (rateNow <= 0 || rateNow >= 1)
        return `Each variant had at least ${many(least, "mail")}.`;
    const n = needed(rateNow, rateNow * 1.2);

    return `Each variant had at least ${many(least, "mail")}. To be likely to see one that gets a fifth more ` +
        `invoices paid than ${per100(rateNow)} per 100, each needs about ${count(n)}.`;
}

/* --- lists --- */

const lists = {
    clicked: ["Clicked", "A person clicked a link of the mail"],
    unclicked: ["Not clicked", "Mailed, and no person has clicked a link of the mail"],
    unpaid: ["Not paid", "Not paid, as far as events told; nor cancelled, refunded or replaced"],
};

function listLink(what, params) {
    return h("a", { class: "button plain small", download: `hopcount-${what}.csv`,
        href: address(`${what}.csv`, { ...params, limit: "all", for: "spreadsheet" }) }, "Download as CSV");
}

function listTable(what, data) {
    const when = (text) => (text ? new Date(text).toLocaleString(undefined,
        { dateStyle: "medium", timeStyle: "short" }) : "–");

    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": lists[what][0] },
        table("rows small", lists[what][1], ["Invoice", "Client", "Mailed", "Last click", "State"],
            data.rows.map((row) => [String(row.object), row.client ? String(row.client) : "–",
                when(row.sent_at), when(row.last_click_at), row.state ?? "–"])));
}

function listsCard(load, filters) {
    let shown = "unpaid", campaign = filters.campaign.split(",")[0];

    const card = new Card({
        title: "Who is left", span: 12,
        note: "The invoices behind the numbers, of one campaign. Clients who opted out of tracking are not in them.",
        async load(signal) {
            const { rows } = await load();

            if (!rows.some(({ key }) => key === campaign))
                campaign = rows.find(({ key }) => key !== "0")?.key ?? rows[0]?.key ?? "";
            if (campaign === "")
                return { rows, list: null };
            const { brand, from, to, tz } = funnelParams(filters);
            const params = { brand, campaign, from, to, tz };

            return { rows, params, list: await get(shown, { ...params, limit: LISTED }, signal) };
        },
        isEmpty: ({ list }) => !list,
        empty: emptyFunnel(),
        render({ rows, params, list }, body) {
            const focused = body.contains(document.activeElement) && document.activeElement.dataset.key;
            const pick = (label, value, options, take) => h("label", { class: "field" },
                h("span", { class: "label" }, label),
                h("select", { "data-key": label, onchange: ({ target }) => {
                    take(target.value);
                    card.refresh();
                } }, options.map(([key, text]) =>
                    h("option", { value: key, selected: key === value }, text))));

            fill(body,
                h("div", { class: "filters" },
                    pick("List", shown, Object.entries(lists).map(([key, [name]]) => [key, name]),
                        (value) => { shown = value; }),
                    pick("Of campaign", campaign, rows.map(({ key, name }) => [key, campaignName(key, name)]),
                        (value) => { campaign = value; })),
                list.rows.length === 0 ? h("p", { class: "small muted" }, "No invoice is in this list.")
                    : [listTable(shown, list), h("p", { class: "small muted" },
                        list.next_page === null ? many(list.rows.length, "invoice")
                            : `The first ${many(list.rows.length, "invoice")}; the file has all.`)],
                h("div", { class: "actions" }, listLink(shown, params)),
                h("details", { class: "data" }, h("summary", null, "Make new links for these"),
                    h("p", { class: "small muted" }, "hopcount mint -c FILE --batch --from-list ",
                        `hopcount-${shown}.csv pay --campaign N > links.csv`)));
            if (focused)
                body.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
        },
    });

    return card;
}

export function funnel(context, filters) {
    const load = shared(loadFunnel(filters, { group_by: "campaign", compare: "previous", limit: 500 }));

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
            listsCard(load, filters),
        ],
    };
}
