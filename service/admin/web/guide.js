// The first steps, while no link of a brand has ever been clicked: empty boxes would say nothing.
import { post, stats } from "./api.js";
import { fill, h } from "./dom.js";
import { nameForm } from "./names.js";
import { t } from "./texts.js";

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

/* For those whose key may make links: the link is made here, and `onMade` gets its address. */
function mintHere(brand, onMade) {
    const place = h("p", { class: "after" });
    const problem = h("p", { class: "small", role: "alert" });
    const button = h("button", { class: "button plain small", type: "button", onclick: async () => {
        button.disabled = true;
        problem.textContent = "";
        try {
            const { url } = await post("links", { brand, kind: "view", object: 1, client: 1, campaign: 12 });
            const link = h("a", { href: url, target: "_blank", rel: "noreferrer" }, url);

            fill(place, link);
            link.focus();
            onMade(url);
        } catch (error) {
            problem.textContent = error.message;
            button.disabled = false;
        }
    } }, t("guide.make_it_here"));

    fill(place, button);
    return [place, problem];
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
                said.textContent = t("guide.campaign_has_its_name", { key });
        });

        fill(place, form);
        focus();
    } }, t("common.name_a_campaign"));

    if (!context.mayWrite)
        return h("p", { class: "small muted" }, t("guide.this_takes_a_key"));
    fill(place, button);
    return [place, said];
}

/** The page in place of figures; `onClick` is called when the first click was counted. */
export function guide(context, filters, onClick) {
    const brand = filters.brand || context.brands[0]?.name || "";
    const fetching = h("div", null, command("curl -s LINK"));
    const onMade = (url) => fill(fetching, command(`curl -s ${url}`));

    return {
        title: t("guide.first_steps"),
        intro: t("guide.no_link_has_been"),
        filters: false, cards: [], everyMs: 5000,
        refresh: () => isClicked(filters).then((is) => is && onClick()).catch(() => {}),
        content: h("ol", { class: "guide" },
            step(t("guide.make_a_test_link"), h("p", { class: "small muted" }, t("guide.on_the_server_it")),
            command(`hopcount mint -c /etc/hopcount/hopcount.yaml --brand ${brand} ` +
                "view --object 1 --client 1 --campaign 12"),
            context.mayWrite ? mintHere(brand, onMade) : null),
            step(t("guide.follow_it"), h("p", { class: "small muted" }, t("guide.open_the_link_in")),
            fetching),
            step(t("guide.name_the_campaign"), h("p", { class: "small muted" }, t("guide.links_hold_the_number")), nameStep(context, filters)),
            step(t("guide.connect_the_billing_system"), h("p", { class: "small muted" }, t("guide.for_whmcs_there_is")),
            h("p", { class: "small" }, h("a", { href: "api" }, t("common.api_reference"))))),
    };
}
