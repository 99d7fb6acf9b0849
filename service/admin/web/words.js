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
    bot: "a program that says it is one, such as a search engine",
    prefetch: "an app or browser loaded the link ahead, to show a preview",
    probe: "something asked whether the link answers, without following it",
};

const kinds = { view: "View invoice", pay: "Pay", login: "Log in" };

const channels = {
    unknown: "Not said",
    mail: "E-mail",
    sms: "Text message",
    pdf: "PDF",
    qr: "QR code",
    portal: "Client portal",
    chat: "Chat",
    other: "Other",
};

const devices = { phone: "Phone", tablet: "Tablet", desktop: "Computer", other: "Other" };

const referrers = {
    none: "Not said",
    mail: "Webmail",
    search: "Search engine",
    social: "Social network",
    other: "Other page",
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
    case "kind":
        return kinds[key] ?? sentence(key);
    case "channel":
        return channels[key] ?? sentence(key);
    case "device":
        return devices[key] ?? sentence(key);
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
