// The frame of the page: who is signed in, which view is shown, and when it is refreshed.
import { address, findSession, freshness, get, signOut, stats } from "./api.js";
import { audit } from "./audit.js";
import { campaigns } from "./campaigns.js";
import { shown } from "./charts.js";
import { chips, withoutLast } from "./chips.js";
import { announce, fill, h } from "./dom.js";
import { filterBar } from "./filterbar.js";
import { addressOf, appliedFilters, dimensions, go, readFilters, readView, timeZone, toParams, useUtc,
    withoutDimensions } from "./filters.js";
import { clock, time } from "./format.js";
import { funnel } from "./funnel.js";
import { guide, isClicked } from "./guide.js";
import { health } from "./health.js";
import { pressKey } from "./keys.js";
import { links } from "./links.js";
import { watch } from "./live.js";
import { overview } from "./overview.js";
import { showShared } from "./shared.js";
import { askForKey, languageSwitch, takeOutcome, whyRefused } from "./signin.js";
import { targets } from "./targets.js";
import { language, t } from "./texts.js";
import { inWords, pageOf, viewsButton } from "./views.js";

const REFRESH_MS = 5000; // the soonest after a refresh that new clicks cause another
const RETRY_MS = 5000;   // while figures can't be had
const CAMPAIGNS_MAX = 2000; // to choose from
const BUSY_RETRY_S = 20;      // while they were asked for too often, if the server doesn't say when

const views = { "": overview, campaigns, funnel, links, targets, health, audit };
const viewNames = [["", t("common.overview")], ["campaigns", t("common.campaigns")], ["funnel", t("common.funnel")], ["links", t("common.links")],
    ["targets", t("common.targets")], ["health", t("common.health")],
    ["audit", t("common.audit_log")]];
const guided = ["", "campaigns"]; // pages that show the guide while there is nothing else to show
const parameterNames = { from: t("app.its_period"), to: t("app.the_end_of_its"), brand: t("app.its_brand"),
    campaign: t("app.its_campaign"), kind: t("app.its_kind_of_link"), interval: t("app.its_step"),
    compare: t("app.what_it_is_compared"),
    ...Object.fromEntries(Object.entries(dimensions).map(([name, text]) => [name, t("app.its_filter", { text })])) };
const root = document.getElementById("app");

document.querySelector(".skip").textContent = t("app.skip");

/* An address below the dashboard's that stands for nothing. */
function missing() {
    return {
        title: t("app.there_is_no_such"),
        intro: t("app.the_address_was_mistyped"),
        filters: false, cards: [],
        content: h("p", null, h("a", { class: "button", href: "./", "data-view": "" },
            t("app.go_to_the_overview"))),
    };
}

/* The page while somebody is signed in. */
class Frame {
    constructor(session, brands) {
        this.session = session;
        this.context = { brands, campaigns: [],
            mayWrite: (session.scopes ?? "").split(",").includes("links:write"),
            mayTell: (session.scopes ?? "").split(",").includes("events:write"),
            mayErase: (session.scopes ?? "").split(",").includes("admin"),
            maySeeAudit: (session.scopes ?? "").split(",").includes("admin") };
        this.main = h("main", { id: "content", tabindex: "-1" });
        this.nav = h("nav", { class: "nav", "aria-label": t("common.pages") });
        this.pill = h("span", { class: "pill" }, t("app.connecting"));
        this.lastRefresh = 0;
        this.known = new Map(); // brands, and whether a link of theirs was ever clicked
        this.changedAt = ""; // up to when the counters held all, when they last changed
        fill(root, this.top(), this.main);
    }

    top() {
        return h("header", { class: "top" }, h("div", { class: "top-row" },
            h("a", { class: "brand", href: "./", "data-view": "" },
                h("img", { src: "icon.svg", alt: "" }), "hopcount"),
            this.nav,
            h("div", { class: "top-end" }, this.pill,
                h("button", { class: "button bare", type: "button", onclick: window.toggleTheme,
                    "aria-label": t("app.switch_between_light_and"), title: t("app.light_or_dark") }, "◐"),
                // Who came by a proxy that has no address for it can't sign out here.
                this.session.by === "proxy" && !this.session.sign_out_url
                    ? h("span", { class: "pill" }, this.session.name)
                    : h("button", { class: "button bare", type: "button", onclick: () => leave(this.session),
                        title: t("app.signed_in_as", { name: this.session.name }) }, t("app.sign_out")))));
    }

