// A chart as SVG: a picture of one size, in light colours, that says what it shows and of what.
import { marksOf, whenOf } from "./annotations.js";
import { axis, bucket, time, tick } from "./format.js";
import { t } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 960, MARGIN = 24, LEFT = 72, PLOT_HEIGHT = 340, LINE = 20, ROW = 32;
const FAMILY = "sans-serif"; // one that every program has, for the picture is opened elsewhere
const LINES_MAX = 5;         // across the plot

/* Colours of the light theme, whichever the page has. */
function readColours(names) {
    const probe = document.createElement("span");

    probe.className = "light";
    probe.hidden = true;
    document.body.append(probe);
    const style = getComputedStyle(probe);
    const colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));

    probe.remove();
    return colours;
}

const pen = document.createElement("canvas").getContext("2d");

function widthOf(text, size) {
    pen.font = `${size}px ${FAMILY}`;
    return pen.measureText(text).width;
}

/* In lines that fit. */
function wrap(text, size, width) {
    const lines = [];

    for (const word of text.split(" ")) {
        if (lines.length > 0 && widthOf(`${lines.at(-1)} ${word}`, size) <= width)
            lines[lines.length - 1] += ` ${word}`;
        else
            lines.push(word);
    }
    return lines;
}

/* The least 1, 2 or 5 times a power of ten with which at most LINES_MAX steps reach `most`. */
function stepFor(most) {
    const power = 10 ** Math.floor(Math.log10(Math.max(most, 1) / LINES_MAX));

    return Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((step) => step * LINES_MAX >= most));
}

/** The series as a legend names them: lines of another period that have a `group` together, once. */
export function legendOf(series) {
    return series.filter((one, i) => !one.group || series.findIndex(({ group }) => group === one.group) === i)
        .map((one) => one.group ? { ...one, name: one.group, colour: "muted" } : one);
}

class Picture {
    constructor(chart) {
        this.chart = chart;
        this.paint = readColours(["ink", "muted", "line", "surface", "sunken", "accent", "people", ...chart.series.map(({ colour }) => colour)]);
        this.document = document.implementation.createDocument(SVG, "svg");
        this.root = this.document.documentElement;
        this.y = MARGIN;
    }

    add(name, attributes, text) {
        const element = this.document.createElementNS(SVG, name);

        for (const [key, value] of Object.entries(attributes))
            element.setAttribute(key, typeof value === "number" ? String(Math.round(value * 10) / 10) : value);
        if (text !== undefined)
            element.textContent = text;
        this.root.append(element);
        return element;
    }

    text(x, y, text, { size = 13, fill = this.paint.muted, ...more } = {}) {
        return this.add("text", { x, y, "font-size": size, fill, ...more }, text);
    }

    /* Lines of text below what is there. */
    paragraph(text, options = {}) {
        for (const line of wrap(text, options.size ?? 13, WIDTH - 2 * MARGIN)) {
            this.y += (options.size ?? 13) * 1.4;
            this.text(MARGIN, this.y, line, options);
        }
    }

    heading() {
        const { title, summary, isStated, about, keys, interval } = this.chart;
        const days = interval === "step" || keys.length === 0 ? "" : keys.length === 1 ? bucket(keys[0], interval)
            : `${bucket(keys[0], interval)} – ${bucket(keys.at(-1), interval)}`;

        this.add("title", {}, title);
        this.add("desc", {}, summary);
        this.background = this.add("rect", { width: WIDTH, fill: this.paint.surface });
        this.paragraph(title, { size: 20, fill: this.paint.ink, "font-weight": "600" });
        this.y += 4;
        this.paragraph([about, days].filter(Boolean).join(" · "));
        if (isStated)
            this.paragraph(summary, { fill: this.paint.ink });
        if (!isStated || this.chart.series.length > 1)
            this.legend();
    }

