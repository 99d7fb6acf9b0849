// Half a year of a billing department's clicks, written into Redis as the ledger writes them
// (FORMATS.md, "Redis keyspace"), so that the pages have something to show.

const DAYS = 180;
const CELLS_DAYS = 80; // of which clicks are counted by all dimensions together
const HOUR_MS = 3600000;

const campaigns = [
    { id: 1, name: "Invoice created", weight: 60, decay: 0.4, kinds: { 1: 60, 2: 36, 3: 4 } },
    { id: 2, name: "Reminder, 3 days before due", weight: 34, decay: 0.3, kinds: { 1: 35, 2: 62, 3: 3 } },
    { id: 3, name: "First overdue notice", weight: 22, decay: 0.5, kinds: { 1: 22, 2: 72, 3: 6 } },
    { id: 4, name: "Second overdue notice", weight: 9, decay: 0.5, kinds: { 1: 25, 2: 65, 3: 10 } },
    { id: 5, name: "Final notice before suspension", weight: 4, decay: 0.7, kinds: { 1: 15, 2: 70, 3: 15 } },
    { id: 7, name: "Domain renewal 2026", weight: 12, decay: 0.2, kinds: { 1: 30, 2: 60, 3: 10 } },
    { id: 0, name: "", weight: 5, decay: 0.1, kinds: { 1: 40, 2: 20, 3: 40 } },
];
const tests = { 2: "21212121212", 3: "12" }; // campaigns, and the variants of people's clicks
const dimensions = {
    c: { DE: 48, AT: 14, CH: 11, NL: 7, US: 6, FR: 5, GB: 4, PL: 2, DK: 1, "--": 2 },
    d: { 1: 44, 2: 6, 3: 47, 0: 3 },
    n: { 1: 82, 2: 8, 3: 5, 4: 2, 5: 3 },
    f: { 0: 55, 1: 33, 2: 1, 3: 2, 4: 9 },
    e: { 0: 6, 1: 14, 2: 13, 3: 15, 4: 13, 5: 7, 6: 6, 7: 8, 8: 7, 9: 4, 10: 4, 11: 2, 12: 1 },
};
const machineDimensions = {
    c: { US: 55, IE: 22, DE: 15, NL: 8 },
    d: { 3: 90, 0: 10 },
    n: { 1: 97, 2: 3 },
    f: { 0: 100 },
    e: { 0: 71, 1: 22, 2: 5, 3: 2 },
};
const machineLabels = { 1: 62, 2: 14, 3: 18, 4: 6 };
/* Why a label was given, in turn (FORMATS.md, "Reasons"). */
const reasons = { 0: [0], 1: [9, 9, 10, 9, 9, 11], 2: [5, 6, 5, 7, 8], 3: [3, 4, 4], 4: [2] };
const hours = [1, 1, 1, 1, 1, 3, 10, 26, 48, 58, 52, 44, 36, 40, 46, 44, 38, 32, 26, 24, 22, 16, 8, 3];
const weekdays = [22, 100, 108, 96, 92, 74, 26]; // Sunday first

