// Keys that do what the controls do, while nobody types into a field; `?` lists them.
import { h } from "./dom.js";
import { periods } from "./filters.js";
import { openDialog } from "./listing.js";

const others = [["c", "Choose what to compare with"], ["/", "Search, or choose a campaign"],
    ["Esc", "Remove the last filter"], ["?", "Show these keys"]];

function openHelp() {
    const rows = [...periods.map(([, name], i) => [String(i + 1), name]), ...others];

    openDialog("Keys", h("table", { class: "rows small" },
        h("caption", { class: "visually-hidden" }, "Keys"),
        h("thead", { class: "visually-hidden" }, h("tr", null, h("th", { scope: "col" }, "Key"),
            h("th", { scope: "col" }, "What it does"))),
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
        return focusFirst("main [type=search]", "[data-key=Campaign]", "main [name=link]");
    return event.key === "c" && focusFirst("[data-key='Compared with']");
}
