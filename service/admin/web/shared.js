// A view that a link shares: one page with its figures, for readers who have no key.
import { get, openShare } from "./api.js";
import { campaigns } from "./campaigns.js";
import { shown } from "./charts.js";
import { announce, fill, h } from "./dom.js";
import { periodName, timeZone, useZone, withDefaults } from "./filters.js";
import { time } from "./format.js";
import { funnel } from "./funnel.js";
import { overview } from "./overview.js";
import { languageSwitch } from "./signin.js";
import { t } from "./texts.js";
import { inWords } from "./views.js";

const REFRESH_MS = 60000;
const pages = { overview, campaigns, funnel };

function theme() {
    return h("button", { class: "button bare", type: "button", onclick: window.toggleTheme,
        "aria-label": t("app.switch_between_light_and"), title: t("app.light_or_dark") }, "◐");
}

function frame(...content) {
    return [h("header", { class: "top" }, h("div", { class: "top-row" },
        h("span", { class: "brand" }, h("img", { src: "icon.svg", alt: "" }), "hopcount"),
        h("div", { class: "top-end" }, theme()))),
    h("main", { id: "content", tabindex: "-1" }, content)];
}

function showEnd(root, title, text) {
    document.title = `${title} – hopcount`;
    fill(root, frame(h("div", { class: "page-head" }, h("div", null, h("h1", null, title), h("p", null, text))),
        h("p", { class: "foot" }, h("span", null, languageSwitch(), "hopcount"))));
}

/* Whatever leads to another page, a list of clients or a file of the API: there are none here. */
function withoutWays(element) {
    for (const link of element.querySelectorAll("a[data-view], a[download]")) {
        const place = link.parentElement;

        if (link.hasAttribute("download"))
            link.remove();
        else if (place?.localName === "p" && place.childNodes.length === 1)
            place.remove(); // it says where it leads, and no more
        else
            link.replaceWith(...link.childNodes);
    }
    for (const buttons of element.querySelectorAll(".funnel-open"))
        buttons.remove();
}

/** Shows the view of the link in the address. */
export async function showShared(root) {
    let share;

    openShare(location.hash.slice(1));
    addEventListener("hashchange", () => location.reload()); // another link in the same window
    try {
        share = await get("shared");
    } catch (error) {
        showEnd(root, ...error.status === 401 ? [t("shared.over"), t("shared.ask_for_another")]
            : [t("shared.cant_be_shown"), error.message]);
        return;
    }
    useZone(share.tz);
    const filters = withDefaults({ ...share.filters, brand: share.brand });
    const context = { brands: [{ name: share.brand, kinds: [] }], mayWrite: false, mayTell: false,
        campaigns: share.campaigns.map(({ id, name }) => ({ key: String(id), name })) };
    const view = pages[share.page](context, filters);
    const notice = h("div", { class: "notice warn", role: "alert", hidden: true });
    const words = inWords(context, filters);
    let isDown = false;

    async function refresh() {
        isDown = false;
        view.refresh?.();
        await Promise.allSettled(view.cards.map((card) => card.refresh()));
        notice.hidden = !isDown;
    }

    shown.words = () => words;
    document.title = `${share.name} – hopcount`;
    document.addEventListener("unavailable", ({ detail: error }) => {
        isDown = true;
        fill(notice, h("strong", null, `${t("app.the_figures_cant_be")} `), error.status === 429 ? t("app.they_were_asked_for") : error.message);
        notice.hidden = false;
    });
    document.addEventListener("signedout", () => showEnd(root, t("shared.over"), t("shared.ask_for_another")));
    new MutationObserver(() => withoutWays(document.body)).observe(document.body, { childList: true, subtree: true });
    fill(root, frame(
        h("div", { class: "page-head" }, h("div", null, h("h1", null, share.name), h("p", null, words),
            h("p", { class: "print-only" }, t("app.printed", { at: time(new Date().toISOString()) })))),
        notice, h("div", { class: "grid" }, view.cards.map(({ element }) => element)),
        h("p", { class: "foot" }, h("span", null, t("shared.until", { at: time(share.expires_at), zone: timeZone().replaceAll("_", " ") })),
            h("span", null, h("span", { class: "ways" }, languageSwitch()), "hopcount"))));
    await refresh();
    announce(t("shared.shown", { name: share.name, period: periodName(filters) }));
    setInterval(() => document.hidden || refresh(), REFRESH_MS);
}
