// Numbers, shares and times as people of the reader's language write them.
import { locale, t } from "./texts.js";

const whole = new Intl.NumberFormat(locale);
const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
const tenth = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const shares = new Intl.NumberFormat(locale,
    { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const clockFace = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

export function count(n) {
    return whole.format(n);
}

const short = new Intl.NumberFormat(locale, { notation: "compact", maximumSignificantDigits: 4 });

/** A large figure: in full up to a million, from there on short: 12.35M. */
export function big(n) {
    return Math.abs(n) < 1e6 ? count(n) : write(short, n);
}

/* "12.35M": British English would write a small m, which is a thousandth elsewhere. */
function write(format, n) {
    return format.formatToParts(n).map(({ type, value }) => type === "compact" && value === "m" ? "M"
        : value).join("");
}

/** count(2, "click"): "2 clicks"; "1 click". */
export function many(n, what) {
    return t(`n.${what}`, { n });
}

/** The numbers of an axis, as Chart.js asks for them: all in full, or all short: 12.5K. */
export function axis(n, _, ticks) {
    return ticks.at(-1).value >= 10000 ? write(compact, n) : count(n);
}

/** 0.1234 as 12.3%. */
export function percent(share) {
    if (!Number.isFinite(share))
        return "–";
    return share > 0 && share < 0.001 ? `< ${shares.format(0.001)}` : shares.format(share);
}

export function share(part, all) {
    return all > 0 ? percent(part / all) : "–";
}

/** 0.0693 as 6.9, of clicks per mail. */
export function per100(rate) {
    return tenth.format(rate * 100);
}

/** A chance in words: 0.032 as "about 3 times in 100". */
export function odds(p) {
    if (p >= 0.95)
        return t("format.odds_sure");
    if (p < 0.001)
        return t("format.odds_less", { of: 1000 });
    const of = p >= 0.1 ? 10 : p >= 0.01 ? 100 : 1000;
    const n = Math.round(p * of);

    return t("format.odds", { n, of });
}

export function bytes(n) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let i = 0;

    while (n >= 1024 && i < units.length - 1) {
        n /= 1024;
        i++;
    }
    return `${tenth.format(n)} ${units[i]}`;
}

export function time(text) {
    return text ? moment.format(new Date(text)) : "–";
}

const dayFormat = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });

/** A date of the address, 2026-11-28, as it is written here; anything else stays as it is. */
export function writtenDate(text) {
    return /^\d{4}-\d\d-\d\d$/.test(text) ? dayFormat.format(new Date(text)) : text;
}

/** The time of day, to the second. */
export function clock(text) {
    return clockFace.format(new Date(text));
}

/** "3 days ago", of a moment in the past or to come. */
export function ago(text, now = Date.now()) {
    const seconds = (new Date(text).getTime() - now) / 1000;

    if (Number.isNaN(seconds))
        return "–";
    const steps = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600],
        ["minute", 60]];

    for (const [unit, length] of steps) {
        if (Math.abs(seconds) >= length)
            return relative.format(Math.round(seconds / length), unit);
    }
    return relative.format(Math.round(seconds), "second");
}

export function seconds(n) {
    if (n < 1)
        return t("format.under_a_second");
    if (n < 120)
        return t("format.s", { n: Math.round(n) });
    return n < 7200 ? t("format.min", { n: Math.round(n / 60) }) : t("format.h", { n: tenth.format(n / 3600) });
}

/** A time span in words: "25 minutes", "3.5 days". */
export function duration(n) {
    const [length, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]
        .find(([seconds]) => n >= 2 * seconds) ?? [1, "second"];
    const value = n / length;

    return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long",
        maximumFractionDigits: value < 10 && unit !== "second" ? 1 : 0 }).format(value);
}

/** An amount in a currency's smallest unit, in the unit itself: 1999 EUR as 19.99. */
export function units(n, currency) {
    return n / 10 ** new Intl.NumberFormat(locale, { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
}

/** The same as it is written: €19.99. */
export function money(n, currency) {
    return new Intl.NumberFormat(locale, { style: "currency", currency }).format(units(n, currency));
}

/* The API names buckets by what local clocks show.  Reading that as UTC, and writing it as UTC,
 * shows it unchanged. */
const formats = {
    hour: { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
    day: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
    month: { month: "long", year: "numeric" },
    tick_hour: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
    tick_day: { day: "numeric", month: "short" },
    tick_week: { day: "numeric", month: "short" },
    tick_month: { month: "short", year: "numeric" },
};
const formatters = Object.fromEntries(Object.entries(formats).map(([name, options]) =>
    [name, new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" })]));

/** The local time of a bucket, as if it were UTC. */
export function bucketDate(key) {
    return new Date(`${key}${key.length === 7 ? "-01" : ""}`.slice(0, 16) +
        (key.length > 10 ? "Z" : "T00:00Z"));
}

/** The Monday of a day's week. */
export function weekOf(key) {
    const date = bucketDate(key);

    date.setUTCDate(date.getUTCDate() - (date.getUTCDay() + 6) % 7);
    return date.toISOString().slice(0, 10);
}

/* `interval` "step": keys that are no times, but in an order all the same. */
export function bucket(key, interval) {
    if (interval === "step")
        return key;
    if (interval === "week")
        return t("format.week_of", { day: formatters.day.format(bucketDate(key)) });
    return formatters[interval].format(bucketDate(key));
}

export function tick(key, interval) {
    if (interval === "step")
        return key;
    return formatters[`tick_${interval}`].format(bucketDate(key));
}
