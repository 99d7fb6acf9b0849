// Campaigns, such as the stages of a reminder, side by side.
import { loadNotes } from "./annotations.js";
import { get, isShared, stats } from "./api.js";
import { bars, changeBelow, difference, mailsCell } from "./bars.js";
import { Card, evenOut } from "./card.js";
import { TimeChart } from "./charts.js";
import { amounts, loadFunnel, loadMails } from "./conversions.js";
import { fill, h } from "./dom.js";
import { addFilter, beforeName, chartParams, compareParam, dimensionsOf, go, isOfInvoices, periodName, toParams } from "./filters.js";
import { big, count, many, share } from "./format.js";
import { Listing } from "./listing.js";
import { nameForm, renameButton } from "./names.js";
import { ownPagesCard } from "./ownpages.js";
import { apartCard, change, comparedAs, comparedSeries, comparedValues, once, periodWays, picker, rankCard, toSeries } from "./overview.js";
import { t } from "./texts.js";
import { variantCard } from "./variants.js";
import { audiences, campaignName, delays, valueName } from "./words.js";

const AUTO = 4; // so many are shown when none was chosen
const MAX = 8;  // colours there are
const COMPARED = 3; // lines that can be told apart with one more, dashed, for each
const LISTED = 2000; // the most clicked

function chosen(filters) {
    return filters.campaign ? filters.campaign.split(",").slice(0, 32) : [];
}

/* Which campaigns there are, and which of them are looked at. */
function loader(context, filters) {
    const params = { ...toParams(filters), ...isShared() ? {} : { campaign: "" } };

    return once(async () => {
        const data = await stats({ ...params, group_by: "campaign", compare: compareParam(filters),
            limit: LISTED, offset: 0 });
        const rows = data.rows.filter((row) => row.total > 0)
            .sort((a, b) => b[filters.who] - a[filters.who]);
        const picked = chosen(filters);
        const keys = picked.length > 0 ? picked
            : rows.filter(({ key }) => key !== "0").slice(0, AUTO).map(({ key }) => key);
        const names = new Map(data.rows.map(({ key, name }) => [key, name]));

        // Nobody clicked it in this period; it has its name all the same.
        if (isShared()) {
            for (const { key, name } of context.campaigns)
                names.set(key, name);
        } else if (keys.some((key) => !names.has(key))) {
            for (const { id, name } of (await get("campaigns", { brand: filters.brand })).campaigns)
                names.set(String(id), name);
        }
        // Mails are known where they were told, and not all filters of clicks apply to them.
        const mails = isShared() || !isOfInvoices(filters) ? new Map() : await loadMails(filters);
        const before = new Map((data.previous?.rows ?? []).map((row) => [row.key, row[filters.who]]));

        return { data, coverage: data.coverage, rows, before, names, mails, keys: keys.sort((a, b) => a - b), isPicked: picked.length > 0 };
    });
}

function nameOf({ names }, key) {
    return campaignName(key, names.get(key));
}

function paint(keys, key) {
    return `series-${(keys.indexOf(key) % MAX) + 1}`;
}

/* What the mails of the period led to; nothing while no payment is known. */
function paid(row) {
    return !row || row.paid === 0 ? null : h("p", { class: "small" }, t("campaigns.paid", { invoices: h("b", null, many(row.paid, "invoice")),
            amounts: amounts(row.amount) }));
}

