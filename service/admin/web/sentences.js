// Sentences that the server writes in English, in the reader's language.  What libraries and Redis
// itself say stays as it is.
import { h } from "./dom.js";
import { language, t } from "./texts.js";
import { stateName, valueName } from "./words.js";

const kind = (key) => valueName("kind", key);
const state = (text) => stateName(text.replace(" ", "_"));

/* [what begins a text, its translation of what was found]; of a link (service/admin/lead.c): */
const ofLinks = [
    [/^Invoice (\d+) has replaced invoice (\d+) and is (partly paid|\w+)/, (id, old, what) => t("sentences.replaced_and_is", { id, old, state: state(what) })],
    [/^Invoice (\d+) has replaced invoice (\d+)/, (id, old) => t("sentences.replaced", { id, old })],
    [/^Invoice (\d+) is (partly paid|\w+)/, (id, what) => t("sentences.invoice_is", { id, state: state(what) })],
    [/^Nothing was said of invoice (\d+)/, (id) => t("sentences.nothing_was_said", { id })],
    [/^It is about no invoice/, () => t("sentences.about_no_invoice")],
    [/^: a click gets a page with a button that opts client (\d+) out of tracking\./, (id) => t("sentences.opts_out", { id })],
    [/^: a click gets a page that says there is nothing to pay\./, () => t("sentences.nothing_to_pay")],
    [/^, but the brand has no target for this kind, or it needs an argument that the link lacks: a click gets a 404\./,
        () => t("sentences.no_target")],
    [/^: a click leads where the configuration says for that\./, () => t("sentences.as_configured")],
    [/^: a click leads where a (\S+) link of invoice (\d+) leads\./, (key, id) => t("sentences.as_link_of", { kind: kind(key), id })],
    [/^: a click leads where a (\S+) link leads\./, (key) => t("sentences.as_link", { kind: kind(key) })],
    [/^ A page with a button comes first, and one press uses the link up\./, () => ` ${t("sentences.button_once")}`],
    [/^ A page with a button comes first\./, () => ` ${t("sentences.button")}`],
    [/^It has expired: a click gets a page that says so and offers the way into the account\./, () => t("sentences.expired")],
    [/^It is revoked: a click gets a page that says it was withdrawn\./, () => t("sentences.revoked_page")],
    [/^It is revoked: a click is answered as one on an unknown link, by a 404\./, () => t("sentences.revoked")],
    [/^This process has not heard from Redis yet what became of links: a click gets a page that asks to try again in a moment\./,
        () => t("sentences.not_heard")],
    [/^It was used, and is good for one use: a click gets a page that says so and offers the way into the account\./,
        () => t("sentences.used")],
    [/^People have used it (\d+) times?, and it is good for (\d+): a click gets a page that says so and offers the way into the account\./,
        (n, of) => t("sentences.used_up", { times: n, of })],
    [/^ Client (\d+) has opted out of tracking: clicks count in sums of the campaign only\./, (id) => ` ${t("sentences.opted_out", { id })}`],
];
/* Of a page that is watched (service/checks/probe.c), and of the connection to Redis (service/redis). */
const ofOthers = [
    [/^it answers (\d+) where a link leads on; does base_url lead to hopcountd\?$/, (status) => t("sentences.answers_no_redirect", { status })],
    [/^it answers (\d+) with a page of more than (\d+) KiB$/, (status, size) => t("sentences.answers_too_much", { status, size })],
    [/^it answers (\d+)$/, (status) => t("sentences.answers", { status })],
    [/^the page lacks '(.*)'$/s, (text) => t("sentences.lacks", { text })],
    [/^more than (\d+) redirects$/, (n) => t("sentences.redirects", { number: n })],
    [/^Redis did not answer in time$/, () => t("sentences.redis_late")],
    [/^the cluster has no map of its slots$/, () => t("sentences.no_slots")],
    [/^the sentinels name another master$/, () => t("sentences.another_master")],
];

/* The whole text, piece by piece; null: there is a piece that is not ours. */
function translate(text, list) {
    let left = text, said = "";

    while (left !== "") {
        const found = list.map(([pattern, say]) => [pattern.exec(left), say]).find(([match]) => match);

        if (!found)
            return null;
        said += found[1](...found[0].slice(1));
        left = left.slice(found[0][0].length);
    }
    return said;
}

/* What can't be said otherwise is marked as English, for who has it read aloud. */
function show(text, list) {
    const said = language === "en" ? text : translate(text, list);

    return said ?? h("span", { lang: "en" }, text);
}

/** Why a link leads where it does. */
export function linkSentence(text) {
    return show(text, ofLinks);
}

/** What a gateway has put around a link, so that nothing can be said of it (proto/unwrap.c); null: nothing. */
export function whyWrapped(text) {
    const [, by, why] = /^(.+) wrapped this link, (and|but) /.exec(text) ?? [];

    return by ? t(why === "and" ? "links.sealed_by" : "links.damaged_by", { by }) : null;
}

/** What is wrong with a page that is watched, or with Redis, behind the address that may stand before it. */
export function faultSentence(text) {
    const [, where, what] = /^(\S+:\d+: )?(.*)$/s.exec(text);
    const said = language === "en" ? what : translate(what, ofOthers);

    return said === null ? h("span", { lang: "en" }, text) : (where ?? "") + said;
}
