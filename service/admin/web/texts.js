// What the page says, in the reader's language.  texts.en.js and texts.de.js hold it; only one of them
// is loaded.
const names = { en: "English", de: "Deutsch" };

function remembered() {
    try {
        return localStorage.getItem("language");
    } catch {
        return null; // storage may be blocked
    }
}

const spoken = (navigator.languages ?? [navigator.language]).filter(Boolean);
const baseOf = (tag) => tag.toLowerCase().split("-")[0];
const wanted = remembered();
const isChosen = wanted in names;

/** The language of the page: the one that was chosen here, else the browser's first that there is. */
export const language = isChosen ? wanted : spoken.map(baseOf).find((one) => one in names) ?? "en";

/** The locale of numbers and dates: that of the language in the reader's country, as "de-AT".  Who reads
 * English because their own language is missing keeps their own numbers. */
export const locale = spoken.find((tag) => baseOf(tag) === language) ?? (isChosen ? language : spoken[0] ?? language);

const { default: texts } = await import(`./texts.${language}.js`);
const forms = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(locale);

document.documentElement.lang = language;

function written(value) {
    return typeof value === "number" ? numbers.format(value) : value;
}

/**
 * The text of `key` with the values in place of its {placeholders}: a string, or a list of strings and
 * elements if a value is an element.  The form of a text that has several is that of the number `n`.
 */
export function t(key, values = {}) {
    const entry = texts[key];
    const text = typeof entry === "object" ? entry[forms.select(values.n)] ?? entry.other : entry;

    if (text === undefined)
        throw new Error(`no text ${key}`);
    const parts = text.split(/\{(\w+)\}/).map((part, i) => i % 2 ? written(values[part]) : part);

    return parts.some((part) => part instanceof Node) ? parts : parts.join("");
}

/** The other languages there are: [[key, its own name], …]. */
export const others = Object.entries(names).filter(([key]) => key !== language);

/** Shows the page in that language from now on, in this browser. */
export function choose(key) {
    try {
        localStorage.setItem("language", key);
        location.reload();
    } catch {
        // Storage is blocked: the browser's language holds.
    }
}
