// What happened when: numbers on the time axis of a chart, and a list of them below it.
import { get, post, remove } from "./api.js";
import { announce, fill, h, newId } from "./dom.js";
import { localTime, timeZone } from "./filters.js";
import { bucketDate, time, writtenDate } from "./format.js";
import { openDialog } from "./listing.js";
import { t } from "./texts.js";

const CHARACTERS_MAX = 200;

/** Those of the period, the earliest first. */
export async function loadNotes({ brand, from, to }, signal) {
    return (await get("annotations", { brand, from, to, tz: timeZone() === "UTC" ? "" : timeZone() }, signal)).annotations;
}

/* When it is, as the keys of a chart say it. */
function momentOf(at) {
    return at.length === 10 ? new Date(at) : localTime(new Date(at));
}

/** The notes with their numbers, and the place of each among the keys of a chart. */
export function placeNotes(notes, keys) {
    return notes.map((note, i) => ({ ...note, number: i + 1,
        place: Math.max(0, keys.findLastIndex((key) => bucketDate(key) <= momentOf(note.at))) }));
}

/** When it was, as people write it. */
export function whenOf({ at }) {
    return at.length === 10 ? writtenDate(at) : time(at);
}

/** Notes of one place share a mark: [{place, notes, label}]. */
export function marksOf(notes) {
    const marks = new Map();

    for (const note of notes)
        marks.set(note.place, [...marks.get(note.place) ?? [], note]);
    return [...marks].map(([place, those]) => ({ place, notes: those, label: those.length === 1 ? String(those[0].number)
        : `${those[0].number}–${those.at(-1).number}` }));
}

async function removeNote({ id, brand, text }, button) {
    button.disabled = true;
    try {
        await remove(`annotations/${id}?brand=${encodeURIComponent(brand)}`);
        announce(t("annotations.removed", { text }));
    } catch (error) {
        button.disabled = false;
        announce(error.message);
    }
    document.dispatchEvent(new CustomEvent("noted"));
}

/** The list below a chart; `mayWrite`: with buttons that take notes away. */
export function notesList(notes, mayWrite) {
    return notes.length === 0 ? null : h("ol", { class: "notes small", "aria-label": t("annotations.notes") },
        notes.map((note) => {
            const button = mayWrite ? h("button", { class: "icon-button", type: "button", onclick: () => removeNote(note, button),
                title: t("annotations.remove", { text: note.text }), "aria-label": t("annotations.remove", { text: note.text }) }, "×") : null;

            // Who comes by a link isn't told by whom it is.
            const title = note.by ? t("annotations.by", { name: note.by, at: time(note.made_at) }) : null;

            return h("li", { tabindex: "-1", "data-note": note.id, title },
                h("span", { class: "note-number" }, String(note.number)),
                h("span", null, h("time", { datetime: note.at }, whenOf(note)), " ", note.text), button);
        }));
}

function isoToday() {
    const now = new Date();

    return new Date(now.getTime() - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
}

/* As the API takes it: a date, or the moment at which that hour begins here. */
function atOf(day, hour) {
    if (hour === "")
        return day;
    return timeZone() === "UTC" ? `${day}T${hour}:00:00Z` : new Date(`${day}T${hour}:00`).toISOString();
}

/** Asks for a note, in a dialog. */
export function openNoteForm(filters) {
    const dayId = newId(), hourId = newId(), textId = newId();
    const day = h("input", { id: dayId, class: "input", type: "date", required: true, value: isoToday() });
    const hours = Array.from({ length: 24 }, (_, i) => String(i).padStart(2, "0"));
    const hour = h("select", { id: hourId, class: "input" }, h("option", { value: "" }, t("annotations.all_day")),
        hours.map((one) => h("option", { value: one }, `${one}:00`)));
    const text = h("input", { id: textId, class: "input", type: "text", required: true, maxlength: String(CHARACTERS_MAX),
        autocomplete: "off" });
    const problem = h("p", { class: "notice bad small", role: "alert", hidden: true });
    const save = h("button", { class: "button small", type: "submit" }, t("annotations.add_note"));

    async function submit(event) {
        event.preventDefault();
        save.disabled = true;
        problem.hidden = true;
        try {
            const { at } = await post("annotations", { ...filters.brand ? { brand: filters.brand } : {},
                at: atOf(day.value, hour.value), text: text.value.trim() });

            dialog.close();
            announce(t("annotations.added", { at: whenOf({ at }) }));
            document.dispatchEvent(new CustomEvent("noted"));
        } catch (error) {
            fill(problem, error.parameter === "text" ? t("annotations.bad_text", { max: CHARACTERS_MAX }) : error.message);
            problem.hidden = false;
        }
        save.disabled = false;
    }

    const dialog = openDialog(t("annotations.add_note"), h("form", { class: "stack", onsubmit: submit },
        h("p", { class: "small muted" }, t("annotations.everyone")),
        h("div", { class: "fields" },
            h("div", { class: "field" }, h("label", { for: dayId }, t("annotations.day")), day),
            h("div", { class: "field" }, h("label", { for: hourId }, t("annotations.hour")), hour)),
        h("div", { class: "field" }, h("label", { for: textId }, t("annotations.what_happened")), text),
        problem, h("div", { class: "actions" }, save)));

    text.focus();
}
