// A client or an invoice: what is kept of it, and what can be done about it.
import { address, get, post, remove } from "./api.js";
import { announce, fill, h, newId } from "./dom.js";
import { ago, count, money, time } from "./format.js";
import { openDialog } from "./listing.js";
import { campaignName, valueName } from "./words.js";

const things = {
    client: { path: "clients", scope: "client", name: (id) => `Client ${id}` },
    invoice: { path: "objects", scope: "object", name: (id) => `Invoice ${id}` },
};
const payments = {
    "invoice.paid": "Paid", "invoice.partly_paid": "Partly paid", "invoice.unpaid": "Told to be unpaid",
    "invoice.refunded": "Refunded", "invoice.credited": "Credited",
};
const HEARD_TRIES = 20, HEARD_MS = 250; // until a change is known here; that takes a second

function stateName(state) {
    return state ? state.replace("_", " ") : "";
}

/* --- the timeline --- */

function routeText(row, names) {
    const campaign = row.campaign ? campaignName(String(row.campaign), names.get(row.campaign)) : "no campaign";

    return `${campaign}${row.variant ? `, variant ${row.variant}` : ""}`;
}

function rowText(row, names) {
    switch (row.type) {
    case "mail.sent":
        return `Mail sent: ${routeText(row, names)}`;
    case "click":
        return `A person clicked “${valueName("kind", row.kind ?? "")}”: ${routeText(row, names)}`;
    case "state":
        return row.replaced_by ? `Replaced by invoice ${row.replaced_by}` : `Told to be ${stateName(row.state)}`;
    case "revoked":
        return `Links that were made before ${time(row.issued_before)} were revoked` +
            (row.by ? `, with the key “${row.by}”` : "");
    case "client.opted_out":
        return "Opted out of tracking";
    case "client.opted_in":
        return "Takes part in tracking again";
    default:
        return payments[row.type] + (row.currency ? `: ${money(row.amount, row.currency)}` : "");
    }
}

/* A state that a payment of the list says as well is left out. */
function isTold(row, rows) {
    return row.type !== "state" || !rows.some((other) => other.object === row.object &&
        other.type === `invoice.${row.state}`);
}

function timeline(rows, names, withInvoice) {
    const shown = rows.filter((row) => isTold(row, rows));

    if (shown.length === 0)
        return h("p", { class: "muted small" }, "Nothing is kept. Perhaps the number is another one.");
    return h("ol", { class: "timeline" }, shown.map((row) => h("li", null,
        h("time", { datetime: row.at, title: ago(row.at) }, time(row.at)),
        h("span", null, withInvoice && row.object ? h("span", { class: "muted" }, `Invoice ${row.object}: `) : null,
            rowText(row, names)))));
}

/* --- what can be done --- */

/** Asks in a dialog; resolves with true when it was confirmed. */
function confirm(title, text, verb) {
    return new Promise((resolve) => {
        let isSure = false;
        const dialog = openDialog(title, h("div", { class: "stack" }, h("p", null, text),
            h("div", { class: "actions" },
                h("button", { class: "button", type: "button", onclick: () => {
                    isSure = true;
                    dialog.close();
                } }, verb),
                h("button", { class: "button plain", type: "button", onclick: () => dialog.close() }, "Cancel"))));

        dialog.addEventListener("close", () => resolve(isSure));
    });
}

function explain(error) {
    if (error.status === 403)
        return `This key may not do that. ${error.message}`;
    if (error.status === 503)
        return `That can’t be read or changed right now. Try again in a moment. ${error.message}`;
    return error.message;
}

class Lookup {
    constructor(context, result) {
        Object.assign(this, { context, result });
        const ids = [newId(), newId(), newId()];

        this.what = h("select", { id: ids[0] }, h("option", { value: "client" }, "Client"),
            h("option", { value: "invoice" }, "Invoice"));
        this.number = h("input", { id: ids[1], class: "input", type: "text", inputmode: "numeric",
            pattern: "[0-9]{1,10}", title: "A number of up to ten digits", required: true, autocomplete: "off" });
        this.brand = h("select", { id: ids[2] }, context.brands.map(({ name }) =>
            h("option", { value: name }, name)));
        this.form = h("form", { class: "card", onsubmit: (event) => {
            event.preventDefault();
            this.show();
        } },
        h("div", { class: "lookup" },
            h("div", { class: "field" }, h("label", { for: ids[0] }, "What to show"), this.what),
            h("div", { class: "field" }, h("label", { for: ids[1] }, "Its number"), this.number),
            context.brands.length > 1 ? h("div", { class: "field" }, h("label", { for: ids[2] }, "Brand"),
                this.brand) : null,
            h("button", { class: "button", type: "submit" }, "Show")));
        if (history.state?.lookup)
            this.set(history.state.lookup);
    }

