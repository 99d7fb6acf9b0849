// What the API's names are called on the page, in words that need no manual.

const labels = {
    human: "People",
    scanner: "Mail scanners",
    bot: "Bots",
    prefetch: "Link previews",
    probe: "Probes",
};

const labelNotes = {
    human: "a person opened the link",
    scanner: "a mail gateway opened the link to check it",
    bot: "a program that says so, as search engines do, or that opens one link again and again",
    prefetch: "an app or browser loaded the link ahead, to show a preview",
    probe: "a program tested whether the link answers, without following it",
};

/* Why a click counts as a machine's. */
const reasons = {
    head: "Tested without following",
    prefetch: "Loaded ahead by a browser",
    preview: "Shown as a preview",
    crawler: "Says it is a bot",
    link_preview: "Makes previews for chats",
    library: "A program, not a browser",
    no_agent: "Doesn’t say what it is",
    unknown_program: "An unknown program",
    many_links: "All links of a mail at once",
    many_networks: "One link from many networks",
    signs: "Several weaker signs",
    repeat: "One link again and again",
};

const kinds = { view: "View invoice", pay: "Pay", login: "Log in" };

const channels = {
    unknown: "Not specified",
    mail: "E-mail",
    sms: "Text message",
    pdf: "PDF",
    qr: "QR code",
    portal: "Client portal",
    chat: "Chat",
    other: "Other",
};

const devices = { phone: "Phone", tablet: "Tablet", desktop: "Computer", other: "Other" };

const browsers = { ie: "Internet Explorer", samsung: "Samsung Internet", uc: "UC Browser", duckduckgo: "DuckDuckGo",
    android: "Android Browser", in_app: "Inside another app", mail: "Mail app" };

const systems = { macos: "macOS", ios: "iOS", chromeos: "ChromeOS", harmonyos: "HarmonyOS", kaios: "KaiOS", bsd: "BSD" };

const referrers = {
    none: "Mail app, or unknown",
    mail: "Webmail",
    search: "Search engine",
    social: "Social network",
    other: "Other page",
};

/** Steps of the time from the making of a link to the click, in order: what each is called, in
 * short, and its end. */
export const delays = {
    "1m": ["Within a minute", "1 min", "a minute"],
    "5m": ["1 to 5 minutes", "5 min", "5 minutes"],
    "15m": ["5 to 15 minutes", "15 min", "15 minutes"],
    "1h": ["15 to 60 minutes", "1 h", "an hour"],
    "3h": ["1 to 3 hours", "3 h", "3 hours"],
    "6h": ["3 to 6 hours", "6 h", "6 hours"],
    "12h": ["6 to 12 hours", "12 h", "12 hours"],
    "1d": ["12 to 24 hours", "1 d", "a day"],
    "2d": ["1 to 2 days", "2 d", "2 days"],
    "3d": ["2 to 3 days", "3 d", "3 days"],
    "7d": ["3 to 7 days", "7 d", "a week"],
    "14d": ["7 to 14 days", "14 d", "two weeks"],
    "30d": ["14 to 30 days", "30 d", "30 days"],
    "90d": ["30 to 90 days", "90 d", "90 days"],
    "more": ["After 90 days", "later", ""],
};

/** Who is counted, and the field of a row that counts them. */
export const audiences = {
    human: { name: "People", of: "by people" },
    total: { name: "Everything", of: "by people and machines" },
    automated: { name: "Machines", of: "by machines" },
};

const regions = new Intl.DisplayNames(undefined, { type: "region" });

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
    case "variant":
        return key === "none" ? "No variant" : `Variant ${key}`;
    case "country":
        return countryName(key);
    default:
        return key;
    }
}

function countryName(key) {
    if (!/^[A-Z]{2}$/.test(key))
        return "Unknown";
    try {
        return regions.of(key);
    } catch {
        return key;
    }
}

export function campaignName(key, name) {
    return name || (key === "0" ? "No campaign" : `Campaign ${key}`);
}
