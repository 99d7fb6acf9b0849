// When people click: the hours of the week as a field of 7 × 24.
import { h } from "./dom.js";
import { bucketDate, count, many } from "./format.js";
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

/** Sums rows of hours; Monday is 0. */
export function sumHours(rows, field) {
    const sums = Array.from({ length: 7 }, () => new Array(24).fill(0));

    for (const row of rows) {
        const local = bucketDate(row.key);

        sums[(local.getUTCDay() + 6) % 7][local.getUTCHours()] += row[field];
    }
    return sums;
}

/* The hour with the most clicks, in words; "" when there is none. */
function peak(sums) {
    let best = { n: 0 };

    sums.forEach((hours, day) => hours.forEach((n, hour) => {
        if (n > best.n)
            best = { n, day, hour };
    }));
    return best.n === 0 ? "" : t("heatmap.busiest", { day: dayNames[best.day].long, from: `${best.hour}:00`,
        to: `${best.hour + 1}:00`, clicks: many(best.n, "click") });
}

/** What the darkest field stands for. */
export function heatLegend(sums) {
    return h("div", { class: "heat-note small muted" }, h("p", null, peak(sums)),
        h("p", { class: "heat-scale", "aria-hidden": "true" }, t("heatmap.fewer"),
            [0, 0.25, 0.5, 0.75, 1].map((level) => {
                const step = h("i", { class: level === 0 ? "none" : null });

                step.style.setProperty("--level", level);
                return step;
            }), t("heatmap.more")));
}

function cell(n, max, day, hour) {
    const text = t("heatmap.hour", { day: day.long, from: `${hour}:00`, to: `${hour + 1}:00`, clicks: many(n, "click") });
    const td = h("td", { class: n === 0 ? "none" : null, title: text },
        h("span", { class: "visually-hidden" }, count(n)));

    // The root keeps the few very busy hours from making all others look alike.
    td.style.setProperty("--level", max > 0 ? Math.sqrt(n / max).toFixed(3) : "0");
    return td;
}

export function heatmap(sums) {
    const max = Math.max(...sums.flat());

    return h("div", { class: "scroll", tabindex: "0", role: "region",
        "aria-label": t("heatmap.clicks_by_day_and") },
    h("table", { class: "heat" },
        h("caption", { class: "visually-hidden" }, t("heatmap.clicks_by_day_of")),
        h("thead", null, h("tr", null, h("th", null, h("span", { class: "visually-hidden" }, t("heatmap.day"))),
            Array.from({ length: 24 }, (_, hour) => h("th", { scope: "col" },
                hour % 3 === 0 ? `${hour}` : h("span", { class: "visually-hidden" }, `${hour}`))))),
        h("tbody", null, sums.map((hours, i) => h("tr", null,
            h("th", { scope: "row" }, dayNames[i].short),
            hours.map((n, hour) => cell(n, max, dayNames[i], hour)))))));
}
