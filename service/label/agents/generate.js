// generate.js NODE_MODULES OUT.c - makes agent_data.c of the packaged lists and our own.
"use strict";
const fs = require("fs");
const path = require("path");

const [modules, out] = process.argv.slice(2);
const own = JSON.parse(fs.readFileSync(path.join(__dirname, "own.json"), "utf8"));
const people = JSON.parse(fs.readFileSync(path.join(__dirname, "people.json"), "utf8"));
const families = JSON.parse(fs.readFileSync(path.join(__dirname, "families.json"), "utf8"));
const crawlers = JSON.parse(fs.readFileSync(
    path.join(modules, "crawler-user-agents", "crawler-user-agents.json"), "utf8"));
const { list: isbot } = require(path.resolve(modules, "isbot"));
const { Crawlers } = require(path.resolve(
    modules, "es6-crawler-detect", "dist", "lib", "crawler", "crawlers.js"));
const uap = require(path.resolve(modules, "js-yaml")).load(
    fs.readFileSync(path.join(modules, "uap-core", "regexes.yaml"), "utf8"));

// --- bots ---

// Alternatives become one part, so that something can be put before and behind them.
function asPart(pattern) {
    return /(^|[^\\])\|/.test(pattern) ? `(?:${pattern})` : pattern;
}

function fromStartOfWord(pattern) {
    return /^[A-Za-z0-9]/.test(pattern) ? "\\b" + asPart(pattern) : pattern;
}

// A pattern matches whole words, unless the instances that the list gives show that it is meant to
// match a part of one.
function byWord(pattern, instances) {
    const known = instances.filter((text) => new RegExp(pattern, "i").test(text));
    let result = asPart(pattern);
    for (const [wanted, make] of [
        [/^[A-Za-z0-9]/, (p) => "\\b" + p],
        [/(^|[^\\])[A-Za-z0-9]$/, (p) => p + "\\b"],
    ]) {
        if (!wanted.test(pattern))
            continue;
        const re = new RegExp(make(result), "i");
        if (known.every((text) => re.test(text)))
            result = make(result);
    }
    return result;
}

// Of crawler-user-agents: what kind of machine an entry names.
function reasonOf(entry) {
    const tags = entry.tags || [];
    return tags.includes("social-preview") ? "LINK_PREVIEW"
        : tags.includes("http-library") ? "LIBRARY" : "CRAWLER";
}

// [pattern, reason, regex] of all lists.  Previews and libraries first: crawlers' patterns are the
// broad ones.
function botPatterns() {
    const all = [
        ...["LINK_PREVIEW", "LIBRARY", "CRAWLER"].flatMap((reason) =>
            own[reason.toLowerCase()].map((pattern) => [pattern, reason, byWord(pattern, [])])),
        ...crawlers.map((entry) => [
            entry.pattern, reasonOf(entry), byWord(entry.pattern, entry.instances || []),
        ]),
        ...new Crawlers().getAll().map((pattern) => [pattern, "CRAWLER", fromStartOfWord(pattern)]),
        ...isbot.map((pattern) => [pattern, "CRAWLER", pattern]),
    ];
    for (const pattern of Object.keys(own.not_a_bot)) {
        if (!all.some(([listed]) => listed === pattern))
            throw new Error(`own.json: not_a_bot: no list has '${pattern}' any more: remove it`);
    }
    return all.filter(([pattern]) => !(pattern in own.not_a_bot));
}

function botRules() {
    const patterns = botPatterns();
    return ["LINK_PREVIEW", "LIBRARY", "CRAWLER"].flatMap((reason) => [...new Set(patterns
        .filter((one) => one[1] === reason).map(([, , regex]) => regex))]
        .map((regex) => ({ regex, nocase: true, family: `CLICK_REASON_${reason}` })));
}

// --- people: what their agents name ---

function peopleRegexes() {
    const any = (list) => `(?:${list.join("|")})`;
    return {
        AGENT_NAMES_BROWSER: any(people.browser),
        AGENT_NAMES_DEVICE: any(people.device),
        AGENT_BEGINS_AS_PEOPLE: `^["' ]*${any(people.begins)}`,
        AGENT_NAMES_TABLET: `Android[^)]*?${any(people.tablet)}`,
        AGENT_COMPATIBLE_OTHER: `compatible[;,] *+(?:[A-Z]; *+)?+(?!${any(people.compatible)})[^;)]*[a-z]`,
    };
}

// --- what a text must hold for a rule to match: most rules need not be tried ---