/* mulberry32: the same figures in every run. */
function makeRandom(seed) {
    return () => {
        seed = (seed + 0x6d2b79f5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);

        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

function pick(random, weights) {
    const all = Object.values(weights).reduce((a, b) => a + b, 0);
    let at = random() * all;

    for (const [key, weight] of Object.entries(weights)) {
        at -= weight;
        if (at < 0)
            return key;
    }
    return Object.keys(weights)[0];
}

/* The first four bytes of a record, as a number (FORMATS.md, "Series"). */
function cellOf(letter, bucket, kind, value, a) {
    const number = letter !== "c" ? Number(value)
        : value === "--" ? 0 : value.charCodeAt(0) * 256 + value.charCodeAt(1);

    return ((2 << 14 | "lcdvnrbsfep".indexOf(letter) << 10 | bucket << 5 | kind << 1 | a) << 16 |
        number) >>> 0;
}

/* All of a click, without a count (FORMATS.md, "Cells"). */
function wholeCell(hour, kind, { c, d, n, v, f, l, r, e }) {
    const country = c === "--" ? 0 : 1 + (c.charCodeAt(0) - 65) * 26 + c.charCodeAt(1) - 65;

    return [[hour, 5], [kind, 4], [country, 10], [d, 2], [0, 4], [0, 4], [n, 3], [v, 3], [f, 3], [l, 3], [r, 6], [e, 4]]
        .reduce((cell, [value, bits]) => cell << BigInt(bits) | BigInt(value), 2n);
}

/* A record as redis-cli reads it. */
function record(cell, n) {
    const bytes = Buffer.alloc(8);

    if (typeof cell === "bigint") { // all dimensions together, and the count
        bytes.writeBigUInt64BE(cell << 11n | BigInt(n));
    } else {
        bytes.writeUInt32BE(cell);
        bytes.writeInt32BE(n, 4);
    }
    return bytes.toString("hex").replace(/../g, "\\x$&");
}

/* Redis takes no line of over 64 KiB. */
function appends(key, cells) {
    return cells.length === 0 ? [] : [
        `APPEND ${key} "${cells.slice(0, 1000).map((pair) => record(...pair)).join("")}"`,
        ...appends(key, cells.slice(1000)),
    ];
}

/** The commands, up to the hour before now. */
export function seedCommands(brand, now = Date.now()) {
    const random = makeRandom(20261122);
    const counts = new Map(); // key -> cell -> count
    const clients = new Map();
    const turns = new Map();

    function count(key, cell) {
        const cells = counts.get(key) ?? counts.set(key, new Map()).get(key);

        cells.set(cell, (cells.get(cell) ?? 0) + 1);
    }

    function add(campaign, letter, moment, kind, value, a) {
        const day = moment.toISOString().slice(0, 10).replaceAll("-", ""), month = day.slice(0, 6);
        const key = `hc:{s00}:t:${brand}:${campaign}`, rest = [kind, value, a];
        const cell = (bucket) => cellOf(letter, bucket, ...rest);

        if (campaign !== "*") {
            count(`${key}:h:${day}`, cell(moment.getUTCHours()));
            count(`${key}:d:${month}`, cell(moment.getUTCDate()));
            return;
        }
        count(`${key}:h:${letter}:${day}`, cell(moment.getUTCHours()));
        count(`${key}:d:${letter}:${day}`, cell(moment.getUTCDate()));
        count(`${key}:m:${letter}:${month}`, cell(0));
    }

    function nextOf(key, values) {
        const turn = turns.get(key) ?? 0;

        turns.set(key, turn + 1);
        return values[turn % values.length];
    }

    /* In turn, not by chance: whatever the hour, the one test has a winner and the other none. */
    function variantOf({ id }) {
        return nextOf(id, tests[id] ?? "0");
    }

    function click(campaign, moment, isMachine) {
        const kind = pick(random, campaign.kinds), a = isMachine ? 1 : 0;
        const label = isMachine ? pick(random, machineLabels) : "0";
        const variant = isMachine && campaign.id in tests ? String(1 + Math.floor(random() * 2))
            : variantOf(campaign);
        const values = { l: label, v: variant, r: nextOf(`label ${label}`, reasons[label]) };
        const day = moment.toISOString().slice(0, 10).replaceAll("-", "");

        for (const [letter, weights] of Object.entries(isMachine ? machineDimensions : dimensions))
            values[letter] = pick(random, weights);
        for (const of of [campaign.id, "*"]) {
            for (const [letter, value] of Object.entries(values))
                add(of, letter, moment, kind, value, a);
            if (!isMachine) {
                const number = 1 + Math.floor(random() ** 1.6 * 9000);

                for (const period of [day, day.slice(0, 6)]) {
                    const key = `hc:{s00}:u:${brand}:${of}:${period}`;

                    (clients.get(key) ?? clients.set(key, new Set()).get(key)).add(number);
                }
            }
        }
        add("*", "p", moment, kind, campaign.id, a);
        if (now - moment < CELLS_DAYS * 24 * HOUR_MS)
            count(`hc:{s00}:x:${brand}:${campaign.id}:${day}`, wholeCell(moment.getUTCHours(), kind, values));
    }

    const end = Math.floor(now / HOUR_MS) * HOUR_MS;

    for (let t = end - DAYS * 24 * HOUR_MS; t < end; t += HOUR_MS) {
        const moment = new Date(t);
        const growth = 0.7 + 0.5 * (1 - (end - t) / (DAYS * 24 * HOUR_MS));
        const batch = [1, 2, 15, 16].includes(moment.getUTCDate()) ? 2.1 : 1;

        for (const campaign of campaigns) {
            const mean = campaign.weight / 130 * hours[moment.getUTCHours()] / 16 * batch * growth *
                weekdays[moment.getUTCDay()] / 60;
            const n = Math.floor(mean * (0.6 + 0.8 * random()) + random());

            for (let i = 0; i < n; i++)
                click(campaign, moment, false);
            for (let i = 0; i < n * campaign.decay + random() * 0.4 - 0.1; i++)
                click(campaign, moment, true);
        }
    }
    return [
        ...[...counts].flatMap(([key, cells]) => appends(key, [...cells])),
        ...[...clients].map(([key, set]) => `PFADD ${key} ${[...set].join(" ")}`),
        ...campaigns.filter(({ name }) => name).map(({ id, name }) =>
            `HSET hc:{s00}:names:${brand} ${id} "${name}"`),
    ];
}

/** The number of the one brand that was clicked, as it stands in keys. */
export function brandOf(stack) {
    return stack.redisCli("--scan", "--pattern", "hc:{s00}:t:*").match(/hc:\{s00\}:t:(\w{8}):/)[1];
}

/* --- mails, clicks and payments (FORMATS.md, "Funnel") --- */

const EURO = 0x455552, DOLLAR = 0x555344;
const steps = { sent: 1, clicked: 2, paid: 3, amount: 4, clickDelay: 5, payDelay: 6, outcomes: 16, outcomeAmounts: 32 };

/* A record as redis-cli reads it. */
function cell({ campaign = 0, metric, kind = 0, variant = 0, channel = 1, hour = 0, value = 0, n }) {
    const bytes = Buffer.alloc(16);

    bytes.writeUInt16BE(campaign, 0);
    bytes.writeUInt8(metric, 2);
    bytes.writeUInt16BE(kind << 11 | variant << 8 | channel << 5 | hour, 3);
    bytes.writeUIntBE(value, 5, 3);
    bytes.writeBigInt64BE(BigInt(n), 8);
    return bytes.toString("hex").replace(/../g, "\\x$&");
}

/* Two steps an octave of seconds + 2. */
function delayStep(seconds) {
    let n = seconds + 2, octave = 0;

    while (n >> octave >= 4)
        octave++;
    n >>= octave;
    return octave * 2 + n - 2;
}

/** Ninety days of reminders: mailed at nine o'clock, clicked, paid; the commands. */
export function funnelCommands(brand, now = Date.now()) {
    const random = makeRandom(41);
    const lines = [];
    const mailed = { 1: [120, 0.42, 0.3], 2: [80, 0.38, 0.45], 3: [48, 0.5, 0.5], 4: [22, 0.36, 0.4], 5: [9, 0.3, 0.25] };
    const some = (n, rate) => Math.round(n * rate * (0.8 + 0.4 * random()));

    for (let age = 90; age > 0; age--) {
        const day = new Date(now - age * 86400000).toISOString().slice(0, 10).replaceAll("-", "");
        const cells = [];
        const put = (one) => { if (one.n !== 0) cells.push({ hour: 9, ...one }); };

        for (const [id, [each, clickRate, payRate]] of Object.entries(mailed)) {
            for (const variant of id === "2" ? [1, 2] : [0]) {
                const campaign = Number(id), better = variant === 2 ? 1.5 : 1;
                const sent = Math.round(each * (0.7 + 0.6 * random()) / (id === "2" ? 2 : 1));
                const clicked = some(sent, clickRate), paid = Math.min(clicked, some(clicked, payRate * better));

                put({ campaign, variant, metric: steps.sent, n: sent });
                for (const kind of [0]) {
                    put({ campaign, variant, kind, metric: steps.clicked, n: clicked });
                    put({ campaign, variant, kind, metric: steps.paid, n: paid });
                    for (let i = 0; i < clicked; i++)
                        put({ campaign, variant, kind, metric: steps.clickDelay, n: 1,
                            value: delayStep(Math.round(60 * 1.6 ** (random() * 20))) });
                    for (let i = 0; i < paid; i++)
                        put({ campaign, variant, kind, metric: steps.payDelay, n: 1,
                            value: delayStep(Math.round(40 * 1.7 ** (random() * 18))) });
                }
                put({ campaign, variant, kind: 2, metric: steps.amount, value: EURO, n: paid * 2499 });
                put({ campaign, variant, kind: 2, metric: steps.amount, value: DOLLAR, n: Math.round(paid / 9) * 1900 });
                put({ metric: steps.outcomes, n: paid, channel: 0 });
                put({ metric: steps.outcomeAmounts, value: EURO, n: paid * 2499, channel: 0 });
            }
        }
        put({ metric: steps.outcomes + 1, n: 31, channel: 0 });
        put({ metric: steps.outcomeAmounts + 1, value: EURO, n: 31 * 2100, channel: 0 });
        put({ metric: steps.outcomes + 3, n: 4, channel: 0 });
        put({ metric: steps.outcomes + 6, n: 2, channel: 0 });
        for (let at = 0; at < cells.length; at += 500) {
            const part = cells.slice(at, at + 500);

            lines.push(`APPEND hc:{s00}:fs:${brand}:${day} "${part.map(cell).join("")}"`);
            lines.push(`APPEND hc:{s00}:fs:${brand}:${day.slice(0, 6)} "${
                part.map((one) => cell({ ...one, hour: 0 })).join("")}"`);
        }
    }
    return lines;
}
