// The reference of the API, drawn from its description (OpenAPI 3.1); all of it can be searched in
// the browser, linked to and printed.
import { fill, h } from "./dom.js";
import { example, fields, resolve, typeText, useDocument } from "./schema.js";

const root = document.getElementById("app");
const methods = ["get", "post", "put", "delete"];

/* Text with `code` in it. */
function prose(text) {
    return (text ?? "").split("`").map((part, i) => (i % 2 === 1 ? h("code", null, part) : part));
}

function anchor(operation) {
    return operation.operationId;
}

/* All operations of a tag, as {method, path, operation, parameters}. */
function operationsOf(api, tag) {
    return Object.entries(api.paths).flatMap(([path, item]) => methods
        .filter((method) => item[method]?.tags?.includes(tag))
        .map((method) => ({ method, path, operation: item[method],
            parameters: [...item.parameters ?? [], ...item[method].parameters ?? []].map(resolve) })));
}

/* --- parts of an operation --- */

function tableOf(caption, head, rows) {
    return h("div", { class: "scroll wide", tabindex: "0", role: "region", "aria-label": caption },
        h("table", { class: "rows" }, h("caption", { class: "visually-hidden" }, caption),
            h("thead", null, h("tr", null, head.map((text) => h("th", { scope: "col" }, text)))),
            h("tbody", null, rows.map(([name, ...cells]) => h("tr", null,
                h("th", { scope: "row" }, name), cells.map((cell) => h("td", null, cell)))))));
}

function nameCell(name, note) {
    return [h("code", null, name), note ? h("span", { class: "needed" }, note) : null];
}

function parameterTable(parameters, what) {
    if (parameters.length === 0)
        return null;
    return [h("h4", null, "Parameters"), tableOf(`Parameters of ${what}`,
        ["Name", "In", "Value", "Meaning"],
        parameters.map(({ name, in: place, required, schema, description }) => [
            nameCell(name, required ? "required" : ""), place, prose(typeText(schema)),
            prose(description)]))];
}

/* In what is sent few fields must be there; in what comes back few may be missing. */
function fieldTable(schema, what, isReply) {
    const rows = fields(schema);
    const hasMeaning = rows.some(({ description }) => description !== "");

    return rows.length === 0 ? null : tableOf(what,
        ["Field", "Value", ...(hasMeaning ? ["Meaning"] : [])],
        rows.map(({ name, isRequired, type, description }) => [
            nameCell(name, isRequired === isReply ? "" : isReply ? "may be absent" : "required"),
            prose(type), ...(hasMeaning ? [prose(description)] : [])]));
}

function exampleOf(title, value) {
    return h("details", { class: "data" }, h("summary", null, title),
        h("pre", { tabindex: "0" }, h("code", null,
            typeof value === "string" ? value : JSON.stringify(value, null, 2))));
}

function body(operation, what) {
    const content = operation.requestBody?.content?.["application/json"];

    if (!content)
        return null;
    const [first] = Object.values(content.examples ?? {});

    return [h("h4", null, "Body"), h("p", null, prose(typeText(content.schema))),
        fieldTable(content.schema, `Body of ${what}`, false),
        exampleOf("Example of a body", first?.value ?? example(content.schema))];
}

function statusCode(status) {
    return h("code", { class: `status s${status[0]}` }, status);
}

function reply(status, response, what) {
    const { description, content = {} } = resolve(response);
    const [[type, media] = []] = Object.entries(content);
    const schema = media?.schema?.contentSchema ?? media?.schema;

    return h("div", { class: "reply" },
        h("p", null, statusCode(status), " ", prose(description),
            type ? h("span", { class: "muted" }, ` ${Object.keys(content).join(", ")}`) : null),
        schema ? [fieldTable(schema, `Reply ${status} of ${what}`, true),
            fields(schema).length > 0 ? exampleOf("Example of a reply", example(schema)) : null,
            content["text/csv"] ? exampleOf("Example as CSV", content["text/csv"].example) : null]
            : null);
}

/* What is the same for nearly all is told small. */
function failures(responses) {
    const list = Object.entries(responses).filter(([status]) => !/^[23]/.test(status));

    return list.length === 0 ? null : h("details", { class: "data" },
        h("summary", null, `Failures: ${list.map(([status]) => status).join(", ")}`),
        list.map(([status, response]) => h("p", null, statusCode(status), " ",
            prose(resolve(response).description),
            h("span", { class: "muted" },
                ` ${Object.keys(resolve(response).content ?? {}).join(", ")}`))));
}