// Behind the group, class or escape that starts at `i`.
function skipPart(regex, i) {
    if (regex[i] === "\\")
        return i + 2;
    if (regex[i] === "[") {
        for (i += regex[i + 1] === "]" || regex[i + 1] === "^" ? 2 : 1; regex[i] !== "]"; i++)
            i += regex[i] === "\\" ? 1 : 0;
        return i + 1;
    }
    if (regex[i] === "(") {
        for (i++; regex[i] !== ")";)
            i = skipPart(regex, i);
        return i + 1;
    }
    return i + 1;
}

function hasAlternatives(regex) {
    for (let i = 0; i < regex.length; i = skipPart(regex, i)) {
        if (regex[i] === "|")
            return true;
    }
    return false;
}

// The runs of literal text that every match of `regex` holds.
function literalRuns(regex) {
    if (hasAlternatives(regex))
        return [];
    const runs = [""];
    for (let i = 0, end; i < regex.length; i = end) {
        end = skipPart(regex, i);
        const part = regex.slice(i, end);
        const quantified = /^[?*{]/.test(regex.slice(end));
        const group = /^\((?:\?:)?((?!\?).*)\)$/s.exec(part);
        const literal = /^\\[^A-Za-z0-9]$/.test(part) ? part[1]
            : /^[^\\^$.|?*+()[\]{}]$/.test(part) ? part : "";
        if (group && !quantified && regex[end] !== "+" && !hasAlternatives(group[1])) {
            const inner = literalRuns(group[1]);
            runs[runs.length - 1] += inner[0];
            runs.push(...inner.slice(1));
        } else if (literal && !quantified) {
            runs[runs.length - 1] += literal;
        } else {
            runs.push("");
        }
        if (/^[?*{]/.test(regex.slice(end)))
            end = /^(?:[?*]|\{[^}]*\})[?+]?/.exec(regex.slice(end))[0].length + end;
        else if (regex[end] === "+")
            runs.push("");
    }
    return runs;
}

// The longest of them, in small letters; "" when a match may do without any.
function requiredText(rule) {
    return literalRuns(rule.regex).reduce((a, b) => (b.length > a.length ? b : a), "")
        .toLowerCase();
}

// --- families: uap-core's rules in their order; the first that matches decides ---

function rulesOf(parsers, replacement, kind, prefix) {
    const names = new Map();
    for (const [family, list] of Object.entries(families[kind])) {
        for (const name of list)
            names.set(name, `${prefix}_${family}`);
    }
    // Rules that gather the names of robots are the slowest, and robots don't come here.
    const people = parsers.filter((parser) => !/\[Ss\](pider|\[Pp\])|\[Bb\]ot/.test(parser.regex));
    const rules = people.map((parser) => ({
        regex: parser.regex,
        nocase: parser.regex_flag === "i",
        family: !(replacement in parser) || /^\$1/.test(parser[replacement]) ? "AGENT_CAPTURE"
            : names.get(parser[replacement]) || `${prefix}_OTHER`,
    }));
    while (rules.length && rules[rules.length - 1].family === `${prefix}_OTHER`)
        rules.pop(); // what no rule matches is OTHER anyway
    return { rules, names };
}

// --- C ---

const quote = (text) => JSON.stringify(text).replace(/\?\?/g, '?""?');

function writeRules(name, rules) {
    const lines = rules.map((r) =>
        `    {${quote(r.regex)}, ${quote(requiredText(r))}, ${r.family}, ${r.nocase}},`);
    return `const struct agent_rule agent_${name}_rules[] = {\n${lines.join("\n")}\n};\n` +
        `const unsigned agent_n_${name}_rules = ${rules.length};\n`;
}

function writeFamilies(name, { rules, names }) {
    const lines = [...names].map(([text, family]) => `    {${quote(text)}, ${family}},`);
    return writeRules(name, rules) +
        `const struct agent_name agent_${name}_names[] = {\n${lines.join("\n")}\n};\n` +
        `const unsigned agent_n_${name}_names = ${names.size};\n`;
}

function writePeople(regexes) {
    const lines = Object.entries(regexes).map(([name, regex]) =>
        `    [${name}] = ${quote(regex)},`);
    return `const char *const agent_people_regexes[AGENT_PEOPLE_REGEXES] = {\n` +
        `${lines.join("\n")}\n};\n`;
}

const text = `/* Made by service/label/agents/generate.js; do not edit. */
#include "service/label/agent_data.h"

${writeRules("bot", botRules())}
${writePeople(peopleRegexes())}
${writeFamilies("browser",
        rulesOf(uap.user_agent_parsers, "family_replacement", "browser", "CLICK_BROWSER"))}
${writeFamilies("system", rulesOf(uap.os_parsers, "os_replacement", "system", "CLICK_SYSTEM"))}`;
if (/[^\n\x20-\x7e]/.test(text))
    throw new Error("a pattern is not ASCII");
fs.writeFileSync(out, text);