    set({ what, number, brand }) {
        this.what.value = what;
        this.number.value = String(number);
        if (brand)
            this.brand.value = brand;
    }

    open(what, number, brand) {
        this.set({ what, number, brand });
        return this.show();
    }

    /* All that is asked for; `before` goes on with older invoices. */
    async read(before) {
        const { what, id, brand } = this.shown, path = `${things[what].path}/${id}`;
        const [kept, { clicks }, { campaigns }] = await Promise.all([
            get(`${path}/timeline`, { brand, before }), get(path, { brand }), get("campaigns", { brand })]);

        this.names = new Map(campaigns.map((one) => [one.id, one.name]));
        if (before !== undefined) {
            kept.rows = [...this.kept.rows, ...kept.rows.filter((row) => row.object)].sort((a, b) =>
                b.at.localeCompare(a.at));
            kept.objects = [...this.kept.objects, ...kept.objects];
        }
        Object.assign(this, { kept, clicks });
    }

    async show() {
        if (!this.number.value.trim())
            return;
        const shown = { what: this.what.value, id: Number(this.number.value), brand: this.brand.value };

        this.shown = shown;
        this.onShow?.();
        try {
            await this.read();
            if (this.shown !== shown)
                return;
            this.draw();
            history.replaceState({ lookup: { what: shown.what, number: shown.id, brand: shown.brand } }, "");
        } catch (error) {
            this.fail(error);
        }
    }

    fail(error) {
        if (error.status === 401)
            return;
        fill(this.result, h("div", { class: `notice ${error.status === 503 ? "warn" : "bad"} span-12`, role: "alert" },
            explain(error)));
        announce(explain(error));
    }

    draw() {
        const { what, id } = this.shown, isClient = what === "client";
        const card = (title, span, ...content) => {
            const headId = newId();

            return h("section", { class: `card span-${span}`, "aria-labelledby": headId },
                h("div", { class: "card-head" }, h("h2", { id: headId }, title)), ...content);
        };

        this.problem = h("p", { class: "notice bad small", role: "alert", hidden: true });
        fill(this.result,
            card(things[what].name(id), 6, this.facts(), this.actions()),
            card("What happened", 6, timeline(this.kept.rows, this.names, isClient),
                this.kept.is_cut ? h("p", { class: "small muted" }, "Only the newest 1,000 are shown.") : null,
                h("p", { class: "small muted" }, "Kept are mails and payments that were told, the last clicks by " +
                    "people on links of invoices, and what was revoked. Links themselves are not stored, so none " +
                    "are listed.")));
    }

    link(what, number, text) {
        return h("button", { class: "text-button", type: "button",
            onclick: () => this.open(what, number, this.shown.brand) }, text);
    }

    facts() {
        const { kept, clicks, shown } = this;
        const fact = (name, ...value) => [h("dt", null, name), h("dd", null, ...value)];
        const tags = [kept.revoked ? h("span", { class: "tag bad" }, "Links revoked") : null,
            kept.opted_out ? h("span", { class: "tag warn" }, "Opted out of tracking") : null].filter(Boolean);
        const told = kept.replaced_by ? this.link("invoice", kept.replaced_by, `Replaced by ${kept.replaced_by}`)
            : kept.state ? stateName(kept.state) : null;

        return h("dl", { class: "facts" },
            fact("Brand", kept.brand),
            fact("State", tags.length > 0 ? tags : null, told ?? (tags.length > 0 ? null : shown.what === "client" ? "Not revoked, not opted out" : "Nothing was told")),
            shown.what === "invoice" ? fact("Client", kept.client
                ? this.link("client", kept.client, `Client ${kept.client}`) : "Not known") : [],
            fact("Clicks by people", count(clicks.human)),
            fact("Clicks by machines", count(clicks.automated)),
            shown.what === "client" ? fact("Invoices", this.invoices()) : []);
    }

