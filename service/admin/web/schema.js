// What a schema of the API's description says, in words, in rows and by example.

let document_ = null;

/** The description that `$ref`s are looked up in. */
export function useDocument(api) {
    document_ = api;
}

export function resolve(node) {
    while (node?.$ref)
        node = node.$ref.slice(2).split("/").reduce((at, key) => at[key], document_);
    return node;
}

/* Never null, whatever else may be. */
function typesOf({ type }) {
    return (Array.isArray(type) ? type : [type]).filter((one) => one && one !== "null");
}

function isNullable(schema) {
    return [schema.type].flat().includes("null") || (schema.enum ?? []).includes(null) ||
        (schema.oneOf ?? []).some((one) => resolve(one).type === "null");
}

function limits({ minimum, maximum, maxLength, minLength, maxItems }) {
    const of = (least, most, unit) => {
        if (least !== undefined && most !== undefined)
            return ` of ${least} to ${most}${unit}`;
        return least !== undefined && least !== 0 ? ` from ${least}${unit}`
            : most !== undefined ? ` up to ${most}${unit}` : "";
    };

    return of(minimum, maximum, "") || of(minLength, maxLength, " characters") ||
        of(undefined, maxItems, " items");
}

/** The values a schema allows: "`hour`, `day` or `month`", "integer of 1 to 65535; by default 10". */
export function typeText(schema) {
    const one = resolve(schema);
    const options = (one.oneOf ?? []).map(resolve).filter(({ type }) => type !== "null");
    const fallback = one.default === undefined ? "" : `; by default \`${one.default}\``;
    const empty = isNullable(one) ? " or null" : "";

    if (schema.$ref && (one.properties || options.length > 0))
        return schema.$ref.split("/").at(-1) + empty;
    if (options.length > 0)
        return [...new Set(one.oneOf.filter((option) => resolve(option).type !== "null").map(typeText))].join(", or ") + empty;
    if (one.const !== undefined)
        return `\`${one.const}\``;
    if (one.enum) {
        const values = one.enum.filter((value) => value !== null).map((value) => `\`${value}\``);

        return (values.length > 1 ? `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`
            : values[0]) + empty + fallback;
    }
    if (one.type === "array")
        return `array${limits(one)} of: ${typeText(one.items ?? {})}`;
    if (one.format === "date-time")
        return `time${empty}${fallback}`;
    return `${typesOf(one).join(" or ") || "anything"}${limits(one)}${
        one.pattern && one.pattern.length < 40 && one.format === undefined
            ? `, \`${one.pattern}\`` : ""}${empty}${fallback}`;
}

/* The object that a schema is about, through arrays and choices; the steps to it are its path. */
function objectIn(schema, path = "") {
    const one = resolve(schema);

    if (!one)
        return null;
    if (one.properties || typeof one.additionalProperties === "object")
        return { one, path };
    if (one.type === "array" && one.items)
        return objectIn(one.items, `${path}[]`);
    for (const option of one.oneOf ?? []) {
        const found = objectIn(option, path);

        if (found && !found.path.endsWith("[]"))
            return found;
    }
    return null;
}

/** All fields of a schema, those of objects within with their path: {name, isRequired, type,
 * description}. */
export function fields(schema, prefix = "", depth = 0) {
    const { one, path } = objectIn(schema, prefix) ?? {};

    if (!one || depth > 4)
        return [];
    return Object.entries(one.properties ?? {}).flatMap(([key, value]) => {
        const name = `${path ? `${path}.` : ""}${key}`;
        const within = resolve(value);
        const hasFields = objectIn(value) !== null;

        return [{ name, isRequired: (one.required ?? []).includes(key), type: typeText(value),
            description: value.description ?? within.description ?? "" },
        ...(hasFields ? fields(value, name, depth + 1) : [])];
    });
}

const texts = { brand: "acme", name: "First overdue notice", kind: "pay", key: "2026-11-22",
    time: "2026-11-22", host: "hopcount-0", version: "0.1.0", token: "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m",
    url: "https://go.acme.example/07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m", id: "07a1b2c3d4e5f607",
    base_url: "https://go.acme.example", tz: "UTC", group_by: "time",
    target: "https://billing.acme.example/viewinvoice.php?id=1234", scopes: "stats:read" };
const kept = ["time", "key", "total", "human", "automated"]; // of a row of statistics

/** A value as the schema describes. */
export function example(schema, name = "", depth = 0) {
    const one = resolve(schema) ?? {};

    if (one.const !== undefined || one.default !== undefined)
        return one.const ?? one.default;
    if (one.enum)
        return one.enum[0];
    if (one.oneOf)
        return example(one.oneOf.find((option) => resolve(option).type !== "null"), name, depth);
    if (one.type === "array")
        return depth > 5 ? [] : [example(one.items ?? {}, name, depth + 1)];
    if (one.properties) {
        const isRow = one.properties.referrer !== undefined;

        return Object.fromEntries(Object.entries(one.properties)
            .filter(([key]) => (isRow ? kept.includes(key) : key !== "previous" && key !== "parameter"))
            .map(([key, value]) => [key, example(value, key, depth + 1)]));
    }
    return scalar(one, name);
}

function scalar(one, name) {
    const [type] = typesOf(one);

    if (one.format === "date-time")
        return "2026-11-22T12:00:00Z";
    switch (type) {
    case "integer":
        return { total: 3, human: 2, automated: 1, object: 1234, id: 1234 }[name] ?? one.minimum ?? 1;
    case "number":
        return 0.1;
    case "boolean":
        return false;
    case "object":
        return {};
    default:
        return texts[name] ?? "…";
    }
}
