// Links that led to a page of ours, and not to the invoice.
import { stats } from "./api.js";
import { Card } from "./card.js";
import { fill, h, table } from "./dom.js";
import { toParams } from "./filters.js";
import { count } from "./format.js";
import { audiences, campaignName } from "./words.js";

/* What each page is called, and what it means for the mail that led there. */
const pages = {
    expired: ["The link had expired", "They came too late for it. Make the links of such a mail with a longer --ttl."],
    renewed: ["Asked for a fresh link", "They pressed the button of that page; the billing system is told, to send one."],
    revoked: ["The link was withdrawn", "Somebody revoked it, or the invoice, client or campaign that it is of."],
    used: ["The link was used up", "It opens only so often, and had been opened before: by them, or by who got the mail from them."],
    settled: ["Nothing to pay", "The invoice was paid, cancelled or replaced when they came. Many of these: the mail goes out too late."],
    no_target: ["The link leads nowhere", "Its kind has no target in the configuration. Give it one, or make no such links."],
    later: ["Not known yet", "The service had just started, without Redis, and these links wait until states are known."],
    unsure: ["Could not be confirmed", "Redis could not confirm that a one-time link was unused, so they were not let in."],
    button: ["Saw a page with a button", "The button leads on, or out of tracking. Mail scanners that look like people are among them."],
    pressed: ["Pressed the button", "They went on to the target: a press is a person’s."],
    opted_out: ["Opted out of tracking", "Their links lead on as before, and are counted in sums alone."],
};

function pagesOf(campaign, rows, field) {
    const shown = rows.filter((row) => row[field] > 0).sort((a, b) => b[field] - a[field]);

    return [campaign ? h("h3", null, campaign) : null,
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Pages of ours${campaign ? `, ${campaign}` : ""}` },
            table("rows small", "Pages of ours that links led to", ["Page", "Times"], shown.map((row) => [
                h("span", null, pages[row.page]?.[0] ?? row.page,
                    h("span", { class: "below small muted" }, pages[row.page]?.[1] ?? "")),
                count(row[field])])))];
}

/** `load` gives the campaigns that the page shows: {keys, names}. */
export function ownPagesCard(load, filters) {
    const field = filters.who;

    return new Card({
        title: "Ended on a page of ours", span: 8,
        note: `How often links led to a page of hopcount’s and not to the invoice: opened ${audiences[field].of}.`,
        async load(signal) {
            const { keys, names } = await load();

            if (keys.length === 0)
                return { names, keys, rows: [] };
            const { rows } = await stats({ ...toParams(filters), campaign: keys.join(","),
                group_by: "campaign,page" }, signal);

            return { names, keys, rows: rows.filter((row) => row[field] > 0) };
        },
        isEmpty: ({ rows }) => rows.length === 0,
        empty: "All links of these campaigns that were opened in this period led to their targets.",
        render({ names, keys, rows }, body) {
            const found = keys.filter((key) => rows.some(({ campaign }) => campaign === key));

            fill(body, found.map((key) => h("div", { class: "stack after" },
                pagesOf(keys.length > 1 ? campaignName(key, names.get(key)) : null,
                    rows.filter(({ campaign }) => campaign === key), field))));
        },
    });
}
