#!/usr/bin/env node
/*
 * Mints hopcount links. Node 18 or later, or a browser; BLAKE2b is that of @noble/hashes
 * (npm install @noble/hashes). Who has the key can mint and read every link: a browser is the place
 * for it on pages of your own staff only.
 *
 *     import { findKey, mint } from "./mint.mjs";
 *     const key = findKey(await readFile("/etc/hopcount/keys", "utf8"), "acme");
 *     const url = mint(key, "acme", "https://go.acme.example", "pay", 1234, { client: 77, ttl: "30d" });
 *
 * As a program it makes a link of each line of its input:
 *
 *     echo "pay 1234 client=77 ttl=30d" | ./mint.mjs /etc/hopcount/keys acme https://go.acme.example
 */
import { blake2b } from "@noble/hashes/blake2.js";

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const KINDS = ["", "view", "pay", "login"];
const TTLS = "never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d 180d 366d".split(" ");
const CHANNELS = "unknown mail sms pdf qr portal chat other".split(" ");
const VARIANTS = ["", ..."ABCDEFG"];
const EPOCH_S = 1704067200; // 2024-01-01T00:00Z
const DEFAULTS = { client: 0, campaign: 0, ttl: "30d", channel: "mail", variant: "", arg: "",
    issued: undefined, silent: false, once: false };

function number(name, value, most) {
    if (!/^[0-9]{1,10}$/.test(String(value)) || Number(value) > most)
        throw new RangeError(`${name}: '${value}' is no number from 0 to ${most}`);
    return Number(value);
}

function place(name, value, words) {
    const at = words.indexOf(value);
    if (at < 0)
        throw new RangeError(`${name}: '${value}' is none of ${words.join(" ").trim()}`);
    return at;
}

/** {kid, secret}: the key, in the text of a key file, that mints links of the brand. */
export function findKey(text, brand) {
    for (const [at, line] of text.replace(/^\uFEFF/, "").split("\n").entries()) {
        const [kid, state, hex, brands = brand] = line.trim().split(/[ \t]+/);
        if (!kid || kid.startsWith("#"))
            continue;
        if (!/^[0-9A-Fa-f]{64}$/.test(hex))
            throw new RangeError(`key file:${at + 1}: is no key line`);
        if (state === "mint" && brands.split(",").includes(brand))
            return { kid: number("kid", kid, 255), secret: Uint8Array.from(hex.match(/../g), (b) => parseInt(b, 16)) };
    }
    throw new RangeError(`key file: has no mint key for the brand '${brand}'`);
}

/**
 * A link as text; a RangeError names a value that can't be in one. kind is view, pay, login or 4 to 15,
 * as your configuration names them. In `more`, issued are Unix seconds (now unless given), variant is
 * "" or A to G, silent links are not counted, once links work once.
 */
export function mint(key, brand, baseUrl, kind, object, more = {}) {
    for (const name of Object.keys(more)) {
        if (!Object.hasOwn(DEFAULTS, name))
            throw new RangeError(`'${name}' is no field; there are ${Object.keys(DEFAULTS).join(" ")}`);
    }
    const f = { ...DEFAULTS, ...more };
    const name = new TextEncoder().encode(brand);
    if (name.length < 1 || name.length > 63)
        throw new RangeError(`brand: has ${name.length} bytes, 1 to 63 are possible`);
    if (!/^[A-Za-z0-9._~-]{0,48}$/.test(f.arg))
        throw new RangeError(`arg: '${f.arg}' is not up to 48 of A-Z a-z 0-9 . _ ~ -`);
    const code = KINDS.indexOf(kind) > 0 ? KINDS.indexOf(kind) : number("kind", kind, 15);
    if (code === 0)
        throw new RangeError("kind: 0 is none");
    const issued = number("issued", Math.floor(((f.issued ?? Date.now() / 1000) - EPOCH_S) / 60), 0xffffff);
    const plain = new Uint8Array(15 + f.arg.length);
    const view = new DataView(plain.buffer);
    view.setUint8(0, code << 4 | place("ttl", f.ttl, TTLS));
    view.setUint32(1, number("object", object, 0xffffffff));
    view.setUint32(5, number("client", f.client, 0xffffffff));
    view.setUint32(10, issued); // its three bytes end at 13; the campaign overwrites the fourth
    view.setUint16(9, number("campaign", f.campaign, 0xffff));
    view.setUint8(14, place("channel", f.channel, CHANNELS) << 5 | place("variant", f.variant, VARIANTS) << 2
        | Number(Boolean(f.silent)) << 1 | Number(Boolean(f.once)));
    plain.set(new TextEncoder().encode(f.arg), 15);
    const hash = (prefix, rest, dkLen) => blake2b(
        Uint8Array.from([prefix, key.kid, name.length, ...name, ...rest]), { key: key.secret, dkLen });
    const tag = hash(1, plain, 32).slice(0, 12);
    const pad = hash(2, tag, 64);
    const sealed = [key.kid, ...tag, ...plain.map((byte, at) => byte ^ pad[at])];
    const bits = sealed.map((byte) => byte.toString(2).padStart(8, "0")).join("");
    const text = bits.replace(/.{1,5}/g, (five) => DIGITS[parseInt(five.padEnd(5, "0"), 2)]);
    return `${baseUrl.replace(/\/+$/, "")}/${text}`;
}

const program = globalThis.process?.argv?.[1];
const { readFileSync, realpathSync } = program ? await import("node:fs") : {};
const { pathToFileURL } = program ? await import("node:url") : {};
if (program && import.meta.url === pathToFileURL(realpathSync(program)).href) {
    const [file, brand, baseUrl] = process.argv.slice(2);
    let at = 0;
    try {
        if (!baseUrl)
            throw new RangeError("usage: mint.mjs KEY_FILE BRAND BASE_URL < lines of KIND OBJECT [client=N …]");
        const key = findKey(readFileSync(file, "utf8"), brand);
        for (const line of readFileSync(0, "utf8").split("\n")) {
            at++;
            if (!line.trim())
                continue;
            const [kind, object, ...rest] = line.trim().split(/\s+/);
            const more = Object.fromEntries(rest.map((word) => word.split(/=(.*)/s, 2)));
            for (const flag of ["silent", "once"].filter((each) => each in more))
                more[flag] = place(flag, more[flag], ["no", "yes"]);
            if ("issued" in more)
                more.issued = number("issued", more.issued, 9999999999);
            console.log(mint(key, brand, baseUrl, kind, object, more));
        }
    } catch (error) {
        console.error(`mint.mjs: ${at ? `line ${at}: ` : ""}${error.message}`);
        process.exitCode = 1;
    }
}
