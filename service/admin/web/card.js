// A card: a heading, a sentence on what it shows, and a body that is loading, there, empty or failed.
import { fill, h, newId } from "./dom.js";
import { COVERED } from "./api.js";
import { dimensions } from "./filters.js";
import { percent, writtenDate } from "./format.js";
import { saveTable } from "./save.js";
import { t } from "./texts.js";

function skeleton(shape) {
    if (shape === "plot")
        return h("span", { class: "skeleton tall" });
    if (shape === "figure")
        return [h("span", { class: "skeleton big" }), h("span", { class: "skeleton" })];
    return Array.from({ length: 5 }, () => h("span", { class: "skeleton" }));
}

/* The filters are wrong, and with them every card: that is said once. */
function isAddressed({ status, parameter }) {
    return status === 400 &&
        ["from", "to", "brand", "campaign", "kind", "interval", "compare", ...Object.keys(dimensions)].includes(parameter);
}

/**
 * card({title, note, span, shape, load, render, isEmpty, empty, extra, footer, fills, table}).
 *
 * `table(data)` are the rows of what is shown, the first one their head, to be saved as CSV.
 * `fills`: takes the whole width where two stand side by side.
 * `load(signal)` promises the data, `render(data, body)` puts it into the body.  `refresh()` of the
 * result loads again; what is there stays until the new is.
 */
export class Card {
    constructor(options) {
        const id = newId();

        this.options = options;
        this.body = h("div", { class: "card-body" }, skeleton(options.shape));
        this.note = h("p", null, options.note ?? "");
        this.covered = h("p", { class: "small muted after covered" });
        this.saving = !options.table ? null : h("button", { class: "text-button save small muted", type: "button", hidden: true,
            "aria-label": t("common.as_csv", { title: options.title }), title: t("common.save_as_csv"),
            onclick: () => saveTable(options.title, options.table(this.data)) }, "CSV");
        this.element = h("section",
            { class: `card span-${options.span ?? 4}${options.fills ? " fills" : ""}`, "aria-labelledby": id, "aria-busy": "true" },
            h("div", { class: "card-head" },
                h("div", null, h("h2", { id }, options.title), options.note ? this.note : null),
                options.extra ?? this.saving),
            this.body, options.footer ?? "");
        this.isFilled = false;
    }

    async refresh() {
        const controller = new AbortController();

        this.controller?.abort();
        this.controller = controller;
        this.element.setAttribute("aria-busy", "true");
        try {
            const data = await this.options.load(controller.signal);

            if (!controller.signal.aborted)
                this.show(data);
        } catch (error) {
            if (!controller.signal.aborted)
                this.fail(error);
        }
        if (!controller.signal.aborted)
            this.element.setAttribute("aria-busy", "false");
    }

    /* Clicks by several properties at once are counted together for some time only. */
    showCoverage(coverage) {
        const { share, from } = coverage ?? { share: 1 };

        if (share >= COVERED) {
            this.covered.remove();
            return;
        }
        this.body.after(this.covered);
        fill(this.covered, t(from ? "card.covered_from" : "card.covered", { share: percent(share), from: from && writtenDate(from.slice(0, 10)) }));
    }

    show(data) {
        this.showCoverage(data?.coverage);
        if (this.options.isEmpty?.(data)) {
            this.close();
            fill(this.body, h("div", { class: "empty" },
                this.options.empty ?? t("card.no_clicks_in_this")));
        } else {
            if (!this.isFilled)
                fill(this.body);
            this.options.render(data, this.body);
            this.isFilled = true;
            this.data = data;
            if (this.saving)
                this.saving.hidden = this.options.table(data).length < 2; // the head alone
        }
    }

    /* Figures that can't be had now: those that are there stay, and the page says once, at its top,
     * what is wrong. */
    fail(error) {
        const isDown = [0, 429, 503].includes(error.status);

        if (error.status === 401)
            return;
        if (isDown)
            document.dispatchEvent(new CustomEvent("unavailable", { detail: error }));
        if (isDown && this.isFilled)
            return;
        this.close();
        this.covered.remove();
        if (error.type === "counted-apart") {
            fill(this.body, h("div", { class: "empty" }, error.message));
            return;
        }
        if (isAddressed(error)) {
            document.dispatchEvent(new CustomEvent("refused", { detail: error }));
            fill(this.body, h("div", { class: "empty" }, t("card.nothing_to_show_for")));
            return;
        }
        if (isDown) {
            fill(this.body, h("div", { class: "empty" }, error.status === 429 ? t("card.waiting")
                : t("card.waiting_for_the_counters")));
            return;
        }
        fill(this.body, h("div", { class: "failed", role: "alert" },
            h("strong", null, t("card.this_cant_be_shown")),
            h("span", null, error.message),
            h("button", { class: "button plain", type: "button", onclick: () => this.refresh() },
                t("common.try_again"))));
    }

    /* What is in the body will be replaced. */
    close() {
        this.options.close?.();
        this.isFilled = false;
        if (this.saving)
            this.saving.hidden = true;
    }

    destroy() {
        this.controller?.abort();
        this.close();
    }
}

/** The cards of a page that there are, without a hole where two stand side by side: the last of an odd number takes
 * the whole width. */
export function evenOut(cards) {
    const there = cards.filter(Boolean);
    const halves = there.filter(({ options: { span = 4, fills } }) => span === 4 && !fills);

    if (halves.length % 2 === 1)
        halves.at(-1).element.classList.add("fills");
    return there;
}
