// Curves and columns over time, by Chart.js, in the colours of the theme; each comes with a table
// of the same figures for people who can’t see it or prefer to read.
import { h, table } from "./dom.js";
import { timeZone } from "./filters.js";
import { axis, bucket, bucketDate, count, tick } from "./format.js";
import { svgOf } from "./svg.js";
import { t } from "./texts.js";

/* global Chart */

/** Of what the figures of the page are, in words, for pictures that leave it. */
export const shown = { words: () => "" };

export function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function scales({ labels, ticks, title, interval, stacked }) {
    const grid = { color: colour("line"), drawBorder: false, drawTicks: false };
    const font = { size: 12 };

    return {
        x: {
            stacked,
            grid: { display: false },
            title: { display: Boolean(title), text: title, color: colour("muted"), font },
            ticks: {
                color: colour("muted"), font, maxRotation: 0, autoSkipPadding: ticks ? 6 : 24,
                callback: (_, i) => ticks?.[i] ?? tick(labels[i], interval),
            },
        },
        y: {
            stacked,
            beginAtZero: true,
            grid,
            ticks: {
                color: colour("muted"), font, maxTicksLimit: 6, padding: 8, precision: 0,
                callback: axis,
            },
        },
    };
}

function tooltip(interval, unit) {
    return {
        backgroundColor: colour("ink"),
        titleColor: colour("ground"),
        bodyColor: colour("ground"),
        footerColor: colour("ground"),
        padding: 10,
        cornerRadius: 8,
        boxPadding: 4,
        usePointStyle: true,
        filter: (item) => item.parsed.y > 0,
        callbacks: {
            title: (items) => items.length > 0 ? bucket(items[0].label, interval) : "",
            label: (item) => interval === "step" ? ` ${unit}: ${count(item.parsed.y)}`
                : ` ${item.dataset.label}: ${count(item.parsed.y)}`,
        },
    };
}

/* The place among `keys` of the hour, day, week or month that isn't over yet; -1: there is none. */
function runningBucket(keys, interval) {
    if (interval === "step")
        return -1;
    const now = new Date();
    const ahead = timeZone() === "UTC" ? 0 : now.getTimezoneOffset();
    // As the keys are: what local clocks show, read as UTC.
    const local = now.getTime() - ahead * 60000;

    return keys.findIndex((key) => {
        const start = bucketDate(key), end = new Date(start);

        if (interval === "month")
            end.setUTCMonth(end.getUTCMonth() + 1);
        else
            end.setTime(start.getTime() + { hour: 1, day: 24, week: 168 }[interval] * 3600000);
        return start <= local && local < end;
    });
}

/* The column of the hour, day or month that isn't over is pale, and so is the line to it: it would
 * look like a fall. */
function dataset(kind, series, running) {
    const paint = colour(series.colour);

    if (series.isCompared) // a line also over columns
        return { type: "line", label: series.name, data: series.values, borderColor: paint, backgroundColor: paint,
            borderWidth: 1.5, borderDash: [3, 3], pointRadius: 0, pointHitRadius: 8, tension: 0, order: -1 };
    if (kind === "bar")
        return { label: series.name, data: series.values, maxBarThickness: 28,
            backgroundColor: series.values.map((_, i) => i === running ? `${paint}80` : paint),
            borderRadius: 2, categoryPercentage: 0.86, barPercentage: 0.94 };
    return { label: series.name, data: series.values, borderColor: paint, backgroundColor: paint,
        borderWidth: 2, pointRadius: 0, pointHitRadius: 12, pointHoverRadius: 4,
        // Straight from point to point: a curve would show clicks that did not happen.
        tension: 0,
        segment: { borderDash: ({ p1DataIndex }) => p1DataIndex === running ? [4, 4] : undefined } };
}

function legend(series) {
    return h("ul", { class: "legend" }, series.map((one) => {
        const swatch = h("span", { class: one.isCompared ? "swatch dashed" : "swatch" });

        swatch.style.color = `var(--${one.colour})`;
        return h("li", { title: one.note ?? null }, swatch, one.name);
    }));
}

function dataTable(caption, keys, interval, series, unit) {
    const head = interval === "step" ? [t("common.step"), unit]
        : [t("charts.time"), ...series.map(({ name }) => name)];
    const running = runningBucket(keys, interval);
    const rows = keys.map((key, i) =>
        [bucket(key, interval) + (i === running ? t("charts.not_over") : ""), ...series.map(({ values }) => values[i] === null ? "–" : count(values[i]))]);

    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        table("rows small", caption, head, rows));
}