    /* All that are in the address; a page may not be able to apply each of them. */
    filters() {
        const filters = readFilters();
        const { brands } = this.context;

        // Numbers of campaigns and names of kinds are a brand's own.
        if (brands.length > 1 && !brands.some(({ name }) => name === filters.brand))
            filters.brand = brands[0].name;
        return filters;
    }

    maySee(view) {
        return view !== "audit" || this.context.maySeeAudit;
    }

    showNav(view) {
        const filters = readFilters();

        fill(this.nav, viewNames.filter(([key]) => this.maySee(key)).map(([key, name]) => h("a", {
            href: addressOf(key, { ...filters, sent: "" }), "data-view": key,
            "aria-current": key === view ? "page" : null }, name)));
    }

    show() {
        const view = readView();
        const all = this.filters(), filters = appliedFilters(view, all);
        const focused = this.focusedFilter();

        this.close();
        this.view = this.makeView(view, filters);
        this.filterPlace = h("div");
        this.notice = h("div", { class: "notice warn", role: "alert", hidden: true });
        this.age = h("span");
        document.title = `${this.view.title} – hopcount`;
        shown.words = () => this.view.filters ? inWords(this.context, filters) : "";
        fill(this.main,
            h("div", { class: "page-head" },
                h("div", null, h("h1", null, this.view.title), h("p", null, this.view.intro),
                    h("p", { class: "print-only" }, [shown.words(), t("app.printed", { at: time(new Date().toISOString()) })].filter(Boolean).join(" · "))),
                h("div", { class: "page-buttons" }, this.view.filters && pageOf(view) ? viewsButton(this.context, view, filters) : null,
                this.view.csv ? h("a", { class: "button plain", download: "hopcount.csv",
                    href: address(`${this.view.csvPath ?? "stats"}.csv`, { ...this.view.csv, for: "spreadsheet" }) },
                t("app.download_csv")) : null)),
            this.filterPlace, this.notice,
            this.view.content ?? h("div", { class: "grid" },
                this.view.cards.map(({ element }) => element)),
            h("p", { class: "foot" }, this.age, h("span", null, h("span", { class: "ways" },
                this.view.filters ? [h("button", { class: "text-button", type: "button",
                    onclick: () => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true })) },
                t("common.keys")), " · "] : null, languageSwitch(), h("a", { href: "api" }, t("common.api_reference")), " · "),
            `hopcount ${this.session.version}`)));
        this.showNav(view);
        if (this.view.filters || Object.hasOwn(views, view))
            this.showFilters(view, all);
        this.focusFilter(focused);
        this.view.start?.();
        this.refresh();
        if (this.view.everyMs)
            this.timer = setInterval(() => this.refresh(), this.view.everyMs);
        this.follow(filters);
        this.checkFirst(view, filters).catch(() => {}); // the cards say what is wrong
    }

    makeView(view, filters) {
        if (guided.includes(view) && this.known.get(filters.brand) === false)
            return guide(this.context, filters, () => {
                this.known.set(filters.brand, true);
                this.show();
            });
        return ((this.maySee(view) && views[view]) || missing)(this.context, filters);
    }

    /* Zero clicks in a period and never any are told apart: the latter is when the guide is shown. */
    async checkFirst(view, filters) {
        if (!guided.includes(view) || this.known.has(filters.brand))
            return;
        const is = await isClicked(filters);

        this.known.set(filters.brand, is);
        if (!is && frame === this && readView() === view)
            this.show();
    }

    /* The controls, where there is something to control, and on each page the chips. */
    showFilters(view, filters) {
        const draw = () => {
            const focused = this.focusedFilter();

            fill(this.filterPlace, this.view.filters ? filterBar(this.context, filters, (changes) => go(view, { ...filters, ...changes }),
                { withCampaign: view !== "campaigns", withClicks: view !== "funnel" }) : [],
            chips(this.context, filters, view, (left) => go(view, left)));
            this.focusFilter(focused);
        };

        draw();
        if (this.view.filters || filters.campaign)
            this.loadCampaigns(filters).then(draw).catch(() => {});
    }

    /* The control in use: drawing it anew must not take it from under the hands. */
    focusedFilter() {
        return this.filterPlace?.contains(document.activeElement)
            ? document.activeElement.dataset.key : undefined;
    }

    focusFilter(key) {
        if (key)
            this.filterPlace.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
    }

    /* Those that were clicked in the period, to choose from. */
    async loadCampaigns(filters) {
        const params = { ...toParams(withoutDimensions(filters)), campaign: "", interval: "" };
        const found = await stats({ ...params, group_by: "campaign", limit: CAMPAIGNS_MAX, offset: 0 });

        const clicked = found.rows.filter(({ key, total }) => key !== "0" && total > 0);
        const unclicked = filters.campaign.split(",").filter((key) => key !== "" && key !== "0" && !clicked.some((row) => row.key === key));

        // A campaign that is filtered by has its name also when nobody clicked it in the period.
        if (unclicked.length > 0) {
            const names = new Map((await get("campaigns", { brand: filters.brand })).campaigns.map(({ id, name }) => [String(id), name]));

            clicked.push(...unclicked.map((key) => ({ key, name: names.get(key), total: 0, human: 0, automated: 0 })));
        }
        this.context.campaigns = clicked;
        this.showAge(found);
    }

    showAge({ as_of: asOf }) {
        const zone = timeZone().replaceAll("_", " ");
        const age = asOf ? `${t("app.complete", { at: clock(asOf) })} ` : "";

        fill(this.age, `${age}${t("app.zone", { zone })}`);
    }

    async refresh() {
        this.lastRefresh = Date.now();
        this.isDown = false;
        freshness.oldest = "";
        this.view.refresh?.();
        await Promise.allSettled(this.view.cards.map((card) => card.refresh()));
        if (!this.isDown)
            this.notice.hidden = true;
        // The server keeps dear answers for a while, and one may be from before the last click.
        if (!this.isDown && freshness.oldest && freshness.oldest <= this.changedAt)
            this.refreshSoon();
    }

    /* New clicks: soon, but no more often than every REFRESH_MS. */
    refreshSoon() {
        if (this.soon || document.hidden)
            return;
        this.soon = setTimeout(async () => {
            this.soon = null;
            await this.refresh();
            announce(t("app.the_figures_were_updated"));
        }, Math.max(0, this.lastRefresh + REFRESH_MS - Date.now()));
    }

    follow(filters) {
        this.stopLive = watch(filters.brand ? { brand: filters.brand } : {}, {
            onChange: (asOf) => {
                this.changedAt = asOf;
                this.refreshSoon();
            },
            onState: (state) => {
                this.pill.className = `pill ${state === "live" ? "good" : "warn"}`;
                fill(this.pill, state === "live" ? t("app.live") : t("app.waiting"));
            },
            onRefused: async () => {
                const session = await findSession().catch(() => null);

                if (session && !session.signed_in)
                    document.dispatchEvent(new CustomEvent("signedout"));
            },
        });
    }

    /* Redis or hopcount doesn't answer, or this key has sent too many requests. */
    noteDown(error) {
        this.isDown = true;
        fill(this.notice, h("strong", null, `${t("app.the_figures_cant_be")} `),
            error.status === 503 ? `${t("app.links_still_work_and")} ` : error.status === 429 ? `${t("app.they_were_asked_for")} ` : error.message,
            error.status === 503 ? h("span", { class: "small cause", lang: "en" }, error.detail) : null,
            h("button", { class: "button plain", type: "button", onclick: () => this.refresh() },
                t("common.try_again")));
        this.notice.hidden = false;
        this.retry ??= setTimeout(() => {
            this.retry = null;
            this.refresh();
        }, error.status === 429 ? (error.retryAfter || BUSY_RETRY_S) * 1000 : RETRY_MS);
    }

    /* The address has a parameter with a bad value. */
    noteRefused(error) {
        this.isDown = true;
        const joint = /^(must|may|is) /.test(error.predicate) ? " " : ": ";
        const name = parameterNames[error.parameter];
        const predicate = error.predicate.replace("`to`", "its end");
        const said = language === "en" ? `${name}${joint}${predicate}.`
            : t("app.refused", { name });

        fill(this.notice, h("strong", null, `${t("app.this_address_cant_be")} `),
            `${said} `,
            h("button", { class: "button plain small", type: "button",
                onclick: () => go(readView(), { brand: readFilters().brand }) },
            t("app.show_the_last_30")));
        this.notice.hidden = false;
    }

    close() {
        clearInterval(this.timer);
        clearTimeout(this.soon);
        clearTimeout(this.retry);
        this.timer = this.soon = this.retry = null;
        this.stopLive?.();
        for (const card of this.view?.cards ?? [])
            card.destroy();
    }
}

