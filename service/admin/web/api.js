// The statistics API, asked with the session's cookie.
import { language, t } from "./texts.js";

const base = "../v1/";
let csrfToken = "";
let shareToken = ""; // of the link that shares a view, where the page was opened by one

/** From now on the API is asked by the text of such a link, and by nothing else. */
export function openShare(token) {
    shareToken = token;
}

/** Whether the page shows a shared view: it may ask for the figures of that view alone. */
export function isShared() {
    return shareToken !== "";
}

/* By the last part of `type`. */
const kinds = {
    "malformed-request": t("api.malformed_request"), "invalid-json": t("api.invalid_fields"),
    "invalid-fields": t("api.invalid_fields"), "invalid-parameters": t("api.invalid_parameters"),
    "no-api-key": t("api.no_api_key"), "missing-scope": t("api.missing_scope"),
    "other-brand": t("api.other_brand"), "cross-site": t("api.cross_site"), "forbidden": t("api.forbidden"),
    "unknown-link": t("api.unknown_link"), "not-found": t("api.not_found"), "link-ended": t("api.link_ended"),
    "too-large": t("api.too_large"), "too-many-requests": t("api.too_many_requests"),
    "redis-unavailable": t("api.redis_unavailable"), "no-minting-key": t("api.no_minting_key"),
    "busy": t("api.busy"), "counted-apart": t("api.counted_apart"),
};

/** What went wrong: `message` in words that can be shown, `detail` as the server said it. */
export class ApiError extends Error {
    constructor(status, detail, { type, parameter, retryAfter } = {}) {
        // The server's sentences are English; other languages say what kind of problem it is.
        super(language === "en" || !kinds[type] ? detail : kinds[type]);
        this.detail = detail;
        this.status = status;
        this.type = type; // the last part of its URI: "counted-apart"
        /* What the sentence says of the parameter, for pages that have a word of their own for it:
         * "must be a number". */
        this.predicate = (parameter && detail.startsWith(`${parameter} `)
            ? detail.slice(parameter.length + 1) : detail).replace(/\.$/, "");
        this.parameter = parameter;
        this.retryAfter = retryAfter; // seconds, NaN: the server didn't say
    }
}

async function request(method, path, options = {}) {
    const headers = { Accept: "application/json" };
    let reply;

    if (options.body !== undefined)
        headers["Content-Type"] = "application/json";
    if (shareToken)
        headers.Authorization = `Bearer ${shareToken}`;
    if (method !== "GET" && csrfToken)
        headers["X-CSRF-Token"] = csrfToken;
    try {
        reply = await fetch(base + path, {
            method,
            headers,
            signal: options.signal,
            credentials: shareToken ? "omit" : "same-origin",
            body: options.body === undefined ? undefined : JSON.stringify(options.body),
        });
    } catch (error) {
        if (error.name === "AbortError")
            throw error;
        throw new ApiError(0, t("api.hopcount_cant_be_reached"));
    }
    return read(reply, path);
}

async function read(reply, path) {
    const body = reply.status === 204 ? null : await reply.json().catch(() => null);

    if (reply.ok)
        return body;
    if (reply.status === 401 && path !== "session")
        document.dispatchEvent(new CustomEvent("signedout"));
    throw new ApiError(reply.status, body?.detail ?? t("api.the_server_replied_with", { status: reply.status }),
        { type: body?.type?.split("/").at(-1), parameter: body?.parameter,
            retryAfter: Number.parseInt(reply.headers.get("Retry-After"), 10) });
}

function withQuery(path, params) {
    const query = new URLSearchParams();

    for (const [name, value] of Object.entries(params ?? {})) {
        if (value !== "" && value !== undefined && value !== null)
            query.set(name, value);
    }
    return query.size > 0 ? `${path}?${query}` : path;
}

export function get(path, params, signal) {
    return request("GET", withQuery(path, params), { signal });
}

export function put(path, params, body) {
    return request("PUT", withQuery(path, params), { body });
}

export function post(path, body) {
    return request("POST", path, { body });
}

export function remove(path) {
    return request("DELETE", path);
}

/** The least `as_of` of the statistics that came since it was set to "". */
export const freshness = { oldest: "" };

/* Names just given, "brand campaign" -> {name, until}: another pod may keep an answer that is
 * older, for as long as any is kept. */
const renamed = new Map();
const KEPT_MS = 60000;

export function rename(brand, campaign, name) {
    renamed.set(`${brand} ${campaign}`, { name, until: Date.now() + KEPT_MS });
}

function applyNames(rows, brand) {
    for (const row of rows ?? []) {
        const given = renamed.get(`${brand} ${row.campaign ?? row.key}`);

        if (given && Date.now() < given.until)
            row.name = given.name;
    }
}

/** The share of clicks from which on it is all of them, but for those that are just being counted. */
export const COVERED = 0.9995;

/** Statistics; `params` as GET /v1/stats takes them. */
export async function stats(params, signal) {
    const data = await get("stats", params, signal);

    if (renamed.size > 0 && /\bcampaign\b/.test(params.group_by ?? ""))
        applyNames(data.rows, params.brand ?? "");

    // A comparison with less than all clicks would be none.
    if (data.previous?.coverage?.share < COVERED)
        delete data.previous;
    if (data.as_of && (!freshness.oldest || data.as_of < freshness.oldest))
        freshness.oldest = data.as_of;
    return data;
}

/** Where the browser itself may fetch something: pictures, files. */
export function address(path, params) {
    return base + withQuery(path, params);
}

/* --- the session --- */

function take(session) {
    csrfToken = session.csrf_token ?? "";
    return session;
}

export async function findSession() {
    return take(await request("GET", "session"));
}

export async function signIn(key) {
    return take(await request("POST", "session", { body: { key } }));
}

export async function signOut() {
    await request("DELETE", "session");
    csrfToken = "";
}