function stage(found, key, { kinds: { rows, previous }, funnel }, filters) {
    const row = found.data.rows.find((one) => one.key === key);
    const before = found.data.previous?.rows.find((one) => one.key === key);
    const field = filters.who;
    const swatch = h("span", { class: "swatch" });
    const kindBefore = previous && new Map(previous.rows.map((one) => [one.key, one[field]]));
    const kinds = rows.filter((one) => one.campaign === key).map((one) => ({ name: valueName("kind", one.kind), value: one[field],
        before: kindBefore ? kindBefore.get(one.key) ?? 0 : undefined, link: picker(filters, "kind", one.kind, "campaigns") }));

    swatch.style.color = `var(--${paint(found.keys, key)})`;
    return h("div", { class: "stage" },
        h("div", null,
            h("h3", { title: nameOf(found, key) }, swatch, " ", nameOf(found, key)),
            h("p", { class: "figure", title: count(row?.[field] ?? 0) }, big(row?.[field] ?? 0)),
            change(row?.[field] ?? 0, found.data.previous ? before?.[field] ?? 0 : null,
                { what: beforeName(filters), isGood: field !== "automated" }),
            h("p", { class: "small muted" }, field === "automated"
                ? t("campaigns.of_all_clicks", { share: share(row?.automated ?? 0, row?.total ?? 0) })
                : t("campaigns.of_all_clicks_are", { share: share(row?.human ?? 0, row?.total ?? 0) })),
            paid(funnel.rows.find((one) => one.key === key))),
        bars(t("campaigns.clicks_of_by_kind", { name: nameOf(found, key) }), kinds, { limit: 4,
            machines: field === "automated", what: beforeName(filters) }));
}

function stagesCard(load, filters) {
    return new Card({
        title: chosen(filters).length === 1 ? t("campaigns.at_a_glance") : t("campaigns.side_by_side"),
        note: t("campaigns.clicks_and_what_they", { of: audiences[filters.who].of, period: periodName(filters) }),
        span: 12,
        async load(signal) {
            const found = await load();
            const [kinds, funnel] = found.keys.length === 0 ? [{ rows: [] }, { rows: [] }] : await Promise.all([
                stats({ ...toParams(filters), campaign: found.keys.join(","), group_by: "campaign,kind",
                    compare: compareParam(filters) }, signal),
                // Payments are not counted by all properties of a click.
                !isOfInvoices(filters) ? { rows: [] }
                    : loadFunnel(filters, { campaign: found.keys.join(","), group_by: "campaign" })(signal)]);

            return { found, kinds, funnel, coverage: found.coverage };
        },
        isEmpty: ({ found }) => found.keys.length === 0,
        empty: t("campaigns.no_link_of_a"),
        table: ({ found, kinds }) => [[t("common.campaign"), t("common.kind_of_link"), t("common.clicks")],
            ...kinds.rows.map((row) => [nameOf(found, row.campaign), valueName("kind", row.kind), row[filters.who]])],
        render({ found, kinds, funnel }, body) {
            fill(body, h("div", { class: "stages" }, found.keys.slice(0, MAX).map((key) =>
                stage(found, key, { kinds, funnel }, filters))));
        },
    });
}

/* What a press on the name of a campaign's line does. */
function onlyWay(found, key, filters) {
    return { view: "campaigns", filters: addFilter({ ...filters, sent: "" }, "campaign", key),
        title: t("overview.show_only_these", { value: nameOf(found, key) }) };
}

/* The lines of the other period, each in the colour of its campaign. */
function comparedLines(found, data, names, filters) {
    const values = comparedValues(data, filters, "campaign");

    return names.filter((key) => values.has(key)).map((key) => {
        const line = comparedAs(filters, values.get(key));

        return { ...line, name: `${nameOf(found, key)}: ${beforeName(filters)}`, group: line.name, colour: paint(found.keys, key) };
    });
}

function timeCard(load, context, filters) {
    const chart = new TimeChart("line", t("campaigns.clicks_over_time_by"));

    return new Card({
        title: t("campaigns.over_time"), span: 8, shape: "plot",
        note: t("campaigns.peaks_show_when_a"),
        close: () => chart.close(),
        async load(signal) {
            const found = await load();

            if (found.keys.length === 0)
                return { found, data: null };
            const [data, notes] = await Promise.all([stats({ ...chartParams(filters),
                campaign: found.keys.slice(0, MAX).join(","), group_by: "time,campaign",
                compare: found.keys.length <= COMPARED ? compareParam(filters) : "", limit: 10000 }, signal),
            loadNotes(filters, signal)]);

            return { found, data, notes, coverage: data.coverage };
        },
        isEmpty: ({ data }) => !data || data.total[filters.who] === 0,
        render({ found, data, notes }, body) {
            const { keys, interval, series } = toSeries(data, "campaign", filters);

            chart.show(body, {
                keys, interval,
                compared: found.keys.length === 1 ? comparedSeries(data, filters) : comparedLines(found, data, [...series.keys()], filters),
                remark: found.keys.length <= COMPARED ? ""
                    : t("campaigns.compared_up_to", { n: COMPARED, title: t("campaigns.side_by_side") }),
                notes, noting: { filters, mayWrite: context.mayWrite },
                summary: t("campaigns.summary", { clicks: many(data.total[filters.who], "click"),
                    campaigns: many(series.size, "campaign") }),
                wayOf: periodWays(data, { keys, interval }, filters),
                series: [...series].map(([key, values]) => ({ name: nameOf(found, key), values, colour: paint(found.keys, key),
                    way: series.size > 1 ? onlyWay(found, key, filters) : null })),
            });
        },
    });
}

