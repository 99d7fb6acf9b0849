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

// --- bots: one pattern with a named group per reason ---

// Of the size that PCRE2 allows a pattern, \b takes the least.
const WORD_BEFORE = "\\b";
const WORD_AFTER = "\\b";

// A pattern matches whole words, unless the instances that the list gives show that it is meant to
// match a part of one.
function byWord(pattern, instances) {
    const known = instances.filter((text) => new RegExp(pattern).test(text));
    const alternatives = /(^|[^\\])\|/.test(pattern) ? `(?:${pattern})` : pattern;
    let result = alternatives;
    for (const [wanted, make] of [
        [/^[A-Za-z0-9]/, (p) => WORD_BEFORE + p],
        [/(^|[^\\])[A-Za-z0-9]$/, (p) => p + WORD_AFTER],
    ]) {
        if (!wanted.test(pattern))
            continue;
        const re = new RegExp(make(result));
        if (known.every((text) => re.test(text)))
            result = make(result);
    }
    return result;
}

// The literal first byte of a pattern that begins with one, behind the word boundary.
function firstByte(pattern) {
    const rest = pattern.startsWith(WORD_BEFORE) ? pattern.slice(WORD_BEFORE.length) : pattern;
    const quantified = /^[A-Za-z0-9][?*{]/.test(rest);
    return /^[A-Za-z0-9]/.test(rest) && !quantified ? rest[0] : "";
}

// Alternatives that begin alike are tried together, so that most are never looked at.
function alternation(patterns) {
    const groups = new Map();
    for (const pattern of [...new Set(patterns)].sort()) {
        const bounded = pattern.startsWith(WORD_BEFORE);
        const first = firstByte(pattern);
        const key = first ? (bounded ? WORD_BEFORE : "") + first : "";
        if (!groups.has(key))
            groups.set(key, []);
        groups.get(key).push(first ? pattern.slice((bounded ? WORD_BEFORE.length : 0) + 1) : pattern);
    }
    const parts = [];
    for (const [key, rests] of groups)
        parts.push(key ? `${key}(?:${rests.join("|")})` : rests.join("|"));
    return parts.join("|");
}

function botPattern() {
    const groups = { preview: [], library: [], crawler: [] };
    for (const reason of ["link_preview", "library", "crawler"]) {
        const name = reason === "link_preview" ? "preview" : reason;
        for (const pattern of own[reason])
            groups[name].push(byWord(pattern, []));
    }
    for (const pattern of Object.keys(own.not_a_bot)) {
        if (!crawlers.some((entry) => entry.pattern === pattern))
            throw new Error(`own.json: not_a_bot: the list no longer has '${pattern}': remove it`);
    }
    for (const entry of crawlers) {
        if (entry.pattern in own.not_a_bot)
            continue;
        const tags = entry.tags || [];
        const name = tags.includes("social-preview") ? "preview"
            : tags.includes("http-library") ? "library" : "crawler";
        groups[name].push(byWord(entry.pattern, entry.instances || []));
    }
    return Object.entries(groups)
        .map(([name, patterns]) => `(?<${name}>${alternation(patterns)})`).join("|");
}

// --- families: uap-core's rules in their order; the first that matches decides ---

function rulesOf(parsers, replacement, kind, prefix) {
    const names = new Map();
    for (const [family, list] of Object.entries(families[kind])) {
        for (const name of list)
            names.set(name, `${prefix}_${family}`);
    }
    const rules = parsers.map((parser) => ({
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

function pieces(text) { // a string literal may be limited to 4095 bytes: one per line
    const lines = [];
    for (let i = 0; i < text.length; i += 80)
        lines.push(`    ${quote(text.slice(i, i + 80))},`);
    return lines.join("\n");
}

function writeRules(name, parsers, replacement, kind, prefix) {
    const { rules, names } = rulesOf(parsers, replacement, kind, prefix);
    const lines = rules.map((r) => `    {${quote(r.regex)}, ${r.family}, ${r.nocase}},`);
    const nameLines = [...names].map(([text, family]) => `    {${quote(text)}, ${family}},`);
    return `const struct agent_rule agent_${name}_rules[] = {\n${lines.join("\n")}\n};\n` +
        `const unsigned agent_n_${name}_rules = ${rules.length};\n` +
        `const struct agent_name agent_${name}_names[] = {\n${nameLines.join("\n")}\n};\n` +
        `const unsigned agent_n_${name}_names = ${names.size};\n`;
}

const bots = botPattern();
if (/[^\x20-\x7e]/.test(bots))
    throw new Error("a bot pattern is not ASCII");
fs.writeFileSync(out, `/* Made by service/label/agents/generate.js; do not edit. */
#include "service/label/agent_data.h"

const char *const agent_bots[] = {
${pieces(bots)}
};
const unsigned agent_n_bots = sizeof(agent_bots) / sizeof(agent_bots[0]);
${writeRules("browser", uap.user_agent_parsers, "family_replacement", "browser", "CLICK_BROWSER")}
${writeRules("system", uap.os_parsers, "os_replacement", "system", "CLICK_SYSTEM")}`);