/* The legend: what colours and heights stand for. */
function head(keys, interval, series, statement, unit) {
    const isRunning = runningBucket(keys, interval) >= 0;
    const said = h("p", { class: "small muted" }, interval === "step" ? unit
        : t(`charts.per_${interval}${isRunning ? "_running" : ""}`));

    return h("div", { class: "plot-head" }, statement ? h("p", null, statement) : legend(series), said);
}

/** A chart that is drawn once and then changed. */
export class TimeChart {
    /** `kind` is "bar" (stacked) or "line". */
    constructor(kind, caption) {
        this.kind = kind;
        this.caption = caption;
        this.onTheme = () => this.last && this.draw(...this.last);
        document.addEventListener("themechange", this.onTheme);
    }

    /** Series are {name, colour, values, note}; `summary` says in a sentence what is to be seen, and
     * is shown in place of a legend where there is a single series (`isStated`); `ticks` are short
     * names of the keys, `title` what they are; `unit` is what is counted by step; `compared` is one more series, of another period. */
    show(body, { keys, ticks, title, interval, series: own, compared, summary, isStated, unit = t("common.clicks") }) {
        const series = compared ? [...own, compared] : own;

        this.unit = unit;
        if (!this.canvas) {
            this.canvas = h("canvas", { role: "img" });
            this.legendPlace = h("div");
            this.tablePlace = h("details", { class: "data" },
                h("summary", null, t("charts.show_as_a_table")), h("div"));
            this.tablePlace.addEventListener("toggle", () => this.fillTable());
            this.savePlace = h("p", { class: "save small" },
                h("button", { class: "text-button muted", type: "button",
                    onclick: () => this.savePicture() }, t("charts.save_as_png")), " · ",
                h("button", { class: "text-button muted", type: "button",
                    onclick: () => this.saveDrawing() }, t("charts.save_as_svg")));
            body.append(this.legendPlace, h("div", { class: "plot" }, this.canvas),
                h("div", { class: "plot-foot" }, this.tablePlace, this.savePlace));
        }
        this.canvas.setAttribute("aria-label", summary);
        this.legendPlace.replaceChildren(head(keys, interval, series, isStated ? summary : "", unit));
        this.last = [keys, interval, series];
        this.ticks = { ticks, title };
        this.said = { summary, isStated };
        this.draw(keys, interval, series);
        this.fillTable();
    }

    /* Filled only when it is open: a year of hours has nine thousand rows. */
    fillTable() {
        if (this.tablePlace.open)
            this.tablePlace.lastElementChild.replaceChildren(dataTable(this.caption, ...this.last,
                this.unit));
    }

    /* On the ground of the card, for a picture without any is unreadable on another one. */
    savePicture() {
        const picture = h("canvas", { width: String(this.canvas.width), height: String(this.canvas.height) });
        const context = picture.getContext("2d");

        context.fillStyle = colour("surface");
        context.fillRect(0, 0, picture.width, picture.height);
        context.drawImage(this.canvas, 0, 0);
        h("a", { href: picture.toDataURL("image/png"), download: `${this.caption}.png` }).click();
    }

    saveDrawing() {
        const [keys, interval, series] = this.last;
        const text = svgOf({ kind: this.kind, title: this.caption, about: shown.words(), ...this.said, keys,
            ticks: this.ticks.ticks, axisTitle: this.ticks.title, interval, series, running: runningBucket(keys, interval) });
        const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));

        h("a", { href: url, download: `${this.caption}.svg` }).click();
        setTimeout(() => URL.revokeObjectURL(url), 60000); // when it has been saved
    }

    draw(keys, interval, series) {
        const options = {
            animation: false,
            maintainAspectRatio: false,
            interaction: { mode: "index", intersect: false },
            scales: scales({ labels: keys, ...this.ticks, interval, stacked: this.kind === "bar" }),
            plugins: { legend: { display: false }, tooltip: tooltip(interval, this.unit) },
        };
        const data = { labels: keys, datasets: series.map((one) =>
            dataset(this.kind, one, runningBucket(keys, interval))) };

        if (this.chart) {
            this.chart.options = options;
            this.chart.data = data;
            this.chart.update("none");
        } else {
            Chart.defaults.font.family = getComputedStyle(document.documentElement).fontFamily;
            this.chart = new Chart(this.canvas, { type: this.kind, data, options });
        }
    }

    close() {
        this.chart?.destroy();
        this.chart = null;
        this.canvas = null;
        this.last = null; // a change of theme draws what is shown, and nothing is
    }

    destroy() {
        document.removeEventListener("themechange", this.onTheme);
        this.close();
    }
}
