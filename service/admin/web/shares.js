// Links that share the page that is shown: made, copied, listed and revoked.
import { get, post, remove } from "./api.js";
import { announce, fill, h, newId } from "./dom.js";
import { timeZone } from "./filters.js";
import { time } from "./format.js";
import { t } from "./texts.js";
import { filtersOf, pageOf } from "./views.js";

const CHARACTERS_MAX = 100;
const spans = [7, 30, 90, 365];
const USUAL = 30;

/* The new link, which is shown this once. */
function newLink({ path, expires_at: at }) {
    const id = newId();
    const url = new URL(path.replace("/dashboard/", "./"), location.href).href;
    const field = h("input", { id, class: "input code", type: "text", readonly: true, value: url, onfocus: () => field.select() });
    const copy = h("button", { class: "button plain small", type: "button", onclick: async () => {
        field.select();
        try {
            await navigator.clipboard.writeText(url);
            announce(t("shares.copied"));
            copy.textContent = t("shares.copied");
        } catch {
            document.execCommand("copy"); // without TLS a page may not use the clipboard
        }
    } }, t("shares.copy"));

    return h("div", { class: "field" }, h("label", { for: id }, t("shares.the_link_until", { at: time(at) })),
        h("div", { class: "search" }, field, copy), h("p", { class: "small muted" }, t("shares.shown_once")));
}

/** What stands below the saved views, for keys that may write. */
export class Shares {
    constructor(brand, view, filters, title) {
        Object.assign(this, { brand, view, filters });
        const nameId = newId(), daysId = newId();

        this.name = h("input", { id: nameId, class: "input", type: "text", required: true, maxlength: String(CHARACTERS_MAX),
            autocomplete: "off", value: title });
        this.days = h("select", { id: daysId, class: "input" }, spans.map((days) =>
            h("option", { value: String(days), selected: days === USUAL }, t("shares.days", { n: days }))));
        this.made = h("div", { role: "status" });
        this.problem = h("p", { class: "notice bad small", role: "alert", hidden: true });
        this.submit = h("button", { class: "button small", type: "submit" }, t("shares.make"));
        this.list = h("ul", { class: "views", "aria-label": t("shares.links_that_work") });
        this.element = h("details", { class: "data", ontoggle: () => this.element.open && this.load() },
            h("summary", null, t("shares.share_this_page")),
            h("div", { class: "stack" },
                h("p", { class: "small muted" }, t("shares.whoever_has_it")),
                h("form", { class: "stack", onsubmit: (event) => {
                    event.preventDefault();
                    this.make();
                } },
                h("div", { class: "field" }, h("label", { for: nameId }, t("shares.title")), this.name),
                h("div", { class: "field" }, h("label", { for: daysId }, t("shares.works_for")),
                    h("div", { class: "search" }, this.days, this.submit))),
                this.problem, this.made, this.list));
    }

    say(error) {
        this.problem.hidden = !error;
        this.problem.textContent = !error ? "" : error.parameter === "name" ? t("views.bad_name", { max: CHARACTERS_MAX })
            : error.message;
    }

    async make() {
        this.submit.disabled = true;
        this.say(null);
        try {
            const share = await post("shares", { brand: this.brand, name: this.name.value.trim(), page: pageOf(this.view),
                filters: filtersOf(this.filters), tz: timeZone(), days: Number(this.days.value) });

            fill(this.made, newLink(share));
            this.made.querySelector("input").focus();
            await this.load();
        } catch (error) {
            this.say(error);
        }
        this.submit.disabled = false;
    }

    async load() {
        try {
            const { shares } = await get("shares", { brand: this.brand });

            fill(this.list, shares.map((share) => this.item(share)));
        } catch (error) {
            this.say(error);
        }
    }

    item({ id, name, by, expires_at: at }) {
        return h("li", null, h("span", null, name, h("span", { class: "small muted" }, t("shares.by_until", { by, at: time(at) }))),
            h("button", { class: "button plain small", type: "button", "aria-label": t("shares.revoke_name", { name }), onclick: async (event) => {
                event.target.disabled = true;
                try {
                    await remove(`shares/${id}?brand=${encodeURIComponent(this.brand)}`);
                    announce(t("shares.revoked", { name }));
                    fill(this.made);
                } catch (error) {
                    this.say(error);
                }
                await this.load();
            } }, t("shares.revoke")));
    }
}