    invoices() {
        const { objects, next_before: below } = this.kept;

        return [objects.length === 0 ? "None found" : h("ul", { class: "plain-list" },
            objects.map((one) => h("li", null, this.link("invoice", one.id, `Invoice ${one.id}`),
                one.state ? `, ${stateName(one.state)}` : ""))),
        below === null ? null : h("p", { class: "small muted" }, `Looked through from no. ${below} on. `,
            h("button", { class: "text-button", type: "button", onclick: async () => {
                try {
                    await this.read(below);
                    this.draw();
                } catch (error) {
                    this.fail(error);
                }
            } }, "Look through older ones"))];
    }

    actions() {
        const { context, kept, shown } = this;
        const name = things[shown.what].name(shown.id), path = things[shown.what].path;
        const button = (text, onclick) => h("button", { class: "button plain", type: "button", onclick }, text);

        return h("div", { class: "stack" }, this.problem, h("div", { class: "actions" },
            !context.mayWrite ? null : kept.revoked
                ? button("Make links valid again", () => this.unrevoke(name))
                : button("Revoke its links", () => this.revoke(name)),
            shown.what === "client" && context.mayTell ? button(kept.opted_out ? "Track again" : "Stop tracking",
                () => this.track(name, kept.opted_out)) : null,
            h("a", { class: "button plain", download: `hopcount-${shown.what}-${shown.id}.json`,
                href: address(`${path}/${shown.id}/timeline`, { brand: shown.brand }) }, "Save as JSON")),
        context.mayWrite ? null : h("p", { class: "small muted" }, "This key may only read, so nothing can be " +
            "changed here."),
        shown.what === "client" ? h("details", { class: "data" }, h("summary", null, "Erase this client"),
            h("p", { class: "small" }, "That takes its figures out of Redis and tells all sinks, and can’t be " +
                "undone. Whoever runs hopcount does it on the server:"),
            h("p", { class: "command code" }, `hopcount erase --brand ${shown.brand} --client ${shown.id}`)) : null);
    }

    /* Does it, waits until this process has heard of it, and shows it. */
    async change(act, isDone, said) {
        const { shown } = this;

        this.problem.hidden = true;
        try {
            await act();
            for (let i = 0; i < HEARD_TRIES; i++) {
                await this.read();
                if (isDone(this.kept))
                    break;
                await new Promise((resolve) => setTimeout(resolve, HEARD_MS));
            }
            if (this.shown === shown)
                this.draw();
            announce(said);
        } catch (error) {
            this.problem.hidden = false;
            this.problem.textContent = explain(error);
        }
    }

    async revoke(name) {
        const { what, id, brand } = this.shown;

        if (await confirm(`Revoke all links of ${name}?`, "Links that were made up to now lead nowhere from the " +
            "next second on, on every server. New ones work. You can take it back.", "Revoke"))
            await this.change(() => post("revocations", { scope: things[what].scope, brand, id: String(id) }),
                (kept) => kept.revoked, `The links of ${name} are revoked.`);
    }

    async unrevoke(name) {
        const { what, id, brand } = this.shown;

        if (await confirm(`Make links of ${name} valid again?`, "Links that were revoked lead to their pages again.",
            "Make valid"))
            await this.change(() => remove(`revocations/${things[what].scope}/${encodeURIComponent(brand)}/${id}`),
                (kept) => !kept.revoked, `The links of ${name} are valid again.`);
    }

    async track(name, isOut) {
        const { id, brand } = this.shown;
        const text = isOut ? "Clicks are counted by link, invoice and client again, from now on. Do this only when " +
            "the client asked for it." : "Links still lead to their pages. Clicks count in sums of their campaign " +
            "only, not by link, invoice or client, and reach no other system.";

        if (await confirm(isOut ? `Track ${name} again?` : `Stop tracking ${name}?`, text,
            isOut ? "Track again" : "Stop tracking"))
            await this.change(() => post("events", { id: `dashboard-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`,
                type: isOut ? "client.opted_in" : "client.opted_out", brand, client: id }),
            (kept) => kept.opted_out !== isOut, isOut ? `${name} is tracked again.` : `${name} is no longer tracked.`);
    }
}

/** The form, and what it shows in `result`. */
export function lookup(context, result) {
    return new Lookup(context, result);
}