    legend() {
        let x = MARGIN;

        this.y += 14 + LINE / 2;
        for (const { name, colour, isCompared } of legendOf(this.chart.series)) {
            const width = 18 + widthOf(name, 13) + 20;

            if (x > MARGIN && x + width > WIDTH - MARGIN) {
                x = MARGIN;
                this.y += LINE;
            }
            if (isCompared)
                this.add("line", { x1: x, x2: x + 12, y1: this.y - 4, y2: this.y - 4, stroke: this.paint[colour],
                    "stroke-width": 2, "stroke-dasharray": "3 3" });
            else
                this.add("rect", { x, y: this.y - 10, width: 12, height: 12, rx: 3, fill: this.paint[colour] });
            this.text(x + 18, this.y, name, { fill: this.paint.ink });
            x += width;
        }
    }

    /* What is at the height of the longest column or the highest point. */
    most() {
        const { kind, keys, series } = this.chart;
        const own = series.filter(({ isCompared }) => !isCompared);
        const sums = kind === "bar" ? keys.map((_, i) => own.reduce((sum, { values }) => sum + (values[i] ?? 0), 0)) : [];
        const lines = kind === "bar" ? series.filter(({ isCompared }) => isCompared) : series;

        return Math.max(0, ...sums, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
    }

    plot() {
        const { keys } = this.chart;
        const step = stepFor(this.most()), n = Math.max(1, Math.ceil(this.most() / step));
        const top = this.y + LINE + (this.chart.notes.length > 0 ? 12 : 0), bottom = top + PLOT_HEIGHT;

        this.column = (WIDTH - MARGIN - LEFT) / Math.max(1, keys.length);
        this.xOf = (i) => LEFT + (i + 0.5) * this.column;
        this.yOf = (value) => bottom - value / (step * n) * PLOT_HEIGHT;
        this.top = top;
        this.bottom = bottom;
        for (let i = 0; i <= n; i++) {
            const y = this.yOf(i * step);

            this.add("line", { x1: LEFT, x2: WIDTH - MARGIN, y1: y, y2: y, stroke: this.paint.line });
            this.text(LEFT - 8, y + 4, axis(i * step, i, [{ value: n * step }]), { size: 12, "text-anchor": "end" });
        }
        this.steps();
        for (const series of this.chart.series.filter(({ isCompared }) => !isCompared))
            this.draw(series);
        for (const series of this.chart.series.filter(({ isCompared }) => isCompared))
            this.curve(series);
        marksOf(this.chart.notes).forEach((mark) => this.mark(mark));
        this.y = bottom + LINE;
        if (this.chart.axisTitle) {
            this.y += LINE;
            this.text((LEFT + WIDTH - MARGIN) / 2, this.y, this.chart.axisTitle, { size: 12, "text-anchor": "middle" });
        }
    }

    /* Names below the plot: as many as there is room for, at equal distances. */
    steps() {
        const { keys, interval, ticks } = this.chart;
        const names = keys.map((key, i) => ticks?.[i] ?? tick(key, interval));
        const every = Math.ceil((Math.max(0, ...names.map((name) => widthOf(name, 12))) + 16) / this.column);

        for (let i = 0; i < names.length; i += every)
            this.text(this.xOf(i), this.bottom + 18, names[i], { size: 12, "text-anchor": "middle" });
    }

    draw(series) {
        if (this.chart.kind !== "bar") {
            this.curve(series);
            return;
        }
        const width = Math.min(28, this.column * 0.8);

        this.heights ??= this.chart.keys.map(() => 0);
        series.values.forEach((value, i) => {
            if (!value)
                return;
            const from = this.heights[i], to = from + value;

            this.heights[i] = to;
            this.add("rect", { x: this.xOf(i) - width / 2, y: this.yOf(to), width, height: this.yOf(from) - this.yOf(to),
                fill: this.paint[series.colour], ...(i === this.chart.running ? { "fill-opacity": "0.5" } : {}) });
        });
    }

    /* From point to point; the way to the hour or day that isn't over is dashed. */
    curve({ values, colour, isCompared, group }) {
        const { running } = this.chart;
        const line = (from, to, more) => {
            let d = "", isDown = false;

            for (let i = from; i < to; i++) {
                if (values[i] !== null)
                    d += `${isDown ? "L" : "M"}${this.xOf(i).toFixed(1)} ${this.yOf(values[i]).toFixed(1)}`;
                isDown = values[i] !== null;
            }
            this.add("path", { d, fill: "none", stroke: this.paint[colour], "stroke-linejoin": "round", ...more });
        };

        if (isCompared) {
            line(0, values.length, { "stroke-width": 1.5, "stroke-dasharray": "3 3", "stroke-opacity": group ? 0.63 : 1 });
            return;
        }
        const end = running > 0 ? running : values.length;

        line(0, end, { "stroke-width": 2 });
        if (running > 0)
            line(running - 1, running + 1, { "stroke-width": 2, "stroke-dasharray": "4 4" });
    }

    /* The hours of a week, a row for each day. */
    week({ days, hours, levels }) {
        const width = (WIDTH - MARGIN - LEFT) / hours.length;

        this.y += LINE;
        hours.forEach((name, i) => this.text(LEFT + i * width, this.y, name, { size: 12 }));
        this.y += LINE / 2;
        levels.forEach((row, day) => {
            this.text(LEFT - 8, this.y + ROW / 2 + 4, days[day], { size: 12, "text-anchor": "end" });
            row.forEach((level, i) => this.add("rect", { x: LEFT + i * width, y: this.y, width: width - 2, height: ROW - 2, rx: 3,
                ...level === 0 ? { fill: this.paint.sunken } : { fill: this.paint.people, "fill-opacity": (level * 0.9 + 0.05).toFixed(3) } }));
            this.y += ROW;
        });
    }

    mark({ place, label }) {
        const x = this.xOf(place), half = Math.max(9, widthOf(label, 11) / 2 + 5);

        this.add("line", { x1: x, x2: x, y1: this.top, y2: this.bottom, stroke: this.paint.accent, "stroke-dasharray": "2 3" });
        this.add("rect", { x: x - half, y: this.top - 20, width: 2 * half, height: 18, rx: 9, fill: this.paint.accent });
        this.text(x, this.top - 7, label, { size: 11, fill: this.paint.surface, "text-anchor": "middle", "font-weight": "600" });
    }

    finish() {
        for (const note of this.chart.notes)
            this.paragraph(`${note.number} · ${whenOf(note)}: ${note.text}`, { fill: this.paint.ink });
        this.y += LINE / 2;
        this.paragraph(t("svg.source", { host: location.host, at: time(new Date().toISOString()) }), { size: 12 });
        const height = this.y + MARGIN;

        this.background.setAttribute("height", String(Math.ceil(height)));
        for (const [name, value] of Object.entries({ viewBox: `0 0 ${WIDTH} ${Math.ceil(height)}`, width: String(WIDTH),
            height: String(Math.ceil(height)), role: "img", "font-family": FAMILY }))
            this.root.setAttribute(name, value);
        return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(this.document)}\n`;
    }
}

/**
 * The text of the picture.  `chart` is {kind, title, about, summary, isStated, keys, notes, ticks, axisTitle, interval, series,
 * running}: `about` says of what the figures are, `running` is the place of the hour or day that isn't over, or -1; the
 * rest is what TimeChart.show() takes.
 */
export function svgOf(chart) {
    const picture = new Picture(chart);

    picture.heading();
    picture.plot();
    return picture.finish();
}

/** The same of the hours of a week: {title, about, summary, days, hours, levels}: names of the seven rows and the 24 columns,
 * "" where none stands, and how full each field is, 0 to 1. */
export function svgOfHours(field) {
    const picture = new Picture({ ...field, isStated: true, keys: [], interval: "step", series: [], notes: [] });

    picture.heading();
    picture.week(field);
    return picture.finish();
}
