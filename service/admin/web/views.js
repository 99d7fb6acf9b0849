// Saved views: pages with their filters, by names, for all who may read the brand.
import { get, post, put, remove } from "./api.js";
import { announce, fill, h, newId } from "./dom.js";
import { addressOf, chosenFilters, periodName, withDefaults } from "./filters.js";
import { time } from "./format.js";
import { openDialog } from "./listing.js";
import { Shares } from "./shares.js";
import { t } from "./texts.js";
import { audiences, campaignName, valueName } from "./words.js";

const CHARACTERS_MAX = 100;
const pageNames = { overview: t("common.overview"), campaigns: t("common.campaigns"), funnel: t("common.funnel") };

/** The page of a view, "" being the overview, as the API calls it; undefined: no view is of it. */
export function pageOf(view) {
    return { "": "overview", campaigns: "campaigns", funnel: "funnel" }[view];
}

/** What the figures are of, in words. */
export function inWords({ brands, campaigns: known }, filters) {
    const wordOf = (name, key) => name !== "campaign" ? valueName(name, key)
        : campaignName(key, known.find((one) => one.key === key)?.name);

    return [filters.brand || (brands.length === 1 ? brands[0].name : ""), periodName(filters),
        ...chosenFilters(filters).filter(([name]) => name !== "wide").map(([name, value]) => value.split(",").map((key) =>
            wordOf(name, key)).join(", ")), t("app.clicks_of", { of: audiences[filters.who].of })].filter(Boolean).join(" · ");
}

/* The filters of a view, without those that are as they always are; its brand is said beside them,
 * and it is nobody's way to a wider period. */
export function filtersOf(filters) {
    const plain = withDefaults({});

    return Object.fromEntries(Object.entries(filters).filter(([name, value]) =>
        name !== "brand" && name !== "wide" && (name === "from" || value !== plain[name])));
}

function fault(error) {
    if (error.parameter === "name")
        return t(/another/.test(error.detail) ? "views.name_is_taken" : "views.bad_name", { max: CHARACTERS_MAX });
    return error.message;
}

/* A field for a name with a button; `save(name)` may fail. */
function nameForm(label, button, name, save) {
    const id = newId();
    const input = h("input", { id, class: "input", type: "text", required: true, maxlength: String(CHARACTERS_MAX),
        autocomplete: "off", value: name });
    const problem = h("p", { class: "notice bad small", role: "alert", hidden: true });
    const submit = h("button", { class: "button small", type: "submit" }, button);

    return h("form", { class: "stack", onsubmit: async (event) => {
        event.preventDefault();
        submit.disabled = true;
        problem.hidden = true;
        try {
            await save(input.value.trim());
        } catch (error) {
            problem.textContent = fault(error);
            problem.hidden = false;
            input.focus();
        }
        submit.disabled = false;
    } }, h("div", { class: "field" }, h("label", { for: id }, label),
        h("div", { class: "search" }, input, submit)), problem);
}

/* The list, and the form that adds to it. */
class Views {
    constructor(context, view, filters) {
        Object.assign(this, { context, view, filters });
        this.brand = filters.brand || context.brands[0]?.name || "";
        this.list = h("ul", { class: "views", "aria-label": t("views.saved_views") });
        this.problem = h("p", { class: "notice bad small", role: "alert", hidden: true });
        this.element = h("div", { class: "stack" }, this.problem, this.list, this.context.mayWrite && pageOf(view)
            ? [nameForm(t("views.save_as"), t("views.save"), "", (name) => this.add(name)),
                new Shares(this.brand, view, filters, pageNames[pageOf(view)]).element] : null);
    }

    async load() {
        try {
            const { views } = await get("views", { brand: this.brand });

            fill(this.list, views.map((view) => this.item(view)), views.length > 0 ? null
                : h("li", { class: "muted small" }, t(this.context.mayWrite ? "views.none_yet" : "views.none")));
            this.problem.hidden = true;
        } catch (error) {
            this.problem.textContent = error.message;
            this.problem.hidden = false;
        }
    }

    item(view) {
        const { id, name, page, filters, by, made_at: at } = view;
        const whole = withDefaults({ ...filters, brand: this.brand });
        const address = addressOf(page === "overview" ? "" : page, this.context.brands.length > 1 ? whole : { ...whole, brand: "" });
        const item = h("li");
        const buttons = !this.context.mayWrite ? null : h("span", { class: "actions" },
            h("button", { class: "icon-button", type: "button", title: t("views.rename", { name }), "aria-label": t("views.rename", { name }),
                onclick: () => {
                    fill(item, nameForm(t("views.new_name", { name }), t("views.save"), name, async (wanted) => {
                        await put(`views/${id}`, { brand: this.brand }, { name: wanted });
                        announce(t("views.is_now_called", { name: wanted }));
                        await this.load();
                    }));
                    item.querySelector("input").select();
                } }, "✎"),
            h("button", { class: "icon-button", type: "button", title: t("views.delete", { name }), "aria-label": t("views.delete", { name }),
                onclick: () => this.remove(view) }, "×"));

        fill(item, h("span", null,
            h("a", { href: address, "data-view": page, title: t("annotations.by", { name: by, at: time(at) }) }, name),
            h("span", { class: "small muted" }, [pageNames[page] ?? page, inWords({ brands: [], campaigns: this.context.campaigns },
                { ...whole, brand: "" })].join(" · "))), buttons);
        return item;
    }

    async add(name) {
        await post("views", { brand: this.brand, name, page: pageOf(this.view), filters: filtersOf(this.filters) });
        announce(t("views.saved", { name }));
        this.element.querySelector(":scope > form input").value = "";
        await this.load();
    }

    async remove({ id, name }) {
        try {
            await remove(`views/${id}?brand=${encodeURIComponent(this.brand)}`);
            announce(t("views.deleted", { name }));
        } catch (error) {
            announce(error.message);
        }
        await this.load();
    }
}

/** The button of a page that opens its views. */
export function viewsButton(context, view, filters) {
    return h("button", { class: "button plain", type: "button", "data-key": "views", "aria-haspopup": "dialog", onclick: () => {
        const views = new Views(context, view, filters);

        openDialog(t("views.saved_views"), views.element);
        views.load();
    } }, t("views.views"));
}
