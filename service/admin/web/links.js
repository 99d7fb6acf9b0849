// One link: its fields, its target, its clicks.
import { address, get, post, remove } from "./api.js";
import { announce, fill, h, newId } from "./dom.js";
import { ago, count, time } from "./format.js";
import { confirm, explain as explainChange, lookup, untilHeard } from "./lookup.js";
import { linkSentence, whyWrapped } from "./sentences.js";
import { t } from "./texts.js";
import { campaignName, stateName, valueName } from "./words.js";

function fact(name, ...value) {
    return [h("dt", null, name), h("dd", null, ...value)];
}

function works(link) {
    if (link.revoked)
        return h("span", { class: "tag bad" }, t("links.revoked"));
    if (link.used_up)
        return h("span", { class: "tag warn" }, t("links.used_up"));
    if (link.expired)
        return h("span", { class: "tag warn" }, t("links.expired"));
    return h("span", { class: "tag good" }, t("links.works"));
}

/* `show(what, number, brand)` shows all that is kept of it. */
function opener(show, what, number, brand) {
    return h("button", { class: "text-button", type: "button", onclick: () => show(what, number, brand) },
        t("links.number", { number: String(number) }));
}

function object({ object: number, state, replaced_by: newest, brand }, show) {
    if (!number)
        return "–";
    return [opener(show, "invoice", number, brand), newest ? t("links.replaced", { newest: String(newest) })
        : state ? `, ${stateName(state)}` : ""];
}

function client({ client: number, opted_out: isOptedOut, brand }, show) {
    if (!number)
        return t("links.not_said");
    return [opener(show, "client", number, brand), isOptedOut ? t("links.has_opted_out") : ""];
}

function moment(text, none) {
    return text ? `${time(text)} (${ago(text)})` : none;
}

function facts(link, campaign, show) {
    return h("dl", { class: "facts" },
        fact(t("common.state"), works(link)),
        fact(t("common.what_it_does"), valueName("kind", link.kind)),
        fact(t("links.leads_to"), link.target ? h("a", { href: link.target, rel: "noreferrer noopener",
            target: "_blank" }, link.target) : t("links.no_billing_page"),
        h("p", { class: "small muted" }, linkSentence(link.why))),
        fact(t("common.brand"), link.brand),
        fact(t("links.invoice_or_object"), object(link, show)),
        fact(t("common.client"), client(link, show)),
        fact(t("common.campaign"), link.campaign ? campaignName(String(link.campaign), campaign) : t("links.none")),
        fact(t("common.channel"), valueName("channel", link.channel)),
        link.variant ? fact(t("common.variant"), link.variant) : [],
        link.arg ? fact(t("links.argument"), h("span", { class: "code" }, link.arg)) : [],
        fact(t("links.issued"), moment(link.issued_at, "–")),
        fact(t("links.valid_until"), moment(link.expires_at, t("links.for_ever"))),
        link.max_uses ? fact(t("links.used"), t("links.uses", { uses: link.uses, max: link.max_uses })) : [],
        link.silent ? fact(t("links.silent"), t("links.clicks_on_it_are")) : [],
        link.wrapped_by.length > 0 ? fact(t("links.wrapped_by"), link.wrapped_by.join(", ")) : [],
        fact(t("links.link_id"), h("span", { class: "code" }, link.id)));
}

function figure(name, n, note) {
    return h("div", null, h("p", { class: "small muted" }, name),
        h("p", { class: "figure" }, count(n)), note ? h("p", { class: "change" }, note) : null);
}

function clicks(link) {
    return h("div", { class: "stack" },
        h("div", { class: "figures" },
            figure(t("common.people"), link.clicks.human),
            figure(t("common.machines"), link.clicks.automated)),
        h("dl", { class: "facts" },
            fact(t("links.first_click"), moment(link.first_click_at, t("links.never_clicked"))),
            fact(t("common.last_click"), moment(link.last_click_at, "–"))));
}

