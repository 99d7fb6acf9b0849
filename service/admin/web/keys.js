// Keys that do what the controls do, while nobody types into a field; `?` lists them.
import { h } from "./dom.js";
import { periods } from "./filters.js";
import { openDialog } from "./listing.js";
import { t } from "./texts.js";

const others = [["c", t("keys.choose_what_to_compare")], ["/", t("keys.search_or_choose_a")],
    ["v", t("keys.open_the_views")], ["Esc", t("keys.remove_the_last_filter")], ["?", t("keys.show_these_keys")]];

function openHelp() {
    const rows = [...periods.map(([, name], i) => [String(i + 1), name]), ...others];

    openDialog(t("common.keys"), h("table", { class: "rows small" },
        h("caption", { class: "visually-hidden" }, t("common.keys")),
        h("thead", { class: "visually-hidden" }, h("tr", null, h("th", { scope: "col" }, t("keys.key")),
            h("th", { scope: "col" }, t("common.what_it_does")))),
        h("tbody", null, rows.map(([key, name]) => h("tr", null,
            h("th", { scope: "row" }, h("kbd", null, key)), h("td", null, name))))));
}

/* The first of those that is on the page, and can be seen. */
function focusFirst(...selectors) {
    const found = selectors.flatMap((selector) => [...document.querySelectorAll(selector)])
        .find((element) => element.offsetParent !== null);

    found?.focus();
    return Boolean(found);
}

/** Does what a key stands for; true: it stood for something.  `setPeriod(key)` chooses a period;
 * absent on pages without any. */
export function pressKey(event, setPeriod) {
    const period = setPeriod && periods[Number(event.key) - 1];

    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") ||
        event.target.closest?.("input, select, textarea"))
        return false;
    if (period) {
        setPeriod(period[0]);
        return true;
    }
    if (event.key === "?") {
        openHelp();
        return true;
    }
    if (event.key === "/")
        return focusFirst("main [type=search]", `[data-key="${t("common.campaign")}"]`, "main [name=link]");
    if (event.key === "v") {
        document.querySelector('[data-key="views"]')?.click();
        return true;
    }
    return event.key === "c" && focusFirst(`[data-key="${t("filterbar.compared_with")}"]`);
}
