// What the API's names are called on the page, in words that need no manual.
import { language, t } from "./texts.js";

const labels = {
    human: t("common.people"),
    scanner: t("words.mail_scanners"),
    bot: t("words.bots"),
    prefetch: t("words.link_previews"),
    probe: t("words.probes"),
};

const labelNotes = {
    human: t("words.a_person_opened_the"),
    scanner: t("words.a_mail_gateway_opened"),
    bot: t("words.a_program_that_says"),
    prefetch: t("words.an_app_or_browser"),
    probe: t("words.a_program_tested_whether"),
};

/* Why a click counts as a machine's. */
const reasons = {
    head: t("words.tested_without_following"),
    prefetch: t("words.loaded_ahead_by_a"),
    preview: t("words.shown_as_a_preview"),
    crawler: t("words.says_it_is_a"),
    link_preview: t("words.makes_previews_for_chats"),
    library: t("words.a_program_not_a"),
    no_agent: t("words.doesnt_say_what_it"),
    unknown_program: t("words.an_unknown_program"),
    many_links: t("words.all_links_of_a"),
    many_networks: t("words.one_link_from_many"),
    signs: t("words.several_weaker_signs"),
    repeat: t("words.one_link_again_and"),
};

const kinds = { view: t("words.view_invoice"), pay: t("words.pay"), login: t("words.log_in") };

const channels = {
    unknown: t("words.not_specified"),
    mail: t("words.e_mail"),
    sms: t("words.text_message"),
    pdf: "PDF",
    qr: t("common.qr_code"),
    portal: t("words.client_portal"),
    chat: t("words.chat"),
    other: t("words.other"),
};

const devices = { phone: t("words.phone"), tablet: t("words.tablet"), desktop: t("words.computer"), other: t("words.other") };

const browsers = { ie: "Internet Explorer", samsung: "Samsung Internet", uc: "UC Browser", duckduckgo: "DuckDuckGo",
    android: t("words.android_browser"), in_app: t("words.inside_another_app"), mail: t("words.mail_app"),
    other: t("words.other") };

const systems = { macos: "macOS", ios: "iOS", chromeos: "ChromeOS", harmonyos: "HarmonyOS", kaios: "KaiOS", bsd: "BSD",
    other: t("words.other") };

const referrers = {
    none: t("words.mail_app_or_unknown"),
    mail: t("words.webmail"),
    search: t("words.search_engine"),
    social: t("words.social_network"),
    other: t("words.other_page"),
};

/** Steps of the time from the making of a link to the click, in order: what each is called, in
 * short, and its end. */
export const delays = {
    "1m": [t("words.within_a_minute"), t("common.1_min"), t("words.a_minute")],
    "5m": [t("words.1_to_5_minutes"), t("common.5_min"), t("words.5_minutes")],
    "15m": [t("words.5_to_15_minutes"), t("common.15_min"), t("words.15_minutes")],
    "1h": [t("words.15_to_60_minutes"), t("format.h", { n: 1 }), t("words.an_hour")],
    "3h": [t("words.1_to_3_hours"), t("format.h", { n: 3 }), t("words.3_hours")],
    "6h": [t("words.3_to_6_hours"), t("format.h", { n: 6 }), t("words.6_hours")],
    "12h": [t("words.6_to_12_hours"), t("format.h", { n: 12 }), t("words.12_hours")],
    "1d": [t("words.12_to_24_hours"), t("format.d", { n: 1 }), t("words.a_day")],
    "2d": [t("words.1_to_2_days"), t("format.d", { n: 2 }), t("words.2_days")],
    "3d": [t("words.2_to_3_days"), t("format.d", { n: 3 }), t("words.3_days")],
    "7d": [t("words.3_to_7_days"), t("format.d", { n: 7 }), t("words.a_week")],
    "14d": [t("words.7_to_14_days"), t("format.d", { n: 14 }), t("words.two_weeks")],
    "30d": [t("words.14_to_30_days"), t("format.d", { n: 30 }), t("words.30_days")],
    "90d": [t("words.30_to_90_days"), t("format.d", { n: 90 }), t("words.90_days")],
    "more": [t("words.after_90_days"), t("common.later"), ""],
};

/** Who is counted, and the field of a row that counts them. */
export const audiences = {
    human: { name: t("common.people"), of: t("words.by_people") },
    total: { name: t("words.everything"), of: t("words.by_people_and_machines") },
    automated: { name: t("common.machines"), of: t("words.by_machines") },
};

const regions = new Intl.DisplayNames(language, { type: "region" });

const states = {
    unpaid: t("words.state_unpaid"), partly_paid: t("words.state_partly_paid"), paid: t("words.state_paid"),
    credited: t("words.state_credited"), refunded: t("words.state_refunded"),
    cancelled: t("words.state_cancelled"), replaced: t("words.state_replaced"),
};

/** What became of an invoice. */
export function stateName(key) {
    return states[key] ?? key.replaceAll("_", " ");
}

function sentence(text) {
    return text.charAt(0).toUpperCase() + text.slice(1).replaceAll(/[_-]/g, " ");
}

export function labelName(key) {
    return labels[key] ?? sentence(key);
}

export function labelNote(key) {
    return labelNotes[key] ?? "";
}

export const labelKeys = Object.keys(labels);

/** The name of a row's value in one dimension. */
export function valueName(dimension, key) {
    switch (dimension) {
    case "label":
        return labelName(key);
    case "reason":
        return reasons[key] ?? sentence(key);
    case "kind":
        return kinds[key] ?? sentence(key);
    case "channel":
        return channels[key] ?? sentence(key);
    case "device":
        return devices[key] ?? sentence(key);
    case "browser":
        return browsers[key] ?? sentence(key);
    case "system":
        return systems[key] ?? sentence(key);
    case "referrer":
        return referrers[key] ?? sentence(key);
    case "delay":
        return delays[key]?.[0] ?? key;
    case "variant":
        return key === "none" ? t("words.no_variant") : t("common.variant_2", { variant: key });
    case "country":
        return countryName(key);
    default:
        return key;
    }
}

function countryName(key) {
    if (!/^[A-Z]{2}$/.test(key))
        return t("words.unknown");
    try {
        return regions.of(key);
    } catch {
        return key;
    }
}

export function campaignName(key, name) {
    return name || (key === "0" ? t("words.no_campaign") : t("words.campaign", { key }));
}
