// Who did what: the audit log, for keys that may see it.
import { address, get } from "./api.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { ago, many, time } from "./format.js";

const PAGE = 100;

const actions = {
    sign_in: ["", "Signed in"],
    sign_in_refused: ["bad", "Sign-in refused"],
    sign_out: ["", "Signed out"],
    name: ["", "Named"],
    revoke: ["warn", "Revoked"],
    unrevoke: ["warn", "Revocation taken back"],
    events: ["", "Posted events"],
    export: ["warn", "Exported"],
    erase: ["bad", "Erased"],
    reload: ["", "Configuration reloaded"],
};

/* What an entry is about: "acme: client 77". */
function about({ brand, what, client, action, n }) {
    const subject = [what, client].filter(Boolean).join(" ");
    const times = action === "events" ? many(n, "event") : n > 1 ? many(n, "time") : "";

    return [brand, [subject, times].filter(Boolean).join(", ")].filter(Boolean).join(": ") || "–";
}

function row(entry) {
    const [grade, name] = actions[entry.action] ?? ["", entry.action];

    return h("tr", null,
        h("th", { scope: "row" }, h("time", { datetime: entry.at, title: ago(entry.at) }, time(entry.at))),
        h("td", null, grade ? h("span", { class: `tag ${grade}` }, name) : name),
        h("td", null, entry.who ?? "–"), h("td", null, about(entry)), h("td", null, entry.address ?? "–"));
}

/* The entries, the newest first, and a button for older ones. */
class Entries {
    constructor(action) {
        this.params = { action, limit: PAGE };
        this.body = h("tbody");
        this.more = h("button", { class: "button plain small", type: "button", hidden: true,
            onclick: () => this.loadMore() }, "Show older entries");
        this.element = h("div", { class: "listing" },
            h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Who did what" },
                h("table", { class: "rows small" },
                    h("caption", { class: "visually-hidden" }, "Who did what"),
                    h("thead", null, h("tr", null, ["When", "What", "Who", "About", "From"].map((name) =>
                        h("th", { scope: "col" }, name)))),
                    this.body)),
            h("p", null, this.more));
    }

    show({ entries, next_page: page }) {
        this.page = page;
        this.more.hidden = !page;
        fill(this.body, entries.map(row), entries.length > 0 ? null : h("tr", null,
            h("td", { class: "muted", colspan: "5" }, "Nothing of that kind is in the log.")));
    }

    async loadMore() {
        this.more.disabled = true;
        try {
            const { entries, next_page: page } = await get("audit", { ...this.params, page: this.page });

            this.body.append(...entries.map(row));
            this.page = page;
            this.more.hidden = !page;
        } finally {
            this.more.disabled = false;
        }
    }
}

export function audit() {
    let list = new Entries("");
    const place = h("div");
    const choice = h("select", { class: "input", "aria-label": "Which entries", onchange: () => {
        list = new Entries(choice.value);
        card.refresh();
    } }, h("option", { value: "" }, "All entries"), Object.entries(actions).map(([key, [, name]]) =>
        h("option", { value: key }, name)));
    const content = h("div", { class: "stack" }, h("p", null, choice), place,
        h("p", null, h("a", { class: "button plain small", download: "hopcount-audit.csv",
            href: address("audit.csv", { limit: 1000 }) }, "Download the newest 1,000 as CSV")));
    const card = new Card({
        title: "Who did what",
        note: "The newest first. Posted events, exports and refused sign-ins that are alike are counted " +
            "together every ten minutes. Erased clients have no number here.",
        span: 12,
        load: (signal) => get("audit", list.params, signal),
        render: (data, body) => {
            list.show(data);
            fill(place, list.element);
            if (!content.isConnected) // else the list that was just used would lose the focus
                fill(body, content);
        },
    });

    return {
        title: "Audit log",
        intro: "Who signed in, named, revoked, exported or erased, when, and from where.",
        filters: false, cards: [card],
    };
}
