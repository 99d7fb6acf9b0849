// The funnel: mails sent, invoices clicked, invoices paid, of each reminder.
import { address, get, isShared } from "./api.js";
import { changeBelow, difference as changeOf, ofMails } from "./bars.js";
import { Card } from "./card.js";
import { TimeChart } from "./charts.js";
import { amounts, emptyFunnel, funnelParams, isEmptyFunnel, loadFunnel, missing } from "./conversions.js";
import { fill, h, table } from "./dom.js";
import { addFilter, addressOf, beforeName, compareParam, periodName, readFilters } from "./filters.js";
import { count, duration, many, money, odds, per100, percent, share, time, units } from "./format.js";
import { Listing, openDialog } from "./listing.js";
import { comparedAs, once } from "./overview.js";
import { judge, needed } from "./significance.js";
import { t } from "./texts.js";
import { campaignName, stateName, valueName } from "./words.js";

const LISTED = 20; // invoices of a list on the page; all of them are in the file
const STAGES = 8;  // campaigns shown step by step, those with the most mails; there is a table of all
const CAMPAIGNS_MAX = 2000;

/* A link that picks one value, on this page.  Filters that invoices can't be picked by stay in the
 * address, for other pages. */
function picker(filters, dimension, key, name) {
    return filters[dimension] === key || isShared() ? name : h("a", { "data-view": "funnel", title: t("overview.show_only_these", { value: name }),
        href: addressOf("funnel", addFilter({ ...readFilters(), sent: "" }, dimension, key)) }, name);
}

/* --- lists: the invoices behind a number --- */

const lists = {
    clicked: [t("funnel.clicked"), t("funnel.a_person_clicked_a"), t("common.who_clicked")],
    unclicked: [t("funnel.not_clicked"), t("funnel.mailed_and_no_person"), t("funnel.who_unclicked")],
    unpaid: [t("funnel.not_paid"), t("funnel.not_paid_as_far"), t("funnel.who_unpaid")],
};

function listTable(what, data) {
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": lists[what][0] },
        table("rows small", lists[what][1], [t("funnel.invoice"), t("common.client"), t("funnel.mailed"), t("common.last_click"), t("common.state")],
            data.rows.map((row) => [String(row.object), row.client ? String(row.client) : "–",
                time(row.sent_at), time(row.last_click_at), row.state ? stateName(row.state) : "–"])));
}

function drawList(what, params, data, place) {
    fill(place,
        h("p", { class: "small muted" }, t("funnel.the_invoices_behind_the", { what: lists[what][1] })),
        data.rows.length === 0 ? h("p", null, t("funnel.no_invoice_is_in"))
            : [listTable(what, data), h("p", { class: "small muted" }, data.next_page === null
                ? many(data.rows.length, "invoice") : t("funnel.first", { n: data.rows.length })),
            h("div", { class: "actions" }, h("a", { class: "button plain small", download: `hopcount-${what}.csv`,
                href: address(`${what}.csv`, { ...params, limit: "all", for: "spreadsheet" }) }, t("funnel.download_as_csv"))),
            h("p", { class: "small muted" }, t("funnel.make_new_links_for"),
                h("code", { class: "command" }, "hopcount mint -c hopcount.yaml --batch --from-list ",
                    `hopcount-${what}.csv pay --campaign 13 > links.csv`))]);
}