let frame = null;

async function leave(session) {
    await signOut().catch(() => {});
    if (session.sign_out_url)
        location.assign(session.sign_out_url);
    else
        start(t("app.you_are_signed_out"));
}

async function start(message) {
    frame?.close();
    frame = null;
    let isNew = false;
    const outcome = takeOutcome();

    try {
        let session = message ? { ...await findSession().catch(() => ({})), signed_in: false } : await findSession();

        if (!session.signed_in) {
            document.title = t("app.sign_in_hopcount");
            session = await askForKey(root, message ?? whyRefused(session, outcome), session);
            isNew = true;
        }
        frame = new Frame(session, (await get("brands")).brands);
        frame.show();
        if (isNew)
            frame.main.focus({ preventScroll: true });
        await checkZone();
    } catch (error) {
        fill(root, h("main", { class: "gate", id: "content" }, h("div", { class: "failed" },
            h("h1", null, t("app.hopcount_cant_be_reached")), h("p", null, error.message),
            h("button", { class: "button", type: "button", onclick: () => start() }, t("common.try_again")))));
    }
}

/* A server without time zones knows UTC only.  Asked beside the figures: they are not to wait. */
async function checkZone() {
    try {
        await stats({ from: "24h", group_by: "kind", tz: timeZone() });
    } catch (error) {
        if (error.parameter !== "tz")
            return;
        useUtc();
        frame?.show();
    }
}

