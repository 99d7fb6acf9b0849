/* Holds an Envoy configuration (JSON, on stdin) against Envoy's own message types, which @grpc/grpc-js-xds ships: every
 * field must exist, and its value have the type.  Prints what is wrong, a line each; the ranges that Envoy checks when
 * it starts are not looked at. */
"use strict";
const fs = require("fs");
const path = require("path");
const protobuf = require("protobufjs");

const deps = path.join(path.dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
const roots = ["envoy-api", "xds", "protoc-gen-validate", "googleapis"].map((name) => path.join(deps, name));
protobuf.common("descriptor", require("protobufjs/google/protobuf/descriptor.json").nested.google.nested.protobuf.nested);
const types = new protobuf.Root();
types.resolvePath = (origin, target) => {
    if (path.isAbsolute(target) || target in protobuf.common)
        return target;
    return roots.map((root) => path.join(root, target)).find((file) => fs.existsSync(file)) ?? null;
};

/* The files that the configuration's types are in. */
for (const name of [
    "envoy/config/bootstrap/v3/bootstrap.proto",
    "envoy/extensions/access_loggers/stream/v3/stream.proto",
    "envoy/extensions/filters/http/router/v3/router.proto",
    "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
    "envoy/extensions/transport_sockets/quic/v3/quic_transport.proto",
    "envoy/extensions/transport_sockets/tls/v3/tls.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
])
    types.loadSync(name);
types.resolveAll();

const INTEGERS = new Set(["int32", "uint32", "int64", "uint64", "sint32", "sint64", "fixed32", "fixed64"]);
const WRAPPED = { BoolValue: "bool", StringValue: "string", UInt32Value: "uint32", UInt64Value: "uint64", Int32Value: "int32",
    Int64Value: "int64", DoubleValue: "double", FloatValue: "float" };
const faults = [];

function say(where, what) {
    faults.push(`${where}: ${what}`);
}

function checkScalar(type, value, where) {
    const kind = INTEGERS.has(type) ? (Number.isInteger(value) && (value >= 0 || !/^u|^f/.test(type)))
        : type === "bool" ? typeof value === "boolean"
            : type === "double" || type === "float" ? typeof value === "number" : typeof value === "string";
    if (!kind)
        say(where, `${JSON.stringify(value)} is no ${type}`);
}

function checkAny(value, where) {
    const name = value?.["@type"];
    let type;
    try {
        type = types.lookupType(String(name).replace("type.googleapis.com/", ""));
    } catch {
        return say(where, `no type ${name}`);
    }
    const { "@type": _, ...rest } = value;
    return checkMessage(type, rest, where);
}

function checkMessage(type, value, where) {
    const name = type.fullName.slice(1);
    if (name === "google.protobuf.Any")
        return checkAny(value, where);
    if (name === "google.protobuf.Duration")
        return /^\d+(\.\d+)?s$/.test(value) ? undefined : say(where, `${JSON.stringify(value)} is no duration`);
    if (name.startsWith("google.protobuf.") && WRAPPED[type.name])
        return checkScalar(WRAPPED[type.name], value, where);
    if (value === null || typeof value !== "object" || Array.isArray(value))
        return say(where, `${JSON.stringify(value)} is no ${name}`);
    for (const [key, each] of Object.entries(value)) {
        const field = type.fields[key] ?? Object.values(type.fields).find((one) => one.name === protobuf.util.camelCase(key));
        if (!field)
            say(`${where}.${key}`, `${name} has no such field`);
        else
            checkField(field, each, `${where}.${key}`);
    }
    for (const oneof of type.oneofsArray) {
        const given = oneof.fieldsArray.filter((field) => Object.keys(value).some((key) => protobuf.util.camelCase(key) === field.name));
        if (given.length > 1)
            say(where, `only one of ${given.map((field) => field.name).join(", ")}`);
    }
    return undefined;
}

function checkOne(field, value, where) {
    const type = field.resolvedType;
    if (type instanceof protobuf.Enum)
        return value in type.values ? undefined : say(where, `${JSON.stringify(value)} is no ${type.name}`);
    return type ? checkMessage(type, value, where) : checkScalar(field.type, value, where);
}

function checkField(field, value, where) {
    if (field.map)
        Object.entries(value).forEach(([key, each]) => checkOne(field, each, `${where}["${key}"]`));
    else if (!field.repeated)
        checkOne(field, value, where);
    else if (!Array.isArray(value))
        say(where, "no list");
    else
        value.forEach((each, number) => checkOne(field, each, `${where}[${number}]`));
}

checkMessage(types.lookupType("envoy.config.bootstrap.v3.Bootstrap"), JSON.parse(fs.readFileSync(0, "utf8")), "");
faults.forEach((fault) => console.log(fault));
