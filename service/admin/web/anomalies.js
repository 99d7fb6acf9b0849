// What is unusual in the last day: a campaign that people stopped clicking, or that machines took over, or whose
// links lead to a page that is down.
import { get, stats } from "./api.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { addressOf, toParams } from "./filters.js";
import { percent } from "./format.js";
import { faultSentence } from "./sentences.js";
import { t } from "./texts.js";
import { campaignName } from "./words.js";

const DAYS = 7;          // that the last day is compared with
const PEOPLE_MIN = 20;   // clicks a day: with fewer, a day without any is no wonder
const STOPPED = 0.1;     // of the usual
const CLICKS_MIN = 50;   // in the day: of fewer, a share says nothing
const SHARE_JUMP = 0.25; // by how much the machines' share must have grown

/** Sentences on campaigns, of their rows of the last day and of the days before: [{key, name, text}]. */
export function findAnomalies(day, before) {
    const now = new Map(day.map((row) => [row.key, row]));
    const found = [];

    for (const old of before) {
        const row = now.get(old.key) ?? { human: 0, automated: 0, total: 0 };
        const usual = (old.human - row.human) / DAYS;
        const total = old.total - row.total;
        const share = row.automated / row.total, was = (old.automated - row.automated) / total;

        if (usual >= PEOPLE_MIN && row.human <= usual * STOPPED)
            found.push({ ...old, text: t("anomalies.people_have_stopped_clicking", { human: row.human, usual: Math.round(usual) }) });
        else if (row.total >= CLICKS_MIN && total >= CLICKS_MIN && share - was >= SHARE_JUMP)
            found.push({ ...old, text: t("anomalies.of_the_clicks_of", { share: percent(share), was: percent(was) }) });
    }
    return found;
}

/** The same of links that lead nowhere: `down` are pages with the rows of campaigns whose links to them were clicked. */
export function findBroken(down) {
    return down.flatMap(({ target, why, rows }) => rows.filter(({ human }) => human > 0).map((row) => ({ ...row,
        text: t("anomalies.its_links_lead_to", { target, why: faultSentence(why), n: row.human }) })));
}

/** Pages that are down, with the campaigns of the last day; one request for each, and mostly there is none. */
async function loadDown(params, signal) {
    const { targets } = await get("targets", {}, signal);
    const down = targets.filter(({ brand, kind, state, way }) => state === "down" && way === "direct" &&
        kind !== "home" && (!params.brand || params.brand === brand));

    return Promise.all(down.map(async ({ brand, kind, target, why }) => {
        const { rows } = await stats({ ...params, brand, kind, from: "24h" }, signal);

        return { target, why, rows };
    }));
}

/** The card of the overview. */
export function anomalyCard(filters) {
    return new Card({
        title: t("anomalies.worth_a_look"), span: 12,
        note: t("anomalies.campaigns_whose_clicks_of"),
        async load(signal) {
            const params = { ...toParams(filters), to: "", interval: "", group_by: "campaign", limit: 500, offset: 0 };
            const [day, before, down] = await Promise.all([stats({ ...params, from: "24h" }, signal),
                stats({ ...params, from: `${24 * (DAYS + 1)}h` }, signal), loadDown(params, signal)]);

            return [...findBroken(down), ...findAnomalies(day.rows, before.rows)];
        },
        isEmpty: (found) => found.length === 0,
        empty: t("anomalies.nothing_unusual"),
        render(found, body) {
            fill(body, h("ul", { class: "plain-list" }, found.map(({ key, name, text }) => h("li", null,
                h("span", { class: "tag warn" }, t("anomalies.unusual")), " ",
                h("a", { href: addressOf("campaigns", { ...filters, campaign: key }), "data-view": "campaigns" },
                    campaignName(key, name)), ". ", text))));
        },
    });
}
