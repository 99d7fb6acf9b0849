// generate.js NODE_MODULES OUT.c - makes agent_data.c of the packaged lists and our own.
"use strict";
const fs = require("fs");
const path = require("path");

const [modules, out] = process.argv.slice(2);
const own = JSON.parse(fs.readFileSync(path.join(__dirname, "own.json"), "utf8"));
const families = JSON.parse(fs.readFileSync(path.join(__dirname, "families.json"), "utf8"));
const crawlers = JSON.parse(fs.readFileSync(
    path.join(modules, "crawler-user-agents", "crawler-user-agents.json"), "utf8"));
const uap = require(path.resolve(modules, "js-yaml")).load(
    fs.readFileSync(path.join(modules, "uap-core", "regexes.yaml"), "utf8"));

// --- bots ---

// A pattern matches whole words, unless the instances that the list gives show that it is meant to
// match a part of one.
function byWord(pattern, instances) {
    const known = instances.filter((text) => new RegExp(pattern).test(text));
    const alternatives = /(^|[^\\])\|/.test(pattern) ? `(?:${pattern})` : pattern;
    let result = alternatives;
    for (const [wanted, make] of [
        [/^[A-Za-z0-9]/, (p) => "\\b" + p],
        [/(^|[^\\])[A-Za-z0-9]$/, (p) => p + "\\b"],
    ]) {
        if (!wanted.test(pattern))
            continue;
        const re = new RegExp(make(result));
        if (known.every((text) => re.test(text)))
            result = make(result);
    }
    return result;
}

// Previews and libraries first: crawlers' patterns are the broad ones.
function botRules() {
    const groups = { LINK_PREVIEW: [], LIBRARY: [], CRAWLER: [] };
    for (const [reason, patterns] of Object.entries(groups)) {
        for (const pattern of own[reason.toLowerCase()])
            patterns.push(byWord(pattern, []));
    }
    for (const pattern of Object.keys(own.not_a_bot)) {
        if (!crawlers.some((entry) => entry.pattern === pattern))
            throw new Error(`own.json: not_a_bot: the list no longer has '${pattern}': remove it`);
    }
    for (const entry of crawlers) {
        if (entry.pattern in own.not_a_bot)
            continue;
        const tags = entry.tags || [];
        const reason = tags.includes("social-preview") ? "LINK_PREVIEW"
            : tags.includes("http-library") ? "LIBRARY" : "CRAWLER";
        groups[reason].push(byWord(entry.pattern, entry.instances || []));
    }
    return Object.entries(groups).flatMap(([reason, patterns]) => [...new Set(patterns)]
        .map((regex) => ({ regex, nocase: false, family: `CLICK_REASON_${reason}` })));
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

// The longest of them; "" when a match may do without any.
function requiredText(rule) {
    if (rule.nocase || rule.regex.includes("(?i"))
        return "";
    return literalRuns(rule.regex).reduce((a, b) => (b.length > a.length ? b : a), "");
}

// --- families: uap-core's rules in their order; the first that matches decides ---

function rulesOf(parsers, replacement, kind, prefix) {
    const names = new Map();
    for (const [family, list] of Object.entries(families[kind])) {
        for (const name of list)
            names.set(name, `${prefix}_${family}`);
    }
    // Rules that gather the names of robots are the slowest, and robots don't come here.
    const people = parsers.filter((parser) => !/\[Ss\](pider|\[Pp\])/.test(parser.regex));
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

const text = `/* Made by service/label/agents/generate.js; do not edit. */
#include "service/label/agent_data.h"

${writeRules("bot", botRules())}
${writeFamilies("browser",
        rulesOf(uap.user_agent_parsers, "family_replacement", "browser", "CLICK_BROWSER"))}
${writeFamilies("system", rulesOf(uap.os_parsers, "os_replacement", "system", "CLICK_SYSTEM"))}`;
if (/[^\n\x20-\x7e]/.test(text))
    throw new Error("a pattern is not ASCII");
fs.writeFileSync(out, text);
