// The page to sign in.
import { signIn } from "./api.js";
import { fill, h, newId } from "./dom.js";

/** Shows the form in `root`; resolves with the session. */
export function askForKey(root, message) {
    const id = newId(), noteId = newId();
    const input = h("input", { id, class: "input code", type: "password", name: "key",
        autocomplete: "current-password", spellcheck: "false", required: true,
        "aria-describedby": noteId });
    const problem = h("p", { class: "notice bad", role: "alert", hidden: true });
    const button = h("button", { class: "button", type: "submit" }, "Sign in");

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
                say(error.status === 401 ? "There is no such API key." : error.message);
                input.select();
            }
            button.disabled = false;
        }

        fill(root, h("main", { class: "gate", id: "content" },
            h("form", { onsubmit: submit },
                h("span", { class: "brand" }, h("img", { src: "icon.svg", alt: "" }), "hopcount"),
                h("div", null, h("h1", null, "Sign in"),
                    h("p", { class: "muted" }, "See which links in your e-mails get clicked, by whom " +
                        "and when.")),
                problem,
                h("div", { class: "field" }, h("label", { for: id }, "API key"), input,
                    h("p", { class: "small muted", id: noteId }, "Starts with hc_. Whoever runs " +
                        "hopcount makes one: ", h("code", null, "hopcount apikey --name you " +
                        "--scope stats:read --add /etc/hopcount/api-keys"), ", and reloads " +
                        "hopcountd: ", h("code", null, "systemctl reload hopcount"))),
                button,
                h("p", { class: "small muted" }, "Programs use the same keys: ",
                    h("a", { href: "api" }, "API reference")))));
        say(message);
        input.focus();
    });
}
