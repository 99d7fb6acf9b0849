// Elements from descriptions.  Text only ever becomes text: nothing here parses HTML.

function present(children) {
    return children.flat(Infinity).filter((child) => child !== null && child !== undefined);
}

/** h("p", {class: "muted", onclick: f}, "text", element, …): an element. */
export function h(tag, props, ...children) {
    const element = document.createElement(tag);

    for (const [name, value] of Object.entries(props ?? {})) {
        if (value === undefined || value === null || value === false)
            continue;
        if (name.startsWith("on"))
            element.addEventListener(name.slice(2), value);
        else if (name === "value" || name === "checked")
            element[name] = value;
        else
            element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...present(children));
    return element;
}

/** Puts `children` in place of all that is in `element`. */
export function fill(element, ...children) {
    element.replaceChildren(...present(children));
}

/** Says something to those who hear the page. */
export function announce(text) {
    document.getElementById("announce").textContent = text;
}

let lastId = 0;

/** An id that is in use nowhere else. */
export function newId() {
    return `id${++lastId}`;
}

/** A column of a table as h() makes it. */
export function table(className, caption, head, rows) {
    return h("table", { class: className },
        h("caption", { class: "visually-hidden" }, caption),
        h("thead", null, h("tr", null, head.map((text, i) =>
            h("th", { scope: "col", class: i > 0 ? "number" : null }, text)))),
        h("tbody", null, rows.map((cells) => h("tr", null, cells.map((cell, i) =>
            i === 0 ? h("th", { scope: "row" }, cell) : h("td", { class: "number" }, cell))))));
}
