// The page to sign in.
import { signIn } from "./api.js";
import { fill, h, newId } from "./dom.js";
import { choose, others, t } from "./texts.js";

/** Buttons that show the page in another language, each followed by a dot. */
export function languageSwitch() {
    return others.map(([key, name]) => [h("button", { class: "text-button", type: "button", lang: key,
        onclick: () => choose(key) }, name), " · "]);
}

/** Why nobody is signed in, although a proxy names somebody; "": none does. */
export function whyRefused({ refused, name, detail }) {
    if (refused === "no_role")
        return t("signin.no_role", { name });
    return refused === "bad_proxy" ? t("signin.bad_proxy", { detail }) : "";
}

/** Shows the form in `root`; resolves with the session. */
export function askForKey(root, message) {
    const id = newId(), noteId = newId();
    const input = h("input", { id, class: "input code", type: "password", name: "key",
        autocomplete: "current-password", spellcheck: "false", required: true,
        "aria-describedby": noteId });
    const problem = h("p", { class: "notice bad", role: "alert", hidden: true });
    const button = h("button", { class: "button", type: "submit" }, t("signin.sign_in"));

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
                h("div", { class: "field" }, h("label", { for: id }, t("signin.api_key")), input,
                    h("p", { class: "small muted", id: noteId }, t("signin.hint", { add: h("code", null, "hopcount apikey --name you " +
                        "--scope stats:read --add /etc/hopcount/api-keys"),
                    reload: h("code", null, "systemctl reload hopcount") }))),
                button,
                h("p", { class: "small muted" }, languageSwitch(), t("signin.programs", { link: h("a", { href: "api" }, t("common.api_reference")) })))));
        say(message);
        input.focus();
    });
}
