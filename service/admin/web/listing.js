// Long lists: searched, sorted by each column, and in pages; in a card, or in a dialog.
import { fill, h, newId } from "./dom.js";
import { locale, t } from "./texts.js";

const PAGE = 20;

function compare(a, b) {
    return typeof a === "number" ? b - a : String(a).localeCompare(String(b), locale,
        { numeric: true, sensitivity: "base" });
}

function classOf({ isNumber, isWide }) {
    return [isNumber ? "number" : "", isWide ? "wide-only" : ""].filter(Boolean).join(" ") || null;
}

/** Whether `text` has all words of `wanted`, in any order. */
export function matches(text, wanted) {
    const low = text.toLocaleLowerCase();

    return wanted.toLocaleLowerCase().split(/\s+/).every((word) => low.includes(word));
}

/**
 * A list that keeps what was searched, sorted by and turned to when `show()` gets new items.
 *
 * Columns are {name, value(item), cell(item), isNumber, isWide}; one that `isWide` is left out on a phone.  `value` is what is sorted by, most first if
 * it is a number; `cell` what is shown, by default the value.  The first column is the row's head,
 * and may give the whole `th`.  `text(item)` is what is searched in; a field for that is there for more
 * than a page of items, or always (`isSearched`).  A list made anew with the same
 * `memory` goes on where the last one was left.
 */
export class Listing {
    constructor({ caption, columns, text, isSearched = false, page = PAGE, memory = {} }) {
        Object.assign(this, { caption, columns, text, isSearched, page, memory, sort: 1, at: 0, isTurned: false, items: [] },
            memory);
        this.searchId = newId();
        this.search = h("input", { id: this.searchId, class: "input", type: "search", "data-key": "search",
            autocomplete: "off", spellcheck: "false", value: memory.wanted ?? "", oninput: () => this.turnTo(0) });
        this.searchPlace = h("div", { class: "field listing-search", hidden: true },
            h("label", { for: this.searchId }, t("listing.search")), this.search);
        this.heads = columns.map((column, i) => h("th", { scope: "col", class: classOf(column) },
            h("button", { type: "button", class: "sort", "data-key": `sort-${i}`,
                onclick: () => this.sortBy(i) }, column.name)));
        this.body = h("tbody");
        this.pages = h("div", { class: "pages small", hidden: true });
        this.element = h("div", { class: "listing" }, this.searchPlace,
            h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
                h("table", { class: "rows small" },
                    h("caption", { class: "visually-hidden" }, caption),
                    h("thead", null, h("tr", null, this.heads)), this.body)),
            this.pages);
    }

    show(items) {
        this.items = items;
        this.searchPlace.hidden = !this.isSearched && items.length <= this.page && !this.search.value;
        this.draw();
    }

    sortBy(i) {
        this.isTurned = this.sort === i && !this.isTurned;
        this.sort = i;
        this.turnTo(0);
    }

    turnTo(at) {
        this.at = at;
        this.draw();
    }

    found() {
        const { value } = this.columns[this.sort];
        const items = this.items.filter((item) => matches(this.text(item), this.search.value.trim()));

        items.sort((a, b) => compare(value(a), value(b)) * (this.isTurned ? -1 : 1));
        return items;
    }

    draw() {
        const found = this.found(), end = Math.min(this.at + this.page, found.length);
        Object.assign(this.memory, { sort: this.sort, at: this.at, isTurned: this.isTurned,
            wanted: this.search.value });
        const focused = this.element.contains(document.activeElement) && document.activeElement.dataset.key;

        this.heads.forEach((head, i) => {
            const isUp = (this.columns[i].isNumber ?? false) === this.isTurned;

            if (i === this.sort)
                head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
            else
                head.removeAttribute("aria-sort");
        });
        fill(this.body, found.slice(this.at, end).map((item) => this.row(item)), found.length > 0 ? null
            : h("tr", null, h("td", { class: "muted", colspan: String(this.columns.length) },
                t("listing.nothing_has_that_in"))));
        this.drawPages(found.length, end);
        if (focused && !this.element.contains(document.activeElement))
            this.element.querySelector(`[data-key="${CSS.escape(focused)}"]:not([disabled])`)?.focus();
    }

    row(item) {
        return h("tr", null, this.columns.map((column, i) => {
            const shown = (column.cell ?? column.value)(item);

            if (i === 0)
                return shown instanceof HTMLTableCellElement ? shown : h("th", { scope: "row" }, shown);
            return h("td", { class: classOf(column) }, shown);
        }));
    }

    drawPages(n, end) {
        const turn = (key, name, text, at, isOff) => h("button", { class: "button plain small", type: "button",
            "data-key": key, "aria-label": name, disabled: isOff, onclick: () => this.turnTo(at) }, text);

        this.pages.hidden = n <= this.page;
        fill(this.pages, turn("back", t("listing.previous_page"), "‹", Math.max(0, this.at - this.page), this.at === 0),
            h("span", { role: "status" }, t("listing.range", { from: this.at + 1, to: end, of: n })),
            turn("on", t("listing.next_page"), "›", this.at + this.page, end >= n));
    }
}

/** A dialog over the page.  `content` may hold links of the page, which close it. */
export function openDialog(title, content) {
    const id = newId();
    const before = document.activeElement;
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": id,
        onclick: (event) => {
            // The ground around it is the dialog itself.
            if (event.target === dialog || event.target.closest?.("a[data-view]"))
                dialog.close();
        },
        onclose: () => {
            dialog.remove();
            before?.focus?.();
        } },
    h("div", { class: "dialog-head" }, h("h2", { id }, title),
        h("button", { class: "icon-button", type: "button", "aria-label": t("listing.close"), title: t("listing.close"),
            onclick: () => dialog.close() }, "×")),
    content);

    document.body.append(dialog);
    dialog.showModal();
    return dialog;
}
