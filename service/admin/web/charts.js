// Curves and columns over time, by Chart.js, in the colours of the theme; each comes with a table
// of the same figures for people who can’t see it or prefer to read.
import { marksOf, notesList, openNoteForm, placeNotes, whenOf } from "./annotations.js";
import { announce, fill, h, table } from "./dom.js";
import { addressOf, go, localTime, readView } from "./filters.js";
import { axis, bucket, bucketDate, count, tick } from "./format.js";
import { saveButtons, saveCanvas, saveTable, saveText } from "./save.js";
import { legendOf, svgOf } from "./svg.js";
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

/* `act()` says what a press on the column of a place will do; "" if nothing. */
function tooltip(interval, unit, act) {
    return {
        backgroundColor: colour("ink"),
        titleColor: colour("ground"),
        bodyColor: colour("ground"),
        footerColor: colour("ground"),
        footerFont: { weight: "normal", style: "italic" },
        padding: 10,
        cornerRadius: 8,
        boxPadding: 4,
        usePointStyle: true,
        filter: (item) => item.parsed.y > 0,
        callbacks: {
            title: (items) => items.length > 0 ? bucket(items[0].label, interval) : "",
            label: (item) => interval === "step" && item.datasetIndex === 0 ? ` ${unit}: ${count(item.parsed.y)}`
                : ` ${item.dataset.label}: ${count(item.parsed.y)}`,
            footer: (items) => items.length > 0 ? act(items[0].dataIndex) : "",
        },
    };
}

/* The place among `keys` of the hour, day, week or month that isn't over yet; -1: there is none. */
function runningBucket(keys, interval) {
    if (interval === "step")
        return -1;
    const local = localTime(new Date());

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
        return { type: "line", label: series.name, data: series.values, borderColor: series.group ? `${paint}a0` : paint, backgroundColor: paint,
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
    return h("ul", { class: "legend" }, legendOf(series).map((one) => {
        const swatch = h("span", { class: one.isCompared ? "swatch dashed" : "swatch" });

        swatch.style.color = `var(--${one.colour})`;
        return h("li", { title: one.note || null }, one.way ? h("a", { "data-view": one.way.view,
            href: addressOf(one.way.view, one.way.filters), title: [one.way.title, one.note].filter(Boolean).join("\n") },
        swatch, one.name) : [swatch, one.name]);
    }));
}

function headOf(interval, series, unit) {
    const [first, ...others] = series.map(({ name }) => name);

    return interval === "step" ? [t("common.step"), unit, ...others] : [t("charts.time"), first, ...others];
}

/* For a file: "2026-11-22 14:00" is a time to spreadsheets. */
function dataRows(keys, interval, series, unit) {
    return [headOf(interval, series, unit), ...keys.map((key, i) =>
        [interval === "hour" ? key.slice(0, 16).replace("T", " ") : key, ...series.map(({ values }) => values[i])])];
}

function dataTable(caption, keys, interval, series, unit) {
    const running = runningBucket(keys, interval);
    const rows = keys.map((key, i) =>
        [bucket(key, interval) + (i === running ? t("charts.not_over") : ""), ...series.map(({ values }) => values[i] === null ? "–" : count(values[i]))]);

    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        table("rows small", caption, headOf(interval, series, unit), rows));
}

/* The legend: what colours and heights stand for. */
function head(keys, interval, series, statement, unit) {
    const isRunning = runningBucket(keys, interval) >= 0;
    const said = h("p", { class: "small muted" }, interval === "step" ? unit
        : t(`charts.per_${interval}${isRunning ? "_running" : ""}`));

    return h("div", { class: "plot-head" }, statement ? h("p", null, statement) : null,
        statement && series.length === 1 ? null : legend(series), said);
}

const MARK = 9; // radius of the mark of a note, above the plot

