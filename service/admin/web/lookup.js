// A client or an invoice: what is kept of it, and what can be done about it.
import { address, get, post, remove } from "./api.js";
import { announce, fill, h, newId } from "./dom.js";
import { readFilters } from "./filters.js";
import { ago, count, many, money, time } from "./format.js";
import { openDialog } from "./listing.js";
import { t } from "./texts.js";
import { campaignName, stateName, valueName } from "./words.js";

const things = {
    client: { path: "clients", scope: "client", name: (id) => t("lookup.client_n", { id: String(id) }) },
    invoice: { path: "objects", scope: "object", name: (id) => t("lookup.invoice_n", { id: String(id) }) },
};
const payments = {
    "invoice.paid": t("lookup.paid"), "invoice.partly_paid": t("lookup.partly_paid"), "invoice.unpaid": t("lookup.told_to_be_unpaid"),
    "invoice.refunded": t("lookup.refunded"), "invoice.credited": t("lookup.credited"),
};
const erasedSteps = {
    clicks: (n) => t("lookup.step_clicks", { n }), invoices: (n) => t("lookup.step_invoices", { n }),
    requests: (n) => t("lookup.step_requests", { n }), uses: (n) => t("lookup.step_uses", { n }),
    waiting: (n) => t("lookup.step_waiting", { n }), audit_entries: (n) => t("lookup.step_audit_entries", { n }),
};
const PROGRESS_MS = 2000, PROGRESS_TRIES = 30; // sinks are told within seconds, if they can be reached
const HEARD_TRIES = 20, HEARD_MS = 250; // until a change is known here; that takes a second

/* --- the timeline --- */

function routeText(row, names) {
    const campaign = row.campaign ? campaignName(String(row.campaign), names.get(row.campaign)) : t("lookup.no_campaign");

    return row.variant ? t("lookup.route", { campaign, variant: row.variant }) : campaign;
}

