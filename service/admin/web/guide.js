// The first steps, while no link of a brand has ever been clicked: empty boxes would say nothing.
import { stats } from "./api.js";
import { fill, h } from "./dom.js";
import { nameForm } from "./names.js";

/** Whether a link of the brand has been clicked, ever. */
export async function isClicked({ brand }) {
    return (await stats({ brand, from: "19y", group_by: "kind" })).total.total > 0;
}

function step(name, ...content) {
    return h("li", { class: "card" }, h("h2", null, name), content);
}

function command(text) {
    return h("pre", { class: "command" }, h("code", null, text));
}

/* For those whose key may name campaigns. */
function nameStep(context, filters) {
    const place = h("div", { class: "after" });
    const said = h("p", { class: "small muted", role: "status" });
    const button = h("button", { class: "button plain small", type: "button", onclick: () => {
        const { form, focus } = nameForm(null, filters, (key) => {
            fill(place, button);
            button.focus();
            if (key)
                said.textContent = `Campaign ${key} has its name.`;
        });

        fill(place, form);
        focus();
    } }, "Name a campaign …");

    if (!context.mayWrite)
        return h("p", { class: "small muted" }, "This takes a key with the scope links:write.");
    fill(place, button);
    return [place, said];
}

/** The page in place of figures; `onClick` is called when the first click was counted. */
export function guide(context, filters, onClick) {
    const brand = filters.brand || context.brands[0]?.name || "";

    return {
        title: "First steps",
        intro: "No link has been clicked yet. The figures appear here by themselves with the first click.",
        filters: false, cards: [], everyMs: 5000,
        refresh: () => isClicked(filters).then((is) => is && onClick()).catch(() => {}),
        content: h("ol", { class: "guide" },
            step("Make a test link", h("p", { class: "small muted" }, "On the server; it leads to invoice 1, of ",
                "client 1, and belongs to campaign 12."),
            command(`hopcount mint -c /etc/hopcount/hopcount.yaml --brand ${brand} ` +
                "view --object 1 --client 1 --campaign 12")),
            step("Follow it", h("p", { class: "small muted" }, "Open the link in a browser. Within a second or two the ",
                "click is here, labelled as a person’s. Then have it fetched by a program, which counts as a bot’s:"),
            command("curl -s LINK")),
            step("Name the campaign", h("p", { class: "small muted" }, "Links hold the number of a campaign only. Give ",
                "numbers to your mails, and names to the numbers."), nameStep(context, filters)),
            step("Connect the billing system", h("p", { class: "small muted" }, "For WHMCS there is a module, which puts ",
                "links into its mails and tells of payments: deploy/whmcs. Others make links by the API, or on their ",
                "own with the key: deploy/minters, deploy/billing."),
            h("p", { class: "small" }, h("a", { href: "api" }, "API reference")))),
    };
}