/* What opens the list, in a dialog of its own. */
function listButton(what, campaign, name, filters) {
    const params = { ...funnelParams(filters), campaign };

    async function open() {
        const place = h("div", { class: "stack" }, h("p", { class: "muted" }, t("funnel.loading")));

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

    return h("span", { class: "change", title: t("bars.before", { before: show(before), what: beforeName(filters) }) },
        h("b", { class: name }, `${{ up: "▲ ", down: "▼ " }[name] ?? ""}${percent(Math.abs(ratio))}`),
        h("span", { class: "visually-hidden" }, t(`funnel.${name || "same"}`, { what: beforeName(filters) })));
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
    return whole > 0 ? t(of, { share: share(part, whole) }) : "";
}

function campaignSteps(row, before, filters) {
    const top = Math.max(row.sent ?? 0, row.clicked, row.paid);
    const name = campaignName(row.key, row.name);
    const opens = (what) => listButton(what, row.key, name, filters);

    return h("div", { class: "stage" },
        h("div", null,
            h("h3", { title: name }, picker(filters, "campaign", row.key, name)),
            h("ol", { class: "funnel", "aria-label": t("funnel.steps_of", { name }) },
                step(t("funnel.mailed"), row.sent, { top, was: before?.sent, filters }),
                step(t("funnel.clicked"), row.clicked, { top, rate: row.sent > 0 ? t("funnel.of_mails", { share: ofMails(row.clicked, row.sent) }) : "", was: before?.clicked,
                    filters, open: [opens("clicked"), opens("unclicked")] }),
                step(t("funnel.paid"), row.paid, { top, rate: rate(row.paid, row.clicked, "funnel.of_clicked"), was: before?.paid,
                    filters, open: [opens("unpaid")] })),
            h("p", { class: "small" }, h("b", null, amounts(row.amount))),
            row.click_to_pay_s ? h("p", { class: "small muted" },
                t("funnel.half_pay_within_of", { median: duration(row.click_to_pay_s.median) })) : null,
            row.sent === 0 ? hint("sent") : row.clicked === 0 ? hint("clicked")
                : row.paid === 0 ? hint("paid") : null));
}

function stepsCard(load, filters) {
    return new Card({
        title: t("funnel.step_by_step"), span: 12, load,
        note: t("funnel.the_mails_of_this", { period: periodName(filters) }),
        isEmpty: isEmptyFunnel,
        empty: emptyFunnel(),
        render(data, body) {
            const before = new Map((data.previous?.rows ?? []).map((row) => [row.key, row]));
            const most = [...data.rows].sort((a, b) => b.sent - a.sent || b.clicked - a.clicked).slice(0, STAGES);

            fill(body, h("div", { class: "stages" }, data.rows.filter((row) => most.includes(row)).map((row) =>
                campaignSteps(row, before.get(row.key), filters))),
            data.rows.length > STAGES ? h("p", { class: "small muted after" }, t("funnel.those_with_the_most", { n: STAGES })) : null);
        },
    });
}

/* All of them, where there are more than can be shown step by step. */
function allCard(load, filters) {
    let before = null;
    const rate = (name, value, part) => ({ name, isNumber: true, value: (row) => row[value] ?? -1,
        cell: (row) => ofMails(row[part], row.sent) });
    const number = (name, value) => ({ name, isNumber: true, value: (row) => row[value], cell: (row) => count(row[value]) });
    const was = (row) => before ? before.get(row.key)?.paid ?? 0 : undefined;
    const listing = new Listing({
        caption: t("campaigns.table_of_campaigns"), text: ({ key, name }) => `${campaignName(key, name)} ${key}`,
        columns: [
            { name: t("common.campaign"), value: ({ key, name }) => campaignName(key, name),
                cell: ({ key, name }) => h("span", { class: "name", title: campaignName(key, name) },
                    picker(filters, "campaign", key, campaignName(key, name))) },
            rate(t("funnel.paid_per_mail"), "conversion_rate", "paid"), rate(t("campaigns.clicked_per_mail"), "click_rate", "clicked"),
            number(t("funnel.mailed"), "sent"), number(t("funnel.clicked"), "clicked"), number(t("funnel.paid"), "paid"),
            { name: t("common.change"), isNumber: true, value: (row) => row.paid - (was(row) ?? 0),
                cell: (row) => changeOf(row.paid, was(row), beforeName(filters)) },
        ],
    });
    const card = new Card({
        title: t("common.all_campaigns"), span: 12,
        note: t("funnel.change_is_of_invoices"),
        table: ({ rows }) => [[t("common.campaign"), t("common.name"), t("funnel.mailed"), t("funnel.clicked"), t("funnel.paid")],
            ...rows.map(({ key, name, sent, clicked, paid }) => [key, name ?? "", sent, clicked, paid])],
        async load() {
            const data = await load();

            card.element.hidden = data.rows.length <= STAGES;
            return data;
        },
        render(data, body) {
            before = data.previous && new Map(data.previous.rows.map((row) => [row.key, row]));
            if (!body.contains(listing.element))
                fill(body, listing.element);
            listing.show(data.rows);
        },
    });

    card.element.hidden = true; // until it is known to be of use
    return card;
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
        title: t("common.money"), note: t("funnel.paid_after_a_click"), load, span: 3,
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
    ...[1, 5, 15].map((n) => [n * 60, t("format.min", { n })]), ...[1, 3, 6].map((n) => [n * 3600, t("format.h", { n })]),
    ...[1, 2, 3, 7, 14, 30].map((n) => [n * 86400, t("format.d", { n })]), [Infinity, t("common.later")],
];

function toSpans(steps) {
    const values = spans.map(() => 0);

    for (const { from_s: from, to_s: to, n } of steps) {
        const middle = (from + to) / 2;

        values[spans.findIndex(([end]) => middle < end)] += n;
    }
    return values;
}

function timeCard(title, note, field, { load, filters }) {
    const chart = new TimeChart("bar", title);

    return new Card({
        title, note, load, span: 6, shape: "plot",
        isEmpty: ({ total }) => total[field].length === 0,
        empty: missing(field === "click_to_pay" ? "paid" : "clicked"),
        close: () => chart.close(),
        render({ total, previous }, body) {
            const spread = total[`${field}_s`];

            chart.show(body, {
                keys: spans.map(([, name]) => name), interval: "step", unit: t("funnel.invoices"),
                title: t("funnel.up_to"), isStated: true,
                summary: t("funnel.half_within_a_quarter", { median: duration(spread.median),
                    q1: duration(spread.q1), q3: duration(spread.q3) }),
                series: [{ name: t("funnel.invoices"), values: toSpans(total[field]), colour: "people" }],
                compared: previous ? comparedAs(filters, toSpans(previous.total[field])) : null,
            });
        },
    });
}

/* --- what became of payments --- */

const outcomes = {
    credited: t("funnel.credited_to_a_click"),
    no_click: t("funnel.nobody_had_clicked_a"),
    before_click: t("funnel.the_clicks_came_after"),
    too_late: t("funnel.the_last_click_was"),
    opted_out: t("funnel.the_client_must_not"),
    replaced: t("funnel.a_later_payment_of"),
    taken_back: t("funnel.refunded_credited_or_unpaid"),
};

function outcomeCard(load, filters) {
    return new Card({
        title: t("funnel.what_became_of_payments"), span: filters.variant ? 12 : 6, load,
        note: t(["campaign", "kind", "variant", "channel"].some((name) => filters[name]) ? "funnel.all_payments_whatever" : "funnel.all_payments_of_the"),
        isEmpty: ({ payments }) => Object.values(payments).every(({ n }) => n === 0),
        table: ({ payments }) => [[t("funnel.payments"), t("common.number"), t("common.money"), ""],
            ...Object.entries(payments).filter(([, { n }]) => n !== 0).flatMap(([key, { n, amount }]) => {
                const sums = Object.entries(amount ?? {});

                return (sums.length > 0 ? sums : [["", null]]).map(([currency, sum], i) =>
                    [outcomes[key] ?? key, i === 0 ? n : null, sum === null ? null : units(sum, currency), currency]);
            })],
        empty: missing("paid"),
        render({ payments, previous }, body) {
            const rows = Object.entries(payments).filter(([, { n }]) => n !== 0)
                .map(([key, { n, amount }]) => [outcomes[key] ?? key, count(n), changeOf(n, previous?.payments[key]?.n, beforeName(filters)) ?? "",
                    h("span", { class: "amounts" }, amounts(amount))]);

            fill(body, h("div", { class: "scroll", tabindex: "0", role: "region",
                "aria-label": t("funnel.table_of_payments") },
            table("rows small", t("funnel.payments_by_what_became"), [t("funnel.payments"), t("common.number"), t("common.change"), t("common.money")], rows)));
        },
    });
}

/* --- A/B --- */

const TESTS = 5; // shown at once

function variantTestCard(filters) {
    const load = async (signal) => get("funnel", { ...funnelParams(filters),
        group_by: "campaign,variant", compare: compareParam(filters) }, signal);

    return new Card({
        title: t("funnel.a_b_tests_by"), span: 6, load,
        note: t("funnel.which_version_of_a"),
        isEmpty: ({ rows }) => !rows.some(({ variant }) => variant !== "none"),
        table: ({ rows }) => [[t("common.campaign"), t("common.variant"), t("funnel.mailed"), t("funnel.clicked"), t("funnel.paid")],
            ...rows.map(({ campaign, name, variant, sent, clicked, paid }) =>
                [campaignName(campaign, name), valueName("variant", variant), sent, clicked, paid])],
        empty: h("span", null, t("funnel.no_mail_of_this")),
        render({ rows, previous }, body) {
            const before = previous && new Map(previous.rows.map((row) => [row.key, row.paid]));
            const tests = new Map();

            for (const row of rows.filter(({ variant }) => variant !== "none"))
                tests.set(row.campaign, [...tests.get(row.campaign) ?? [], { ...row, before: before ? before.get(row.key) ?? 0 : undefined }]);
            const [shown, rest] = [[...tests.values()].slice(0, TESTS), [...tests.values()].slice(TESTS)];

            fill(body, shown.map((test) => variantTest(test, filters)), rest.length === 0 ? null
                : h("details", { class: "data" }, h("summary", null, t("bars.n_more", { n: rest.length })),
                    rest.map((test) => variantTest(test, filters))));
        },
    });
}

const goals = {
    paid: { what: t("funnel.invoices_paid"), more: t("funnel.more_paid") },
    clicked: { what: t("funnel.invoices_clicked"), more: t("funnel.more_clicked") },
};

function variantTest(rows, filters) {
    const name = campaignName(rows[0].campaign, rows[0].name);

    rows.sort((a, b) => (a.variant < b.variant ? -1 : 1));
    return h("div", { class: "stack after" },
        h("h3", null, picker(filters, "campaign", rows[0].campaign, name)),
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("funnel.variants_of", { name }) },
            table("rows small tests", t("funnel.variants_of", { name }), [t("common.variant"), t("funnel.mailed"), t("funnel.clicked"), t("funnel.paid"), t("common.change"), t("funnel.paid_per_100_mails")],
                rows.map(({ variant, sent, clicked, paid, before }) => [picker(filters, "variant", variant, variant), count(sent), count(clicked),
                    [count(paid), changeBelow(paid, before, beforeName(filters))], changeOf(paid, before, beforeName(filters)) ?? "", sent > 0 ? per100(paid / sent) : "–"]))),
        Object.keys(goals).map((goal) => verdict(rows.map((row) =>
            ({ name: row.variant, clicks: row[goal], sent: row.sent })), goals[goal])));
}

