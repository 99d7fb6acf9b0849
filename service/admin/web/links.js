// One link: its fields, its target, its clicks.
import { address, get } from "./api.js";
import { announce, fill, h, newId } from "./dom.js";
import { ago, count, time } from "./format.js";
import { lookup } from "./lookup.js";
import { campaignName, valueName } from "./words.js";

function fact(name, ...value) {
    return [h("dt", null, name), h("dd", null, ...value)];
}

function works(link) {
    if (link.revoked)
        return h("span", { class: "tag bad" }, "Revoked");
    if (link.used_up)
        return h("span", { class: "tag warn" }, "Used up");
    if (link.expired)
        return h("span", { class: "tag warn" }, "Expired");
    return h("span", { class: "tag good" }, "Works");
}

/* `show(what, number, brand)` shows all that is kept of it. */
function opener(show, what, number, brand) {
    return h("button", { class: "text-button", type: "button", onclick: () => show(what, number, brand) },
        `No. ${number}`);
}

function object({ object: number, state, replaced_by: newest, brand }, show) {
    if (!number)
        return "–";
    return [opener(show, "invoice", number, brand), newest ? `, replaced by no. ${newest}`
        : state ? `, ${state.replace("_", " ")}` : ""];
}

function client({ client: number, opted_out: isOptedOut, brand }, show) {
    if (!number)
        return "Not said";
    return [opener(show, "client", number, brand), isOptedOut ? ", has opted out of tracking" : ""];
}

function moment(text, none) {
    return text ? `${time(text)} (${ago(text)})` : none;
}

function facts(link, campaign, show) {
    return h("dl", { class: "facts" },
        fact("State", works(link)),
        fact("What it does", valueName("kind", link.kind)),
        fact("Leads to", link.target ? h("a", { href: link.target, rel: "noreferrer noopener",
            target: "_blank" }, link.target) : "No billing page",
        h("p", { class: "small muted" }, link.why)),
        fact("Brand", link.brand),
        fact("Invoice or object", object(link, show)),
        fact("Client", client(link, show)),
        fact("Campaign", link.campaign ? campaignName(String(link.campaign), campaign) : "None"),
        fact("Channel", valueName("channel", link.channel)),
        link.variant ? fact("Variant", link.variant) : [],
        link.arg ? fact("Argument", h("span", { class: "code" }, link.arg)) : [],
        fact("Issued", moment(link.issued_at, "–")),
        fact("Valid until", moment(link.expires_at, "For ever")),
        link.max_uses ? fact("Used", `${link.uses} of ${link.max_uses} times by people`) : [],
        link.silent ? fact("Silent", "Clicks on it are not counted") : [],
        fact("Link id", h("span", { class: "code" }, link.id)));
}

function figure(name, n, note) {
    return h("div", null, h("p", { class: "small muted" }, name),
        h("p", { class: "figure" }, count(n)), note ? h("p", { class: "change" }, note) : null);
}

function clicks(link) {
    return h("div", { class: "stack" },
        h("div", { class: "figures" },
            figure("People", link.clicks.human),
            figure("Machines", link.clicks.automated)),
        h("dl", { class: "facts" },
            fact("First click", moment(link.first_click_at, "Never clicked")),
            fact("Last click", moment(link.last_click_at, "–"))));
}

function download(text, id, format, params) {
    return h("a", { class: "button plain", download: `qr-${id}.${format}`,
        href: address(`links/${encodeURIComponent(text)}/qr.${format}`, params) },
    `Save as ${format.toUpperCase()}`);
}

function qr(text, link) {
    const source = address(`links/${encodeURIComponent(text)}/qr.svg`);

    return h("div", { class: "qr" },
        h("img", { src: source, alt: "QR code of this link", width: "176", height: "176" }),
        h("div", null,
            h("p", { class: "small muted" }, "For letters and PDF invoices. It opens this very link, " +
                "so scans count as clicks of it."),
            h("div", { class: "actions" }, download(text, link.id, "svg"),
                download(text, link.id, "png", { size: 16 }))));
}

function card(title, span, content) {
    const id = newId();

    return h("section", { class: `card span-${span}`, "aria-labelledby": id },
        h("div", { class: "card-head" }, h("h2", { id }, title)), content);
}

function explain(error) {
    if (error.status === 404)
        return "This is no valid link of any brand here. Was all of it copied? A link has at least " +
            "45 letters and digits after the host.";
    if (error.status === 503)
        return "The clicks of this link can’t be read right now. It works all the same: clicks are " +
            "redirected and kept, and will be counted. Look it up again in a moment.";
    return error.message;
}

function failure(error) {
    const isDown = error.status === 503;

    return h("div", { class: `notice ${isDown ? "warn" : "bad"} span-12`, role: "alert" },
        explain(error), isDown ? h("span", { class: "small cause" }, error.message) : null);
}

/* The name of the campaign; without it the link is shown by the campaign’s number. */
async function findName(link) {
    try {
        const { campaigns } = await get("campaigns", { brand: link.brand });

        return campaigns.find(({ id }) => id === link.campaign)?.name;
    } catch {
        return undefined;
    }
}

/* The text of a link opens an invoice, so it is secret and must not be in the address. */
function remember(text) {
    history.replaceState({ link: text }, "");
}

export function links(context) {
    const result = h("div", { class: "grid", "aria-live": "polite" });
    const inputId = newId();
    const input = h("input", { id: inputId, class: "input code", type: "text", name: "link",
        autocomplete: "off", spellcheck: "false", placeholder: "https://go.example.com/07d8tma8gs…",
        required: true, value: history.state?.link ?? "" });
    const kept = lookup(context, result);
    let isLink = !history.state?.lookup; // the link is shown, or else the client or invoice

    kept.onShow = () => {
        isLink = false;
    };

    async function show() {
        const text = input.value.trim();

        if (!text)
            return;
        try {
            const link = await get(`links/${encodeURIComponent(text)}`);

            const campaign = link.campaign ? await findName(link) : undefined;

            fill(result, card("What it is", 6, facts(link, campaign, (...what) => kept.open(...what))),
                h("div", { class: "span-6 stack" }, card("Its clicks", 12, clicks(link)),
                    card("QR code", 12, qr(text, link))));
            remember(text);
        } catch (error) {
            if (error.status === 401)
                return;
            fill(result, failure(error));
            announce(explain(error));
        }
    }

    const form = h("form", { class: "card", onsubmit: (event) => {
        event.preventDefault();
        isLink = true;
        show();
    } },
    h("div", { class: "field" },
        h("label", { for: inputId }, "The whole link, or its token"),
        h("div", { class: "search" }, input,
            h("button", { class: "button", type: "submit" }, "Look it up"))));

    return {
        title: "Links",
        intro: "Paste a link from a mail to see what it is, where it leads and who clicked, or show all that " +
            "is kept of a client or an invoice. Looking it up here is not a click.",
        filters: false,
        content: h("div", { class: "stack" }, h("div", { class: "grid" },
            h("div", { class: "span-6" }, form), h("div", { class: "span-6" }, kept.form)), result),
        cards: [],
        start: () => isLink ? show() : kept.show(),
        refresh: () => isLink && result.childElementCount > 0 && show(),
    };
}
