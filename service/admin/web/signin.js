// The page to sign in.
import { signIn } from "./api.js";
import { fill, h, newId } from "./dom.js";
import { choose, others, t } from "./texts.js";

/** Buttons that show the page in another language, each followed by a dot. */
export function languageSwitch() {
    return others.map(([key, name]) => [h("button", { class: "text-button", type: "button", lang: key,
        onclick: () => choose(key) }, name), " · "]);
}

/* What a visit to the provider came to, as the address says (service/admin/oidc.h). */
const outcomes = {
    unreachable: (name) => t("signin.unreachable", { name }), refused: (name) => t("signin.refused", { name }),
    no_role: (name) => t("signin.no_role_at", { name }), lost: () => t("signin.lost"),
    invalid: (name) => t("signin.invalid", { name }), busy: () => t("signin.busy"),
};

/** Takes from the address what came of a visit to the provider. */
export function takeOutcome() {
    const url = new URL(location.href);
    const outcome = url.searchParams.get("sign_in");

    if (outcome !== null) {
        url.searchParams.delete("sign_in");
        history.replaceState(null, "", url);
    }
    return outcome;
}

/** Why nobody is signed in, although provider or proxy name somebody; "": neither does. */
export function whyRefused({ refused, name, detail, sign_in_with: provider }, outcome) {
    if (provider && Object.hasOwn(outcomes, outcome))
        return outcomes[outcome](provider);
    if (refused === "no_role")
        return t("signin.no_role", { name });
    return refused === "bad_proxy" ? t("signin.bad_proxy", { detail }) : "";
}

/* The way to the provider, and back to this view. */
function providerLink(name) {
    const to = location.pathname.split("/").at(-1) + location.search;

    return h("a", { class: "button", href: `../v1/session/oidc?${new URLSearchParams(to ? { to } : {})}` },
        t("signin.with", { name }));
}

/** Shows the form in `root`, and the way to a provider if there is one; resolves with the session.  Where a proxy says
 *  who it is and that is `refused`, neither would count: only the reason is shown. */
export function askForKey(root, message, { sign_in_with: provider, refused }) {
    const id = newId(), noteId = newId();
    const input = h("input", { id, class: "input code", type: "password", name: "key",
        autocomplete: "current-password", spellcheck: "false", required: true,
        "aria-describedby": noteId });
    const problem = h("p", { class: "notice bad", role: "alert", hidden: true });
    const button = h("button", { class: provider ? "button plain" : "button", type: "submit" }, t("signin.sign_in"));
    const again = h("button", { class: "button", type: "button", onclick: () => location.reload() }, t("common.try_again"));

    function say(text) {
        problem.hidden = !text;
        problem.textContent = text;
    }

    return new Promise((resolve) => {
        async function submit(event) {
            event.preventDefault();
            button.disabled = true;
            say("");
            try {
                resolve(await signIn(input.value.trim()));
            } catch (error) {
                say(error.status === 401 ? t("signin.there_is_no_such") : error.message);
                input.select();
            }
            button.disabled = false;
        }

        fill(root, h("main", { class: "gate", id: "content" },
            h("form", { onsubmit: submit },
                h("span", { class: "brand" }, h("img", { src: "icon.svg", alt: "" }), "hopcount"),
                h("div", null, h("h1", null, t("signin.sign_in")),
                    h("p", { class: "muted" }, t("signin.see_which_links_in"))),
                problem,
                refused ? again : [
                    provider ? [providerLink(provider), h("p", { class: "or small muted" }, t("signin.or_key"))] : null,
                    h("div", { class: "field" }, h("label", { for: id }, t("signin.api_key")), input,
                        h("p", { class: "small muted", id: noteId }, t("signin.hint", { add: h("code", null, "hopcount apikey --name you " +
                            "--scope stats:read --add /etc/hopcount/api-keys"),
                        reload: h("code", null, "systemctl reload hopcount") }))),
                    button],
                h("p", { class: "small muted" }, languageSwitch(), t("signin.programs", { link: h("a", { href: "api" }, t("common.api_reference")) })))));
        say(message);
        (refused ? again : root.querySelector("a.button") ?? input).focus();
    });
}
