// Files of what the page shows: tables as CSV, drawings, pictures.
import { h } from "./dom.js";

const KEPT_MS = 60000; // until a file has been saved
const SHARPER = 2;     // pixels of a picture per unit of its drawing
const QUOTE = "\"";

function save(name, href) {
    h("a", { href, download: name }).click();
}

/** Saves `text` as a file. */
export function saveText(name, type, text) {
    const url = URL.createObjectURL(new Blob([text], { type }));

    save(name, url);
    setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

/** Saves what is on a canvas. */
export function saveCanvas(name, canvas) {
    save(`${name}.png`, canvas.toDataURL("image/png"));
}

/** Saves a drawing, the text of an SVG file, as a picture. */
export async function saveAsPicture(name, drawing) {
    const image = new Image();

    image.src = `data:image/svg+xml,${encodeURIComponent(drawing)}`;
    await image.decode();
    const canvas = h("canvas", { width: String(image.naturalWidth * SHARPER), height: String(image.naturalHeight * SHARPER) });

    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    saveCanvas(name, canvas);
}

/* As RFC 4180 has it.  What a spreadsheet would take for a formula is marked as a text. */
function field(value) {
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");

    return /[\x22,\r\n]/.test(text) ? QUOTE + text.replaceAll(QUOTE, QUOTE + QUOTE) + QUOTE : text;
}

/** Saves rows, of which the first is the head: numbers as such, not as people write them. */
export function saveTable(name, rows) {
    const lines = rows.map((row) => `${row.map(field).join(",")}\r\n`);

    saveText(`${name}.csv`, "text/csv;charset=utf-8", `\ufeff${lines.join("")}`); // else spreadsheets don't read UTF-8
}

/** The buttons below a chart: [[text, what a press does], …]. */
export function saveButtons(...ways) {
    return h("p", { class: "save small" }, ways.map(([text, onclick], i) => [i > 0 ? " · " : null,
        h("button", { class: "text-button muted", type: "button", onclick }, text)]));
}
