// Who did what: the audit log, for keys that may see it.
import { address, get } from "./api.js";
import { Card } from "./card.js";
import { fill, h } from "./dom.js";
import { ago, many, time } from "./format.js";
import { t } from "./texts.js";

const PAGE = 100;

const actions = {
    sign_in: ["", t("audit.signed_in")],
    sign_in_refused: ["bad", t("audit.sign_in_refused")],
    sign_out: ["", t("audit.signed_out")],
    name: ["", t("audit.named")],
    revoke: ["warn", t("audit.revoked")],
    unrevoke: ["warn", t("audit.revocation_taken_back")],
    events: ["", t("audit.posted_events")],
    export: ["warn", t("audit.exported")],
    erase: ["bad", t("audit.erased")],
    annotate: ["", t("audit.noted")],
    save_view: ["", t("audit.view_saved")],
    delete_view: ["", t("audit.view_deleted")],
    share: ["warn", t("audit.shared")],
    unshare: ["", t("audit.share_revoked")],
    unannotate: ["", t("audit.note_removed")],
    reload: ["", t("audit.configuration_reloaded")],
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
            onclick: () => this.loadMore() }, t("audit.show_older_entries"));
        this.element = h("div", { class: "listing" },
            h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("audit.table_of_entries") },
                h("table", { class: "rows small" },
                    h("caption", { class: "visually-hidden" }, t("audit.who_did_what")),
                    h("thead", null, h("tr", null, [t("audit.when"), t("audit.what"), t("audit.who"), t("audit.about"), t("audit.from")].map((name) =>
                        h("th", { scope: "col" }, name)))),
                    this.body)),
            h("p", null, this.more));
    }

    show({ entries, next_page: page }) {
        this.page = page;
        this.more.hidden = !page;
        fill(this.body, entries.map(row), entries.length > 0 ? null : h("tr", null,
            h("td", { class: "muted", colspan: "5" }, t("audit.nothing_of_that_kind"))));
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
    const fileOf = (action) => address("audit.csv", { action, limit: 1000 });
    const file = h("a", { class: "button plain small", download: "hopcount-audit.csv", href: fileOf("") }, t("audit.download_the_newest_1"));
    const choice = h("select", { class: "input choice", "aria-label": t("audit.which_entries"), onchange: () => {
        list = new Entries(choice.value);
        file.href = fileOf(choice.value);
        card.refresh();
    } }, h("option", { value: "" }, t("audit.all_entries")), Object.entries(actions).map(([key, [, name]]) =>
        h("option", { value: key }, name)));
    const content = h("div", { class: "stack" }, h("div", { class: "actions" }, choice), place,
        h("div", { class: "actions" }, file));
    const card = new Card({
        title: t("audit.who_did_what"),
        note: t("audit.the_newest_first_posted"),
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
        title: t("common.audit_log"),
        intro: t("audit.who_signed_in_named"),
        filters: false, cards: [card],
    };
}