const memory = { true: {}, false: {} }; // ticking one draws the page anew

/* The head of a row: to be ticked, and to be renamed where the key may. */
function pickHead(row, found, context, filters, onNamed) {
    function toggle(event) {
        const keys = new Set(found.keys);

        if (event.target.checked)
            keys.add(row.key);
        else
            keys.delete(row.key);
        // The mails sent were those of the campaigns that were shown.
        go("campaigns", { ...filters, sent: "",
            campaign: [...keys].sort((a, b) => a - b).join(",") });
    }

    const place = h("th", { scope: "row" });
    const name = campaignName(row.key, row.name);
    const label = h("label", { title: name },
        h("input", { type: "checkbox", "data-key": `pick-${row.key}`,
            checked: found.keys.includes(row.key), onchange: toggle }),
        h("span", { class: "name" }, name));

    fill(place, h("div", { class: "pick" }, label, context.mayWrite && row.key !== "0"
        ? renameButton(row, filters, place, onNamed) : null));
    return place;
}

/* For campaigns that nobody has clicked yet. */
function nameAnother(filters, onNamed) {
    const place = h("div", { class: "after" });
    const button = h("button", { class: "button plain small", type: "button", onclick: ask },
        t("common.name_a_campaign"));

    function ask() {
        const { form, focus } = nameForm(null, filters, (key) => {
            fill(place, button);
            button.focus();
            if (key)
                onNamed();
        });

        fill(place, form);
        focus();
    }

    fill(place, button);
    return place;
}

function pickCard(load, context, filters) {
    const named = () => document.dispatchEvent(new CustomEvent("renamed"));
    const footer = context.mayWrite ? nameAnother(filters, named) : null;
    let found = null, listing = null;
    const beforeOf = ({ key }) => found.data.previous ? found.before.get(key) ?? 0 : undefined;
    const mailsOf = ({ key }) => found.mails.get(key);
    /* Shares first, with what they are of; without mails only clicks can be compared. */
    const rate = { name: t("campaigns.clicked_per_mail"), isNumber: true,
        value: (row) => mailsOf(row)?.click_rate ?? -1,
        cell: (row) => mailsCell(mailsOf(row)) };
    const listingOf = (withRates) => new Listing({
        caption: t("campaigns.table_of_campaigns"), page: 10, memory: memory[withRates],
        text: ({ key, name }) => `${campaignName(key, name)} ${key}`,
        columns: [
            { name: t("common.campaign"), value: ({ key, name }) => campaignName(key, name),
                cell: (row) => pickHead(row, found, context, filters, named) },
            ...withRates ? [rate] : [],
            { name: t("common.clicks"), value: (row) => row[filters.who], isNumber: true,
                cell: (row) => [h("span", { title: count(row[filters.who]) }, big(row[filters.who])),
                    changeBelow(row[filters.who], beforeOf(row), beforeName(filters))] },
            { name: t("common.change"), value: (row) => row[filters.who] - (beforeOf(row) ?? 0),
                cell: (row) => difference(row[filters.who], beforeOf(row), beforeName(filters)), isNumber: true, isWide: true },
        ],
    });

    return new Card({
        title: t("common.all_campaigns"), span: 4, fills: true,
        note: t("campaigns.tick_those_to_compare"),
        load,
        isEmpty: ({ rows }) => rows.length === 0,
        footer,
        table: ({ rows }) => [[t("common.number"), t("common.name"), t("common.clicks"), t("common.mails_sent"), t("conversions.invoices_clicked")],
            ...rows.map((row) => [Number(row.key), row.name ?? "", row[filters.who], mailsOf(row)?.sent, mailsOf(row)?.clicked])],
        render(data, body) {
            // Not under the fingers of somebody who types a name.
            if (body.querySelector(".naming"))
                return;
            found = data;
            const withRates = found.mails.size > 0;

            if (listing?.withRates !== withRates)
                listing = Object.assign(listingOf(withRates), { withRates });
            if (!body.contains(listing.element))
                fill(body, listing.element);
            listing.show(found.rows);
        },
    });
}

