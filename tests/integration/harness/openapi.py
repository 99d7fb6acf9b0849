"""Replies of the admin API, checked against proto/openapi.yaml."""
import json
import re

import jsonschema
import yaml

from .build import ROOT

DOCUMENT = yaml.safe_load((ROOT / "proto" / "openapi.yaml").read_text())
RESOLVER = jsonschema.RefResolver("", DOCUMENT)


def find_operation(method, target):
    """(operation, its path) of a request, or (None, None)."""
    path = target.partition("?")[0]
    for template, item in DOCUMENT["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, path):
            # HEAD is GET without a body.
            operation = item.get("get" if method == "HEAD" else method.lower())
            if operation:
                return operation, template
    return None, None


def resolve(node):
    while "$ref" in node:
        node = RESOLVER.resolve(node["$ref"])[1]
    return node


def check_schema(name, value):
    """`value` must be of the schema of that name."""
    schema = DOCUMENT["components"]["schemas"][name]
    jsonschema.Draft202012Validator(schema, resolver=RESOLVER,
                                    format_checker=jsonschema.FormatChecker()).validate(value)


def check_reply(method, target, reply):
    """An http.client reply with `.text` must be one that the document promises."""
    operation, template = find_operation(method, target)
    what = f"{method} {target}: {reply.status} {reply.text[:500]}"
    if operation is None:
        assert reply.status in (404, 405), what
        promised = DOCUMENT["components"]["responses"]["BadRequest"]
    else:
        responses = operation["responses"]
        key = next((k for k in (str(reply.status), f"{str(reply.status)[0]}XX") if k in responses),
                   None)
        assert key, f"{template} does not promise this: {what}"
        promised = resolve(responses[key])
    content, deprecated = promised.get("content"), promised.get("x-deprecated-content", {})
    if not content:
        assert reply.text == "", what
        return
    media = reply.getheader("Content-Type").partition(";")[0]
    assert media in content or media in deprecated, f"not promised as {media}: {what}"
    for name, header in promised.get("headers", {}).items():
        if name == "ETag" and reply.status != 200:
            continue
        value = reply.getheader(name)
        assert value is not None, f"{name} is missing: {what}"
        if resolve(header)["schema"]["type"] == "integer":
            assert re.fullmatch(r"[0-9]+", value), f"{name}: {value}"
    if media.endswith("json") and method != "HEAD":
        validator = jsonschema.Draft202012Validator(content[media]["schema"], resolver=RESOLVER,
                                                    format_checker=jsonschema.FormatChecker())
        if media in deprecated and not validator.is_valid(json.loads(reply.text)):
            assert reply.getheader("Deprecation"), what
            validator = validator.evolve(schema=deprecated[media]["schema"])
        validator.validate(json.loads(reply.text))