function rowText(row, names) {
    switch (row.type) {
    case "mail.sent":
        return t("lookup.mail_sent", { route: routeText(row, names) });
    case "click":
        return t("lookup.clicked", { kind: valueName("kind", row.kind ?? ""), route: routeText(row, names) });
    case "state":
        return row.replaced_by ? t("lookup.replaced", { id: String(row.replaced_by) })
            : t("lookup.told", { state: stateName(row.state ?? "") });
    case "revoked":
        return row.by ? t("lookup.revoked_by", { at: time(row.issued_before), by: row.by })
            : t("lookup.revoked", { at: time(row.issued_before) });
    case "link.renewal_requested":
        return t("lookup.asked_for_a_fresh", { kind: valueName("kind", row.kind ?? "") });
    case "link.used":
        return t("lookup.used_a_link_up", { kind: valueName("kind", row.kind ?? "") });
    case "client.opted_out":
        return t("lookup.opted_out_of_tracking");
    case "client.opted_in":
        return t("lookup.takes_part_in_tracking");
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
        return h("p", { class: "muted small" }, t("lookup.nothing_is_kept_perhaps"));
    return h("ol", { class: "timeline" }, shown.map((row) => h("li", null,
        h("time", { datetime: row.at, title: ago(row.at) }, time(row.at)),
        h("span", null, withInvoice && row.object ? h("span", { class: "muted" }, `${t("lookup.of_invoice", { id: String(row.object) })} `) : null,
            rowText(row, names)))));
}

/* --- an erasure --- */

const sinksTexts = {
    none: () => t("lookup.step_sinks_none"),
    done: () => t("lookup.step_sinks_done"),
    waiting: ({ n }) => t("lookup.step_sinks_waiting", { n }),
    lost: ({ names }) => t("lookup.step_sinks_lost", { names: names.join(", ") }),
    elsewhere: ({ host }) => t("lookup.step_sinks_elsewhere", { host }),
};

function stepText(one) {
    const { step, state, n, until, host } = one;

    if (step === "sinks")
        return sinksTexts[state](one);
    if (step === "logs")
        return state === "elsewhere" ? t("lookup.step_logs_elsewhere", { host }) : state === "done"
            ? t("lookup.step_logs_done", { until: time(until) }) : t("lookup.step_logs_waiting", { until: time(until) });
    return erasedSteps[step](count(n));
}

function stepTag({ state }) {
    if (state === "lost")
        return h("span", { class: "tag bad" }, t("lookup.step_is_lost"));
    return state === "waiting" || state === "elsewhere" ? h("span", { class: "tag warn" }, t("lookup.step_is_open"))
        : h("span", { class: "tag" }, t("lookup.step_is_done"));
}

function progressList({ steps, is_over: isOver }) {
    return h("div", { class: "stack" },
        h("h3", null, isOver ? t("lookup.erasure_is_over") : steps.some(({ state }) => state === "lost") ? t("lookup.erasure_is_not_whole")
            : t("lookup.erasure_goes_on")),
        h("ul", { class: "plain-list small" }, steps.map((one) => h("li", null, stepTag(one), " ", stepText(one)))),
        h("p", { class: "small muted" }, t("lookup.erasure_leaves")));
}

/* --- what can be done --- */

/** Asks in a dialog; resolves with true when it was confirmed. */
export function confirm(title, text, verb) {
    return new Promise((resolve) => {
        let isSure = false;
        const dialog = openDialog(title, h("div", { class: "stack" }, h("p", null, text),
            h("div", { class: "actions" },
                h("button", { class: "button", type: "button", onclick: () => {
                    isSure = true;
                    dialog.close();
                } }, verb),
                h("button", { class: "button plain", type: "button", onclick: () => dialog.close() }, t("lookup.cancel")))));

        dialog.addEventListener("close", () => resolve(isSure));
    });
}

/** Asks in a dialog for the number to be typed; resolves with true when it was. */
function confirmByNumber(title, text, id, verb) {
    return new Promise((resolve) => {
        const inputId = newId();
        let isSure = false;
        const input = h("input", { id: inputId, class: "input", type: "text", inputmode: "numeric", autocomplete: "off",
            oninput: () => { button.disabled = input.value.trim() !== String(id); } });
        const button = h("button", { class: "button", type: "submit", disabled: true }, verb);
        const dialog = openDialog(title, h("form", { class: "stack", onsubmit: (event) => {
            event.preventDefault();
            isSure = true;
            dialog.close();
        } }, h("p", null, text),
        h("div", { class: "field" }, h("label", { for: inputId }, t("lookup.type_its_number", { id: String(id) })), input),
        h("div", { class: "actions" }, button,
            h("button", { class: "button plain", type: "button", onclick: () => dialog.close() }, t("lookup.cancel")))));

        input.focus();
        dialog.addEventListener("close", () => resolve(isSure));
    });
}

/** Reads again until what was changed is known to this process, or for some seconds. */
export async function untilHeard(read, isDone) {
    for (let i = 0; i < HEARD_TRIES; i++) {
        if (isDone(await read()))
            return;
        await new Promise((resolve) => setTimeout(resolve, HEARD_MS));
    }
}

/** Why something can't be read or changed. */
export function explain(error) {
    if (error.status === 403)
        return t("lookup.forbidden", { message: error.message });
    if (error.status === 503)
        return t("lookup.down", { message: error.message });
    return error.message;
}

class Lookup {
    constructor(context, result) {
        Object.assign(this, { context, result });
        const ids = [newId(), newId(), newId()];

        this.what = h("select", { id: ids[0] }, h("option", { value: "client" }, t("common.client")),
            h("option", { value: "invoice" }, t("lookup.invoice")));
        this.number = h("input", { id: ids[1], class: "input", type: "text", inputmode: "numeric",
            pattern: "[0-9]{1,10}", title: t("lookup.a_number_of_up"), required: true, autocomplete: "off" });
        this.brand = h("select", { id: ids[2] }, context.brands.map(({ name }) =>
            h("option", { value: name, selected: name === readFilters().brand }, name)));
        this.form = h("form", { class: "card", onsubmit: (event) => {
            event.preventDefault();
            this.show();
        } },
        h("div", { class: "lookup" },
            h("div", { class: "field" }, h("label", { for: ids[0] }, t("lookup.what_to_show")), this.what),
            h("div", { class: "field" }, h("label", { for: ids[1] }, t("lookup.its_number")), this.number),
            context.brands.length > 1 ? h("div", { class: "field" }, h("label", { for: ids[2] }, t("common.brand")),
                this.brand) : null,
            h("button", { class: "button", type: "submit" }, t("lookup.show"))));
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
            await this.readErasure(shown);
            if (this.shown !== shown)
                return;
            this.draw();
            this.remember();
        } catch (error) {
            this.fail(error);
        }
    }

    /* How far an erasure is that this page has begun. */
    async readErasure(shown) {
        const { what, number, brand, erasure } = history.state?.lookup ?? {};

        if (!erasure || what !== shown.what || number !== shown.id || brand !== shown.brand)
            return;
        const progress = await get(`erasures/${erasure}`).catch(() => null);

        if (progress)
            this.progress = { ...progress, of: shown };
    }

    remember() {
        const { shown, progress } = this, erasure = progress?.of === shown ? progress.erasure : null;

        history.replaceState({ lookup: { what: shown.what, number: shown.id, brand: shown.brand, erasure } }, "");
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

        if (this.progress?.of !== this.shown)
            this.progress = null;
        this.said = h("p", { class: "notice small", role: "status", hidden: true });
        this.problem = h("p", { class: "notice bad small", role: "alert", hidden: true });
        fill(this.result,
            card(things[what].name(id), 6, this.facts(),
                h("div", { class: "stack" }, this.actions(), this.progress ? progressList(this.progress) : null)),
            card(t("lookup.what_happened"), 6, timeline(this.kept.rows, this.names, isClient),
                this.kept.is_cut ? h("p", { class: "small muted" }, t("lookup.only_the_newest_1")) : null,
                h("p", { class: "small muted" }, t("lookup.kept_are_mails_and"), isClient ? ` ${t("lookup.uses_are_kept")}` : null)));
    }

    link(what, number, text) {
        return h("button", { class: "text-button", type: "button",
            onclick: () => this.open(what, number, this.shown.brand) }, text);
    }

    facts() {
        const { kept, clicks, shown } = this;
        const fact = (name, ...value) => [h("dt", null, name), h("dd", null, ...value)];
        const tags = [kept.revoked ? h("span", { class: "tag bad" }, t("lookup.links_revoked")) : null,
            kept.opted_out ? h("span", { class: "tag warn" }, t("lookup.opted_out_of_tracking")) : null].filter(Boolean);
        const told = kept.replaced_by ? this.link("invoice", kept.replaced_by, t("lookup.replaced_by", { id: String(kept.replaced_by) }))
            : kept.state ? stateName(kept.state) : null;

        return h("dl", { class: "facts" },
            fact(t("common.brand"), kept.brand),
            fact(t("common.state"), tags.length > 0 ? tags : null, told ?? (tags.length > 0 ? null : shown.what === "client" ? t("lookup.not_revoked_not_opted") : t("lookup.nothing_was_told"))),
            shown.what === "invoice" ? fact(t("common.client"), kept.client
                ? this.link("client", kept.client, t("lookup.client_n", { id: String(kept.client) })) : t("lookup.not_known")) : [],
            fact(t("lookup.clicks_by_people"), count(clicks.human)),
            fact(t("lookup.clicks_by_machines"), count(clicks.automated)),
            shown.what === "client" ? fact(t("lookup.invoices"), this.invoices()) : []);
    }

    invoices() {
        const { objects, next_before: below } = this.kept;

        return [objects.length === 0 ? t("lookup.none_found") : h("ul", { class: "plain-list" },
            objects.map((one) => h("li", null, this.link("invoice", one.id, t("lookup.invoice_n", { id: String(one.id) })),
                one.state ? `, ${stateName(one.state)}` : ""))),
        below === null ? null : h("p", { class: "small muted" }, `${t("lookup.looked_from", { id: String(below) })} `,
            h("button", { class: "text-button", type: "button", onclick: async () => {
                try {
                    await this.read(below);
                    this.draw();
                } catch (error) {
                    this.fail(error);
                }
            } }, t("lookup.look_through_older_ones")))];
    }

    actions() {
        const { context, kept, shown } = this;
        const name = things[shown.what].name(shown.id), path = things[shown.what].path;
        const button = (text, onclick) => h("button", { class: "button plain", type: "button", onclick }, text);

        return h("div", { class: "stack" }, this.problem, this.said, h("div", { class: "actions" },
            !context.mayWrite ? null : kept.revoked
                ? button(t("lookup.make_links_valid_again"), () => this.unrevoke(name))
                : button(t("lookup.revoke_its_links"), () => this.revoke(name)),
            shown.what === "client" && context.mayTell ? button(kept.opted_out ? t("lookup.track_again") : t("lookup.stop_tracking"),
                () => this.track(name, kept.opted_out)) : null,
            shown.what === "client" && context.mayErase ? button(t("lookup.erase_this_client"), () => this.erase(name)) : null,
            h("a", { class: "button plain", download: `hopcount-${shown.what}-${shown.id}.json`,
                href: address(`${path}/${shown.id}/timeline`, { brand: shown.brand, for: "file" }) }, t("lookup.save_as_json"))),
        context.mayWrite || context.mayErase ? null : h("p", { class: "small muted" }, t("lookup.this_key_may_only")),
        shown.what === "client" && !context.mayErase ? h("details", { class: "data" }, h("summary", null, t("lookup.erase_this_client")),
            h("p", { class: "small" }, t("lookup.that_takes_its_figures")),
            h("p", { class: "command code" }, `hopcount erase --brand ${shown.brand} --client ${shown.id}`)) : null);
    }

    /* Does it, waits until this process has heard of it, and shows it. */
    async change(act, isDone, said) {
        const { shown } = this;

        this.problem.hidden = true;
        try {
            await act();
            await untilHeard(async () => {
                await this.read();
                return this.kept;
            }, isDone);
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

        if (await confirm(t("lookup.revoke_all", { name }), t("lookup.links_that_were_made"), t("lookup.revoke")))
            await this.change(() => post("revocations", { scope: things[what].scope, brand, id: String(id) }),
                (kept) => kept.revoked, t("lookup.are_revoked", { name }));
    }

    async unrevoke(name) {
        const { what, id, brand } = this.shown;

        if (await confirm(t("lookup.make_valid_again", { name }), t("lookup.links_that_were_revoked"),
            t("lookup.make_valid")))
            await this.change(() => remove(`revocations/${things[what].scope}/${encodeURIComponent(brand)}/${id}`),
                (kept) => !kept.revoked, t("lookup.are_valid", { name }));
    }

    async erase(name) {
        const { id, brand } = this.shown, path = `clients/${id}?brand=${encodeURIComponent(brand)}`;

        if (!await confirmByNumber(t("lookup.erase_name", { name }), t("lookup.that_takes_all"), id, t("lookup.erase")))
            return;
        this.problem.hidden = true;
        this.said.hidden = false;
        this.said.textContent = t("lookup.is_being_erased", { name });
        try {
            const { shown } = this, { erased, progress } = await remove(path);

            await this.read();
            this.progress = { ...progress, of: shown };
            this.draw();
            this.remember();
            this.follow(progress.erasure);
            this.said.hidden = false;
            this.said.textContent = t("lookup.is_erased", { name, clicks: many(erased.clicks, "click"), invoices: count(erased.invoices) });
            announce(this.said.textContent);
        } catch (error) {
            this.said.hidden = true;
            this.problem.hidden = false;
            this.problem.textContent = explain(error);
        }
    }

    /* Shows how far an erasure is, while its client is shown and sinks are being told. */
    async follow(erasure) {
        const { shown } = this;
        const isOpen = () => this.shown === shown && this.progress?.steps.some((one) => one.step === "sinks" && one.state === "waiting");

        for (let i = 0; erasure && i < PROGRESS_TRIES && isOpen(); i++) {
            await new Promise((resolve) => setTimeout(resolve, PROGRESS_MS));
            const said = this.said?.textContent;
            const progress = isOpen() ? await get(`erasures/${erasure}`).catch(() => null) : null;

            if (!progress || !isOpen())
                continue;
            this.progress = { ...progress, of: shown };
            this.draw();
            this.said.hidden = !said;
            this.said.textContent = said;
        }
    }

    async track(name, isOut) {
        const { id, brand } = this.shown;
        const text = isOut ? t("lookup.clicks_are_counted_by") : t("lookup.links_still_lead_to");

        if (await confirm(isOut ? t("lookup.track_name_again", { name }) : t("lookup.stop_tracking_name", { name }), text,
            isOut ? t("lookup.track_again") : t("lookup.stop_tracking")))
            await this.change(() => post("events", { id: `dashboard-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`,
                type: isOut ? "client.opted_in" : "client.opted_out", brand, client: id }),
            (kept) => kept.opted_out !== isOut, isOut ? t("lookup.is_tracked", { name }) : t("lookup.not_tracked", { name }));
    }
}

/** The form, and what it shows in `result`. */
export function lookup(context, result) {
    return new Lookup(context, result);
}