/* A line at each place that has a note, and its number above. */
function drawMarks(chart, marks) {
    const { ctx: pen, chartArea: { top, bottom }, scales: { x } } = chart;

    pen.save();
    pen.strokeStyle = pen.fillStyle = colour("accent");
    pen.font = `600 11px ${getComputedStyle(document.documentElement).fontFamily}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const { place, label } of marks) {
        const at = x.getPixelForValue(place), half = Math.max(MARK, pen.measureText(label).width / 2 + 5);

        pen.setLineDash([2, 3]);
        pen.beginPath();
        pen.moveTo(at, top);
        pen.lineTo(at, bottom);
        pen.stroke();
        pen.setLineDash([]);
        pen.beginPath();
        pen.roundRect(at - half, top - 2 * MARK - 2, 2 * half, 2 * MARK, MARK);
        pen.fill();
        pen.fillStyle = colour("accent-ink");
        pen.fillText(label, at, top - MARK - 1.5);
        pen.fillStyle = colour("accent");
    }
    pen.restore();
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

    /** Series are {name, colour, values, note, way}: `way` {view, filters, title} is where the legend leads; `summary` says in a sentence what is to be seen, and
     * is shown in place of a legend where there is a single series (`isStated`); `ticks` are short
     * names of the keys, `title` what they are; `unit` is what is counted by step; `compared` is one more series, of another period, or
     * several, whose `group` is their one name in the legend; `remark` is a sentence below the legend;
     * `notes` are annotations, `noting` {filters, mayWrite} whoever may add some; `wayOf(i)` is where a press on the
     * column of the key number i leads, {filters, what}, or null: `what` says it, "show only this day". */
    show(body, { keys, ticks, title, interval, series: own, compared, summary, isStated, remark = "", unit = t("common.clicks"),
        notes = [], noting, wayOf = null }) {
        const series = [...own, ...[compared ?? []].flat()];

        this.unit = unit;
        this.wayOf = (i) => own.some(({ values }) => values[i] > 0) && wayOf ? wayOf(i) : null;
        if (!this.canvas) {
            this.pointer = "mouse";
            this.canvas = h("canvas", { role: "img", onpointerdown: (event) => { this.pointer = event.pointerType; },
                onpointermove: (event) => { this.pointer = event.pointerType; } });
            this.cursor = this.makeCursor();
            this.offerPlace = h("p", { class: "small offer", hidden: true });
            this.legendPlace = h("div");
            this.tablePlace = h("details", { class: "data" },
                h("summary", null, t("charts.show_as_a_table")), h("div"));
            this.tablePlace.addEventListener("toggle", () => this.fillTable());
            this.marksPlace = h("div");
            this.notesPlace = h("div");
            this.savePlace = saveButtons(
                ...noting?.mayWrite ? [[t("annotations.add_note"), () => openNoteForm(noting.filters)]] : [],
                [t("charts.save_as_png"), () => this.savePicture()], [t("charts.save_as_svg"), () => this.saveDrawing()],
                [t("common.save_as_csv"), () => saveTable(this.caption, dataRows(...this.last, this.unit))]);
            body.append(this.legendPlace, h("div", { class: "plot" }, this.canvas, this.cursor, this.marksPlace), this.offerPlace, this.notesPlace,
                h("div", { class: "plot-foot" }, this.tablePlace, this.savePlace));
        }
        this.canvas.setAttribute("aria-label", summary);
        fill(this.legendPlace, head(keys, interval, series, isStated ? summary : "", unit),
            remark ? h("p", { class: "small muted" }, remark) : null);
        this.last = [keys, interval, series];
        this.cursor.hidden = !wayOf;
        this.offerPlace.hidden ||= !keys.includes(this.offered);
        this.at = Math.min(this.at ?? keys.length - 1, keys.length - 1);
        this.ticks = { ticks, title };
        this.said = { summary, isStated };
        this.showNotes(placeNotes(notes, keys), noting?.mayWrite);
        this.draw(keys, interval, series);
        this.fillTable();
        if (document.activeElement === this.cursor)
            this.point(this.at);
        else
            this.nameCursor();
    }

    /* --- what a press does: by mouse on the column, by keys on a cursor that goes from column to column, by
     * touch on a button that a tap on the column offers, for one can't point without pressing --- */

    makeCursor() {
        const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -7, PageUp: 7,
            Home: -Infinity, End: Infinity };

        return h("div", { class: "plot-cursor", role: "slider", tabindex: "0", "aria-label": this.caption, "aria-valuemin": "0",
            onfocus: () => {
                this.pointer = "keys";
                this.point(this.at);
            },
            onblur: () => this.unpoint(),
            onkeydown: (event) => {
                if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in moves || event.key === "Enter"))
                    return;
                event.preventDefault();
                if (event.key === "Enter")
                    this.follow(this.at);
                else
                    this.point(Math.max(0, Math.min(this.last[0].length - 1, this.at + moves[event.key])));
            } });
    }

    /* Says the column of the cursor to those who don't see it. */
    nameCursor() {
        const [keys, interval, series] = this.last, way = this.wayOf(this.at);
        const values = series.filter(({ values }) => values[this.at] > 0).map(({ name, values }) => `${name}: ${count(values[this.at])}`);

        for (const [name, value] of Object.entries({ valuemax: keys.length - 1, valuenow: this.at,
            valuetext: [keys.length > 0 ? bucket(keys[this.at], interval) : "", ...values, way ? t("charts.by_enter", { what: way.what }) : ""].filter(Boolean).join("; ") }))
            this.cursor.setAttribute(`aria-${name}`, String(value));
    }

    point(i) {
        const { chart } = this, x = chart.scales.x.getPixelForValue(i);
        const active = chart.data.datasets.map((_, datasetIndex) => ({ datasetIndex, index: i }));

        this.at = i;
        this.nameCursor();
        this.cursor.style.left = `${x}px`;
        chart.setActiveElements(active);
        chart.tooltip.setActiveElements(active, { x, y: (chart.chartArea.top + chart.chartArea.bottom) / 2 });
        chart.update("none");
    }

    unpoint() {
        this.chart?.setActiveElements([]);
        this.chart?.tooltip.setActiveElements([], { x: 0, y: 0 });
        this.chart?.update("none");
    }

    act(i) {
        const what = this.wayOf(i)?.what;

        return !what || this.pointer === "touch" ? "" : t(this.pointer === "keys" ? "charts.by_enter" : "charts.by_click", { what });
    }

    press(i) {
        if (this.pointer !== "touch")
            this.follow(i);
        else if (this.wayOf(i)) {
            const [keys, interval] = this.last, key = keys[i];

            this.offered = key;
            fill(this.offerPlace, h("button", { class: "button plain small", type: "button",
                onclick: () => this.follow(this.last[0].indexOf(key)) }, t("charts.show_only", { name: bucket(key, interval) })));
            this.offerPlace.hidden = false;
        }
    }

    follow(i) {
        const [keys, interval] = this.last, way = this.wayOf(i);

        if (!way)
            return;
        announce(bucket(keys[i], interval));
        go(readView(), way.filters);
        document.getElementById("content")?.focus({ preventScroll: true });
    }

    /* Made anew only when there are others, for one of them may have the focus. */
    showNotes(notes, mayWrite) {
        const text = JSON.stringify(notes);

        if (this.notesText === text)
            return;
        this.notesText = text;
        this.notes = notes;
        fill(this.notesPlace, notesList(notes, mayWrite));
        fill(this.marksPlace, marksOf(notes).map((mark) => {
            const said = mark.notes.map((note) => `${whenOf(note)}: ${note.text}`);

            return h("button", { class: "note-mark", type: "button", "aria-label": said.join("; "), "data-place": String(mark.place),
                onclick: () => this.notesPlace.querySelector(`[data-note="${mark.notes[0].id}"]`)?.focus() },
            h("span", { class: "bubble small", "aria-hidden": "true" }, said.map((one) => h("span", null, one))));
        }));
    }

    /* The buttons stand on the marks that are drawn. */
    moveMarks({ chartArea, scales, width }) {
        for (const button of this.marksPlace.children) {
            const x = scales.x.getPixelForValue(Number(button.dataset.place));

            button.style.left = `${x}px`;
            button.style.top = `${chartArea.top - MARK - 2}px`;
            button.classList.toggle("is-left", x < width * 0.4);
            button.classList.toggle("is-right", x > width * 0.6);
        }
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
        saveCanvas(this.caption, picture);
    }

    saveDrawing() {
        const [keys, interval, series] = this.last;
        const text = svgOf({ kind: this.kind, title: this.caption, about: shown.words(), ...this.said, keys,
            notes: this.notes, ticks: this.ticks.ticks, axisTitle: this.ticks.title, interval, series, running: runningBucket(keys, interval) });

        saveText(`${this.caption}.svg`, "image/svg+xml", text);
    }

    draw(keys, interval, series) {
        const options = {
            animation: false,
            maintainAspectRatio: false,
            layout: { padding: { top: this.notes.length > 0 ? 2 * MARK + 4 : 0 } },
            interaction: { mode: "index", intersect: false },
            scales: scales({ labels: keys, ...this.ticks, interval, stacked: this.kind === "bar" }),
            plugins: { legend: { display: false }, tooltip: tooltip(interval, this.unit, (i) => this.act(i)) },
            onHover: (event, [one]) => {
                this.canvas.style.cursor = one && this.wayOf(one.index) ? "pointer" : "";
            },
            // Afterwards: it may end this chart, which still works on the event.
            onClick: (event, [one]) => one && queueMicrotask(() => this.press(one.index)),
        };
        const data = { labels: keys, datasets: series.map((one) =>
            dataset(this.kind, one, runningBucket(keys, interval))) };

        if (this.chart) {
            this.chart.options = options;
            this.chart.data = data;
            this.chart.update("none");
        } else {
            Chart.defaults.font.family = getComputedStyle(document.documentElement).fontFamily;
            this.chart = new Chart(this.canvas, { type: this.kind, data, options, plugins: [{ id: "notes",
                afterDatasetsDraw: (chart) => drawMarks(chart, marksOf(this.notes)),
                afterRender: (chart) => this.moveMarks(chart) }] });
        }
    }

    close() {
        this.chart?.destroy();
        this.chart = null;
        this.canvas = null;
        this.notesText = null;
        this.last = null; // a change of theme draws what is shown, and nothing is
    }

    destroy() {
        document.removeEventListener("themechange", this.onTheme);
        this.close();
    }
}
