// When people click: the hours of the week as a field of 7 × 24.
import { difference } from "./bars.js";
import { shown } from "./charts.js";
import { h } from "./dom.js";
import { bucketDate, count, many } from "./format.js";
import { saveAsPicture, saveButtons, saveTable, saveText } from "./save.js";
import { svgOfHours } from "./svg.js";
import { locale, t } from "./texts.js";

const dayNames = Array.from({ length: 7 }, (_, i) => {
    const monday = new Date(Date.UTC(2024, 0, 1 + i));

    return {
        short: new Intl.DateTimeFormat(locale, { weekday: "short", timeZone: "UTC" })
            .format(monday),
        long: new Intl.DateTimeFormat(locale, { weekday: "long", timeZone: "UTC" })
            .format(monday),
    };
});

const hours = Array.from({ length: 24 }, (_, hour) => hour);
/* How many days and hours a key leads on in the field. */
const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -23], End: [0, 23] };
const clockFace = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit", timeZone: "UTC" });
const hourFace = new Intl.DateTimeFormat(locale, { hour: "numeric", timeZone: "UTC" });

/* "9:00 AM" or "09:00", as it is written here. */
function clockTime(hour) {
    return clockFace.format(new Date(Date.UTC(2024, 0, 1, hour)));
}

/* "9 AM" where the day has twice twelve hours, else "9". */
function hourName(hour) {
    return hourFace.resolvedOptions().hour12 ? hourFace.format(new Date(Date.UTC(2024, 0, 1, hour))) : String(hour);
}

/** Sums rows of hours; Monday is 0.  `days` tells how often a period has each of these hours. */
export function sumHours(rows, field) {
    const [sums, days] = [0, 0].map(() => Array.from({ length: 7 }, () => new Array(24).fill(0)));

    for (const row of rows) {
        const local = bucketDate(row.key), day = (local.getUTCDay() + 6) % 7, hour = local.getUTCHours();

        sums[day][hour] += row[field];
        days[day][hour]++;
    }
    return { sums, days };
}

/* How the clicks of one such day compare.  Thirty days have four Mondays or five, so sums would differ
 * although no Monday does; and hours that one of the periods has not at all can't be compared. */
function changeOfDay(day, { sums, days }, before) {
    const both = hours.filter((hour) => days[day][hour] > 0 && before.days[day][hour] > 0);
    const mean = (of) => Math.round(both.reduce((sum, hour) => sum + of.sums[day][hour] / of.days[day][hour], 0) * 10) / 10;
    const [now, then] = [{ sums, days }, before].map(mean);

    return both.length === 0 ? "–"
        : difference(now, then, before.what, t("heatmap.a_day", { now, before: then, what: before.what }));
}

/* The hour with the most clicks, the first of the week when there is none. */
function busiest(sums) {
    let best = { n: 0, day: 0, hour: 0 };

    sums.forEach((hours, day) => hours.forEach((n, hour) => {
        if (n > best.n)
            best = { n, day, hour };
    }));
    return best;
}

/* The same in words; "" when there is none. */
function peak(sums) {
    const { n, day, hour } = busiest(sums);

    return n === 0 ? "" : t("heatmap.busiest", { day: dayNames[day].long, from: clockTime(hour),
        to: clockTime(hour + 1), clicks: many(n, "click") });
}

/* What the darkest field stands for, beside `said`. */
function legend(said) {
    return h("div", { class: "heat-note small muted" }, said,
        h("p", { class: "heat-scale", "aria-hidden": "true" }, t("heatmap.fewer"),
            [0, 0.25, 0.5, 0.75, 1].map((level) => {
                const step = h("i", { class: level === 0 ? "none" : null });

                step.style.setProperty("--level", level);
                return step;
            }), t("heatmap.more")));
}

/* How full the field of an hour is, 0 to 1.  The root keeps the few very busy hours from making all
 * others look alike. */
function levelOf(n, max) {
    return max > 0 ? Math.sqrt(n / max) : 0;
}