function verdict(variants, goal) {
    return h("div", { class: "statement" }, h("p", null, conclude(variants, goal)),
        variants.length > 1 ? h("p", { class: "small muted" }, sampleSize(variants, goal)) : null);
}

/** Which variant gets more of the goal, and how sure that is. */
function conclude(variants, { what, more }) {
    const { verdict: judged, leader, by, pairs } = judge(variants);

    if (judged === "one")
        return t("funnel.only_one_variant_was", { what });
    if (judged === "few")
        return [h("strong", null, t("variants.few")), " ", t("funnel.with_fewer_than_20", { what })];
    const [{ other, p }] = pairs;
    const of = (one) => (by === "share" ? t("funnel.paid_per_100", { rate: per100(one.clicks / one.sent), what })
        : `${count(one.clicks)} ${what}`);
    const rest = t("funnel.got", { leader: leader.name, best: of(leader), other: other.name, rest: of(other), odds: odds(p) });

    return [h("strong", null, judged === "clear" ? t("funnel.winner", { name: leader.name, more })
        : t("funnel.open", { what })), " ", rest];
}

/* How many mails it takes to see a difference that matters. */
function sampleSize(variants, { what }) {
    const sent = variants.map((one) => one.sent);

    if (sent.some((n) => !n))
        return t("funnel.tell_how_many_mails");
    const rateNow = variants.reduce((sum, { clicks }) => sum + clicks, 0) / sent.reduce((a, b) => a + b, 0);
    const least = Math.min(...sent);

    if (rateNow <= 0 || rateNow * 1.2 >= 1)
        return t("funnel.at_least", { mails: many(least, "mail") });
    const n = needed(rateNow, rateNow * 1.2);

    return t("funnel.needed", { mails: many(least, "mail"), what, rate: per100(rateNow), n });
}