/* A command that can be tried. */
function command({ method, path, operation, parameters }) {
    const place = new URL("../", location.href);
    const query = parameters.filter(({ in: at, schema }) => at === "query" && schema.examples)
        .map(({ name, schema }) => `${name}=${schema.examples.at(-1)}`).join("&");
    const filled = path.slice(1).replace(/\{(\w+)\}/g, (_, name) => ({ id: "1234", token: "TOKEN",
        of: "links" }[name] ?? name));
    const lines = [`curl${method === "get" ? "" : ` -X ${method.toUpperCase()}`} '${place.origin}${
        place.pathname}${filled}${query ? `?${query}` : ""}'`];
    const content = operation.requestBody?.content?.["application/json"];

    if (operation.security?.length !== 0)
        lines.push("-H \"Authorization: Bearer $HOPCOUNT_API_KEY\"");
    if (content)
        lines.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(
            Object.values(content.examples ?? {})[0]?.value ?? example(content.schema))}'`);
    return h("pre", { tabindex: "0", "aria-label": "Command" },
        h("code", null, lines.join(" \\\n  ")));
}

function operationCard(one) {
    const { method, path, operation, parameters } = one;
    const what = `${method.toUpperCase()} ${path}`;
    const headingId = `h-${anchor(operation)}`;

    return h("section", { class: "card operation", id: anchor(operation),
        "aria-labelledby": headingId },
    h("h3", { id: headingId }, h("span", { class: `method ${method}` }, method.toUpperCase()), " ",
        h("a", { href: `#${anchor(operation)}`, class: "code" }, path)),
    h("p", { class: "lead" }, prose(operation.summary)),
    operation.description ? h("p", null, prose(operation.description)) : null,
    h("p", { class: "small muted" }, operation.security?.length === 0 ? "Needs no key."
        : "Needs an API key, or the dashboard’s session."),
    command(one),
    parameterTable(parameters, what),
    body(operation, what),
    h("h4", null, "Replies"),
    Object.entries(operation.responses).filter(([status]) => /^[23]/.test(status)).map(
        ([status, response]) => reply(status, response, what)),
    failures(operation.responses));
}

/* --- the page --- */

function contents(api) {
    return h("nav", { class: "contents", "aria-label": "Contents" },
        h("details", { open: matchMedia("(min-width: 1001px)").matches },
            h("summary", null, "Contents"),
            h("ul", null, h("li", null, h("a", { href: "#start" }, "Start")),
                api.tags.map(({ name }) => h("li", null, h("a", { href: `#tag-${name}` }, name),
                    h("ul", null, operationsOf(api, name).map(({ method, path, operation }) =>
                        h("li", null, h("a", { href: `#${anchor(operation)}` },
                            h("span", { class: `method ${method}` }, method.toUpperCase()), " ",
                            h("span", { class: "code" }, path.replace(/^\/v1/, "")))))))))));
}

function start(api) {
    const schemes = Object.values(api.components.securitySchemes);

    return h("section", { class: "card operation", id: "start", "aria-labelledby": "h-start" },
        h("h2", { id: "h-start" }, "Start"),
        h("p", null, prose(api.info.description)),
        h("h3", null, "Keys"),
        schemes.map(({ description }) => h("p", null, prose(description))),
        h("pre", { tabindex: "0" }, h("code", null,
            "hopcount apikey --name reports --scope stats:read --add /etc/hopcount/api-keys\n" +
            "systemctl reload hopcount")),
        h("p", null, "The same for programs: ", h("a", { href: "../v1/openapi.yaml" },
            "openapi.yaml"), " or ", h("a", { href: "../v1/openapi.json" }, "openapi.json"),
        ` (OpenAPI ${api.openapi}).`));
}

function page(api) {
    fill(root,
        h("header", { class: "top" }, h("div", { class: "top-row" },
            h("a", { class: "brand", href: "./" }, h("img", { src: "icon.svg", alt: "" }), "hopcount"),
            h("nav", { class: "nav", "aria-label": "Pages" },
                h("a", { href: "./" }, "Dashboard"),
                h("a", { href: "api", "aria-current": "page" }, "API reference")),
            h("div", { class: "top-end" }, h("button", { class: "button bare", type: "button",
                onclick: window.toggleTheme, "aria-label": "Switch between light and dark",
                title: "Light or dark" }, "◐")))),
        h("div", { class: "reference" }, contents(api),
            h("main", { id: "content", tabindex: "-1" },
                h("div", { class: "page-head" }, h("div", null, h("h1", null, "API reference"),
                    h("p", null, api.info.summary))),
                start(api),
                api.tags.map(({ name, description }) => [
                    h("h2", { id: `tag-${name}`, class: "tag-head" },
                        name.charAt(0).toUpperCase() + name.slice(1),
                        h("span", { class: "muted" }, ` ${description}`)),
                    operationsOf(api, name).map(operationCard)]))));
}

async function run() {
    try {
        const answer = await fetch("../v1/openapi.json");

        if (!answer.ok)
            throw new Error(`the server said ${answer.status}`);
        const api = await answer.json();

        useDocument(api);
        page(api);
        if (location.hash)
            document.getElementById(location.hash.slice(1))?.scrollIntoView();
    } catch (error) {
        fill(root, h("main", { id: "content" }, h("h1", null, "The reference can’t be shown"),
            h("p", null, `${error.message}. The description that it is made of is `,
                h("a", { href: "../v1/openapi.yaml" }, "openapi.yaml"), ".")));
    }
}

run();