function cell({ sums, days }, before, max, day, hour) {
    const n = sums[day][hour];
    const said = { day: dayNames[day].long, from: clockTime(hour), to: clockTime(hour + 1), clicks: many(n, "click") };
    const text = !before ? t("heatmap.hour", said) : t("heatmap.hour_compared", { ...said, days: many(days[day][hour], "day"),
        what: before.what, before: many(before.sums[day][hour], "click"), daysBefore: many(before.days[day][hour], "day") });
    const td = h("td", { class: n === 0 ? "none" : null, title: text, tabindex: "-1" },
        h("span", { class: "visually-hidden" }, count(n)));

    td.style.setProperty("--level", levelOf(n, max).toFixed(3));
    return td;
}

/** What saves the field as a file. */
export function heatButtons(title, { sums }, before) {
    const max = Math.max(...sums.flat());
    const drawing = () => svgOfHours({ title, about: shown.words(), summary: peak(sums), days: dayNames.map(({ short }) => short),
        hours: hours.map((hour) => hour % 3 === 0 ? hourName(hour) : ""),
        levels: sums.map((of) => of.map((n) => levelOf(n, max))) });

    return h("div", { class: "plot-foot" }, h("span"), saveButtons([t("charts.save_as_png"), () => saveAsPicture(title, drawing())],
        [t("charts.save_as_svg"), () => saveText(`${title}.svg`, "image/svg+xml", drawing())],
        [t("common.save_as_csv"), () => saveTable(title, [[t("heatmap.day"), ...hours],
            ...sums.map((of, i) => [dayNames[i].long, ...of]),
            ...(before?.sums ?? []).map((of, i) => [`${dayNames[i].long}: ${before.what}`, ...of])])]));
}

/** The field, and below it the busiest hour, or the one that was tapped or reached by arrow keys, in words: there is no
 * pointing by touch or keys.  `before` is the period that is compared with, as sumHours() has it and {what} it is
 * called.  `cursor` {day, hour} keeps the hour that was reached; a new one is {}. */
export function heatmap(now, before, cursor) {
    const { sums } = now;
    const max = Math.max(...sums.flat());
    const cells = sums.map((of, day) => of.map((_, hour) => cell(now, before, max, day, hour)));
    const said = h("p", null, peak(sums));
    const inRange = (i, end) => Math.max(0, Math.min(end, i));

    /* One cell is in the order of the Tab key, the one that was reached last. */
    function reach(day, hour) {
        cells.flat().forEach((one) => { one.tabIndex = -1; });
        Object.assign(cursor, { day, hour });
        cells[day][hour].tabIndex = 0;
        return cells[day][hour];
    }

    function onFocus({ target }) {
        const day = cells.findIndex((of) => of.includes(target));

        reach(day, cells[day].indexOf(target));
        said.textContent = target.title;
    }

    function onKey(event) {
        const [days, steps] = moves[event.key] ?? [];

        if (days === undefined || event.ctrlKey || event.metaKey || event.altKey)
            return;
        event.preventDefault();
        reach(inRange(cursor.day + days, 6), inRange(cursor.hour + steps, 23)).focus();
    }

    reach(cursor.day ?? busiest(sums).day, cursor.hour ?? busiest(sums).hour);
    return [h("div", { class: "scroll", role: "region", "aria-label": t("heatmap.clicks_by_day_and") },
        h("table", { class: before ? "heat is-compared" : "heat", role: "grid" },
            h("caption", { class: "visually-hidden" }, t("heatmap.clicks_by_day_of")),
            h("thead", null, h("tr", null, h("th", null, h("span", { class: "visually-hidden" }, t("heatmap.day"))),
                hours.map((hour) => h("th", { scope: "col" },
                    hour % 3 === 0 ? hourName(hour) : h("span", { class: "visually-hidden" }, hourName(hour)))),
                before ? h("th", { scope: "col", class: "number" }, t("common.change")) : null)),
            h("tbody", { onfocusin: onFocus, onfocusout: () => { said.textContent = peak(sums); }, onkeydown: onKey,
                onclick: ({ target }) => target.closest("td[tabindex]")?.focus() },
            cells.map((of, i) => h("tr", null,
                h("th", { scope: "row" }, dayNames[i].short), of,
                before ? h("td", { class: "number" }, changeOfDay(i, now, before)) : null))))),
    legend(said)];
}