function download(text, id, format, params) {
    return h("a", { class: "button plain", download: `qr-${id}.${format}`,
        href: address(`links/${encodeURIComponent(text)}/qr.${format}`, params) },
    t("links.save_as", { format: format.toUpperCase() }));
}

function qr(text, link) {
    const source = address(`links/${encodeURIComponent(text)}/qr.svg`);

    return h("div", { class: "qr" },
        h("img", { src: source, alt: t("links.qr_code_of_this"), width: "176", height: "176" }),
        h("div", null,
            h("p", { class: "small muted" }, t("links.for_letters_and_pdf")),
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
        return whyWrapped(error.detail) ?? t("links.this_is_no_valid");
    if (error.status === 503)
        return t("links.the_clicks_of_this");
    return error.message;
}

function failure(error) {
    const isDown = error.status === 503;

    return h("div", { class: `notice ${isDown ? "warn" : "bad"} span-12`, role: "alert" },
        explain(error), isDown ? h("span", { class: "small cause", lang: "en" }, error.detail) : null);
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

/* --- revoking it --- */

/* Whether the link was revoked itself, and not its invoice, client or campaign; false, too, for whom
 * the list does not show links. */
async function isRevokedItself(link) {
    if (!link.revoked)
        return false;
    try {
        const { revocations } = await get("revocations");

        return revocations.some(({ scope, id }) => scope === "link" && id === link.id);
    } catch {
        return false;
    }
}

/* A button, or nothing when a link is revoked for another reason; `show()` shows the link anew. */
function change(text, link, isItself, show) {
    const problem = h("p", { class: "notice bad small", role: "alert", hidden: true });
    const button = (verb, onclick) => h("div", { class: "stack" }, problem, h("div", { class: "actions" },
        h("button", { class: "button plain", type: "button", onclick }, verb)));
    const act = async (send, isRevoked, said) => {
        problem.hidden = true;
        try {
            await send();
            await untilHeard(() => get(`links/${encodeURIComponent(text)}`), ({ revoked }) => revoked === isRevoked);
            await show();
            announce(said);
        } catch (error) {
            problem.hidden = false;
            problem.textContent = explainChange(error);
        }
    };

    if (!link.revoked)
        return button(t("links.revoke"), async () => {
            if (await confirm(t("links.revoke_this"), t("links.leads_nowhere"), t("lookup.revoke")))
                await act(() => post("revocations", { scope: "link", brand: link.brand, id: link.id }), true, t("links.is_revoked"));
        });
    return isItself ? button(t("links.make_valid_again"), async () => {
        if (await confirm(t("links.make_this_valid_again"), t("links.leads_on_again"), t("lookup.make_valid")))
            await act(() => remove(`revocations/link/${encodeURIComponent(link.brand)}/${link.id}`), false, t("links.is_valid"));
    }) : null;
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
            const button = context.mayWrite ? change(text, link, await isRevokedItself(link), show) : null;

            fill(result, card(t("links.what_it_is"), 6, [facts(link, campaign, (...what) => kept.open(...what)), button]),
                h("div", { class: "span-6 stack" }, card(t("links.its_clicks"), 12, clicks(link)),
                    card(t("common.qr_code"), 12, qr(text, link))));
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
        h("label", { for: inputId }, t("links.the_whole_link_or")),
        h("div", { class: "search" }, input,
            h("button", { class: "button", type: "submit" }, t("links.look_it_up")))));

    return {
        title: t("common.links"),
        intro: t("links.paste_a_link_from"),
        filters: false,
        content: h("div", { class: "stack" }, h("div", { class: "grid" },
            h("div", { class: "span-6" }, form), h("div", { class: "span-6" }, kept.form)), result),
        cards: [],
        start: () => isLink ? show() : kept.show(),
        refresh: () => isLink && result.childElementCount > 0 && show(),
    };
}