document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-view]");

    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey)
        return;
    event.preventDefault();
    history.pushState(null, "", link.href);
    frame?.show();
    scrollTo(0, 0);
    document.getElementById("content")?.focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
    const setPeriod = frame?.view?.filters ? (from) => go(readView(), { ...readFilters(), from, to: "", wide: "" }) : null;

    if (frame && !event.defaultPrevented && pressKey(event, setPeriod))
        event.preventDefault();
});
document.addEventListener("keydown", (event) => {
    const left = frame && Object.hasOwn(views, readView()) ? withoutLast(frame.filters()) : null;

    if (event.key !== "Escape" || event.defaultPrevented || !left || document.querySelector("dialog[open]") ||
        event.target.closest?.("input, select, textarea"))
        return;
    go(readView(), left);
    announce(t("app.a_filter_was_removed"));
});
document.addEventListener("navigate", () => frame?.show());
document.addEventListener("renamed", () => frame?.refresh());
document.addEventListener("noted", () => frame?.refresh());
document.addEventListener("unavailable", (event) => frame?.noteDown(event.detail));
document.addEventListener("refused", (event) => frame?.noteRefused(event.detail));
document.addEventListener("signedout", () => {
    // A proxy that no longer knows the browser asks who it is when a page is loaded.
    if (frame?.session.by === "proxy")
        location.reload();
    else if (frame)
        start(t("app.the_session_is_over"));
});
document.addEventListener("visibilitychange", () => {
    if (!document.hidden && frame && Date.now() - frame.lastRefresh > 30000)
        frame.refresh();
});
addEventListener("popstate", () => frame?.show());
if (readView() === "shared")
    showShared(root);
else
    start();