export function funnel(context, filters) {
    const load = once(loadFunnel(filters, { group_by: "campaign", compare: compareParam(filters), limit: CAMPAIGNS_MAX, offset: 0 }));

    return {
        title: t("common.funnel"),
        intro: t("funnel.which_reminder_gets_paid"),
        filters: true,
        csvPath: "funnel",
        csv: { ...funnelParams(filters), group_by: "campaign" },
        cards: [
            figure(t("funnel.mailed"), t(filters.kind ? "funnel.mails_of_all_kinds" : "funnel.mails_that_were_told"), load, filters, ({ sent }) => sent),
            figure(t("funnel.clicked"), t("funnel.invoices_that_a_person"), load, filters,
                ({ clicked }) => clicked),
            figure(t("funnel.paid"), t("funnel.invoices_paid_after_a"), load, filters, ({ paid }) => paid),
            moneyCard(load, filters),
            stepsCard(load, filters),
            allCard(load, filters),
            timeCard(t("funnel.from_click_to_payment"), t("funnel.how_long_people_take"),
                "click_to_pay", { load, filters }),
            timeCard(t("common.from_mail_to_click"), t("funnel.how_long_it_takes"),
                "sent_to_click", { load, filters }),
            // Of one variant there is nothing to test.
            filters.variant ? null : variantTestCard(filters),
            outcomeCard(load, filters),
        ].filter(Boolean),
    };
}