/* In words: when half of the clicks had come. */
function halfTime(items, all) {
    let sum = 0;

    for (const { until, value } of items) {
        sum += value;
        if (sum * 2 >= all)
            return until ? t("campaigns.half_of_the_clicks", { until })
                : t("campaigns.half_of_the_clicks_2");
    }
    return "";
}

function delayCard(filters) {
    const chart = new TimeChart("bar", t("campaigns.clicks_by_the_time"));
    const field = filters.who;

    return new Card({
        title: t("common.from_mail_to_click"), span: 8, shape: "plot",
        note: t("campaigns.how_long_after_the"),
        load: (signal) => stats({ ...toParams(filters), group_by: "delay", compare: compareParam(filters) }, signal),
        isEmpty: (data) => data.rows.every((row) => row[field] === 0),
        close: () => chart.close(),
        render(data, body) {
            const counts = new Map(data.rows.map((row) => [row.key, row[field]]));
            const items = Object.entries(delays).map(([key, [name, tick, until]]) =>
                ({ key, name, tick, until, value: counts.get(key) ?? 0 }));
            const half = halfTime(items, data.total[field]);
            const before = data.previous && new Map(data.previous.rows.map((row) => [row.key, row[field]]));

            chart.show(body, {
                keys: items.map(({ name }) => name), ticks: items.map(({ tick }) => tick),
                title: t("campaigns.time_since_the_link"),
                interval: "step", summary: half, isStated: true,
                compared: before ? comparedAs(filters, items.map(({ key }) => before.get(key) ?? 0)) : null,
                wayOf: isShared() || filters.delay ? null : (i) => ({ what: t("charts.only_step"),
                    filters: addFilter({ ...filters, sent: "" }, "delay", items[i].key) }),
                series: [{ name: t("common.clicks"), values: items.map(({ value }) => value),
                    colour: field === "automated" ? "bot" : "people" }],
            });
        },
    });
}

export function campaigns(context, filters) {
    const load = loader(context, filters);
    const params = toParams(filters);
    const picked = dimensionsOf(filters);
    const rank = (title, note, by, options) =>
        rankCard(title, note, by, params, filters, { view: "campaigns", ...options });

    return {
        title: t("common.campaigns"),
        intro: t("campaigns.compare_the_stages_of"),
        filters: true,
        csv: { ...params, group_by: "campaign" },
        cards: evenOut([
            stagesCard(load, filters),
            timeCard(load, context, filters),
            isShared() ? null : pickCard(load, context, filters),
            filters.variant ? null : variantCard(load, filters),
            rank(t("common.channels"), t("common.where_the_link_was"), "channel"),
            delayCard(filters),
            picked.length > 0 ? null : ownPagesCard(load, filters),
            rank(t("common.devices"), t("common.what_they_held_in"), "device"),
            rank(t("common.countries"), t("common.by_the_address_that"), "country"),
            rank(t("common.kinds_of_link"), t("campaigns.what_the_clients_wanted"), "kind"),
            rank(t("common.opened_from"), t("campaigns.the_page_or_app"), "referrer"),
            picked.length === 0 ? null : apartCard(isOfInvoices(filters) ? "campaigns.pages_apart" : "campaigns.apart", picked),
        ]),
    };
}
