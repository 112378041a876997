"""The route table and its wire structs -> OpenAPI 3.1, and the same as a page for people."""

import html
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from penstock import __version__
from penstock.api.openai.wire import IGNORED
from penstock.api.routes import Route

#: How OpenAPI says that a part of a form is a file.
FILE = {"type": "string", "format": "binary"}
REF = "#/components/schemas/{name}"


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """An OpenAPI document; every schema in it is generated from the struct that is decoded."""
    routes = list(routes)
    types = {t for r in routes for t in (*kinds(r.takes), *kinds(r.gives), r.dialect.body)}
    ordered = sorted(types, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REF)
    for form in {r.takes.__name__ for r in routes if r.form and r.takes is not None}:
        components[form] = _with_files(components[form])
    names = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def kinds(type_: Any) -> tuple[Any, ...]:
    """The structs that a route takes or gives: none, one, or one of several."""
    if type_ is None:
        return ()
    return type_ if isinstance(type_, tuple) else (type_,)


def _any_of(type_: Any, names: dict[type[Any], dict[str, Any]]) -> dict[str, Any]:
    schemas = [names[kind] for kind in kinds(type_)]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _with_files(schema: Any) -> Any:
    """A form's bytes are files, where JSON has them in base64."""
    if isinstance(schema, list):
        return [_with_files(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "contentEncoding" in schema:
        return FILE
    return {key: _with_files(value) for key, value in schema.items()}


def _operation(route: Route, names: dict[type[Any], dict[str, Any]]) -> dict[str, Any]:
    ok: dict[str, Any] = {"description": "The answer."}
    if route.gives is not None:
        ok["content"] = {"application/json": {"schema": _any_of(route.gives, names)}}
        if any("stream" in kind.__struct_fields__ for kind in kinds(route.takes)):
            ok["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    error = {"application/json": {"schema": names[route.dialect.body]}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()} {route.path}",
        "responses": {"200": ok, "default": {"description": "An error.", "content": error}},
        "security": [] if route.public else [{"key": []}],
    }
    if route.takes is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {
                "multipart/form-data" if route.form else "application/json": {
                    "schema": _any_of(route.takes, names)
                }
            },
        }
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    in_path = re.findall(r"\{(\w+)\}", route.path)
    return [
        {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}}
        for where, names in (("path", in_path), ("query", route.query))
        for name in names
    ]


STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#f4f4f2}pre{padding:1rem;overflow:auto}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;vertical-align:top}
h2{margin-top:2.5rem}.m{display:inline-block;min-width:3.5rem;font-weight:600;color:#06526b}
@media(prefers-color-scheme:dark){body{background:#16181a;color:#ddd}code,pre{background:#24272a}
td,th{border-color:#333}.m{color:#6ec3dd}}
"""


def page(routes: Iterable[Route]) -> str:
    """A self-contained page: no script, nothing fetched from elsewhere."""
    sections = "".join(
        _section(route) for route in routes if not route.path.startswith("/v1/openai")
    )
    ignored = "".join(
        f"<tr><td><code>{name}</code></td><td>{html.escape(reason)}</td></tr>"
        for name, reason in IGNORED.items()
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'><title>Penstock API</title>"
        f"<style>{STYLE}</style><h1>Penstock {__version__}</h1>"
        "<p>OpenAI's API under <code>/v1/openai</code> and <code>/v1</code>: point any OpenAI "
        "client at either, with a key of this server. "
        "<a href=/openapi.json>openapi.json</a> is the same for machines.</p>"
        f"{sections}<h2>Fields that are taken and change nothing</h2><table>{ignored}</table>"
    )


def _section(route: Route) -> str:
    access = "" if route.public else " Needs a key."
    fields = "".join(map(_fields, kinds(route.takes)))
    return (
        f"<h2><span class=m>{route.method}</span> <code>{html.escape(route.path)}</code></h2>"
        f"<p>{html.escape(route.summary)}{access}</p>{fields}"
    )


def _fields(type_: type[Any]) -> str:
    schema = msgspec.json.schema(type_)
    properties = schema["$defs"][type_.__name__]["properties"]
    required = set(schema["$defs"][type_.__name__].get("required", ()))
    rows = "".join(
        f"<tr><td><code>{name}</code></td><td>{html.escape(_spell(what))}"
        f"{' (required)' if name in required else ''}</td></tr>"
        for name, what in properties.items()
        if name not in IGNORED
    )
    return f"<table><tr><th>field</th><th>type</th></tr>{rows}</table>"


def _spell(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(_spell(s) for s in schema["anyOf"] if s != {"type": "null"})
    if "contentEncoding" in schema:
        return "file"
    if "enum" in schema:
        return " | ".join(f'"{v}"' for v in schema["enum"] if v is not None)
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        kind = " | ".join(k for k in kind if k != "null")
    bounds = [
        f"{sign} {schema[key]}"
        for key, sign in (
            ("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"),
            ("maxItems", "at most"), ("maxLength", "at most"),
        )
        if key in schema
    ]  # fmt: skip
    items = f" of {_spell(schema['items'])}" if schema.get("items") else ""
    return f"{kind}{items}" + (f" ({', '.join(bounds)})" if bounds else "")
