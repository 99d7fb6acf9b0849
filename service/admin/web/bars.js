// A ranking: names, counts, shares, and a bar for each.
import { h } from "./dom.js";
import { count, percent, share } from "./format.js";
import { Listing, openDialog } from "./listing.js";
import { t } from "./texts.js";

/** How a count compares with another, in few signs: "▲ 12.3%"; what it is, or `title`, when pointed at. */
export function difference(now, before, what, title = t("bars.before", { before, what })) {
    if (before === undefined)
        return null;
    const ratio = before > 0 ? now / before - 1 : 0;
    const [sign, word] = before === 0 ? [now > 0 ? t("bars.new") : "–", ""] : ratio > 0.0005 ? ["▲ ", t("bars.more_than")]
        : ratio < -0.0005 ? ["▼ ", t("bars.fewer")] : ["", t("bars.as_many")];
    const size = before === 0 ? "" : ratio >= 9 ? `× ${count(Math.round(now / before))}` : percent(Math.abs(ratio));

    return h("span", { class: "difference", title }, sign, size,
        h("span", { class: "visually-hidden" }, ` ${word}`));
}

/** The share of mails that was clicked.  Links of mails that were not told of count as clicked all the same. */
export function ofMails(clicked, sent) {
    return clicked > sent && sent > 0 ? h("span", { title: t("bars.more_than_mails") }, t("variants.over_100", { most: percent(1) }))
        : share(clicked, sent);
}

/** What was clicked of a campaign's mails, and how many they were; `mailed` is its row of the funnel. */
export function mailsCell(mailed) {
    return !mailed ? "–" : [ofMails(mailed.clicked, mailed.sent), h("br"),
        h("span", { class: "small muted" }, t("campaigns.of_mails", { n: mailed.sent }))];
}

/** Below a figure, where a phone has no room for a column of its own: how it compares. */
export function changeBelow(...compared) {
    return h("span", { class: "below narrow-only" }, difference(...compared));
}

function part(item, { all, isRated }) {
    return isRated ? mailsCell(item.mailed) : share(item.value, all);
}

function rateOf({ mailed }) {
    return mailed?.click_rate ?? -1;
}

function row(item, view) {
    const { max, machines, what, isCompared, isRated } = view;
    const fill = h("i");

    fill.style.width = `${(item.value / max) * 100}%`;
    if (item.colour)
        fill.style.background = `var(--${item.colour})`;
    return h("tr", null,
        h("th", { scope: "row", title: item.title ?? item.name },
            h("span", { class: "name" }, item.link?.() ?? item.name),
            h("span", { class: `bar${machines ? " machines" : ""}` }, fill)),
        h("td", { class: "number" }, count(item.value), isCompared && isRated ? changeBelow(item.value, item.before, what) : null),
        // A phone has room for one of the two, and the bar shows the share; where mails are known, the change stands below the clicks.
        h("td", { class: isCompared && !isRated ? "number share wide-only" : "number" }, part(item, view)),
        isCompared ? h("td", { class: isRated ? "number share wide-only" : "number" }, difference(item.value, item.before, what)) : null);
}

/* All of them, to be searched and sorted. */
function openAll(caption, items, view) {
    const { what, isCompared, isRated } = view;
    const listing = new Listing({ caption, isSearched: true, text: ({ name }) => name, columns: [
        { name: t("common.name"), value: ({ name }) => name, cell: ({ name, link }) => link?.() ?? name },
        { name: t("common.clicks"), value: ({ value }) => value, cell: ({ value }) => count(value), isNumber: true },
        { name: isRated ? t("campaigns.clicked_per_mail") : t("common.share"), isNumber: true,
            value: (item) => isRated ? rateOf(item) : item.value, cell: (item) => part(item, view) },
        isCompared ? { name: t("common.change"), value: ({ value, before }) => value - before, isNumber: true,
            cell: ({ value, before }) => difference(value, before, what) } : null,
    ].filter(Boolean) });

    listing.show(items);
    openDialog(caption, listing.element);
}

/**
 * The table.  Items are {name, value, link, title, mailed}; `link()` makes what leads to the item, `mailed` is its
 * row of the funnel.  Where mails are known, those come first of which most were clicked.
 * Items beyond `limit` are summed up as the rest, which opens the list of all.
 */
export function bars(caption, items, { limit = 7, machines = false, what = "" } = {}) {
    const isRated = items.some(({ mailed }) => mailed);
    const sorted = items.filter(({ value }) => value > 0).sort((a, b) => rateOf(b) - rateOf(a) || b.value - a.value);
    const all = sorted.reduce((sum, { value }) => sum + value, 0);
    const shown = sorted.length > limit + 1 ? sorted.slice(0, limit) : sorted;
    const rest = sorted.slice(shown.length).reduce((sum, { value }) => sum + value, 0);
    const max = Math.max(1, rest, ...shown.map(({ value }) => value));
    const isCompared = sorted.some(({ before }) => before !== undefined);
    const view = { all, max, machines, what, isCompared, isRated };
    const name = t("bars.n_more", { n: sorted.length - limit });

    if (rest > 0)
        shown.push({ name, value: rest, colour: "muted",
            before: isCompared ? sorted.slice(limit).reduce((sum, { before }) => sum + before, 0) : undefined, title: t("bars.show_all_to_search"),
            link: () => h("button", { type: "button", class: "text-button", "aria-haspopup": "dialog",
                onclick: () => openAll(caption, sorted, view) }, `${name} …`) });
    return h("table", { class: "bars" },
        h("caption", { class: "visually-hidden" }, caption),
        // What share it is must be said where it is not of the clicks beside it.
        h("thead", { class: isRated ? "small muted" : "visually-hidden" }, h("tr", null,
            h("th", { scope: "col" }, t("common.name")), h("th", { scope: "col", class: "number" }, t("common.clicks")),
            h("th", { scope: "col", class: isCompared && !isRated ? "number share wide-only" : "number" },
                isRated ? t("campaigns.clicked_per_mail") : t("common.share")),
            isCompared ? h("th", { scope: "col", class: isRated ? "number share wide-only" : "number" }, t("common.change")) : null)),
        h("tbody", null, shown.map((item) => row(item, view))));
}
