"""The route table and its wire structs -> OpenAPI 3.1, and the same as a page for people."""

import html
from collections.abc import Iterable
from typing import Any

import msgspec

from penstock import __version__
from penstock.api.errors import ErrorBody
from penstock.api.openai.wire import IGNORED
from penstock.api.routes import Route

REF = "#/components/schemas/{name}"


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """An OpenAPI document; every schema in it is generated from the struct that is decoded."""
    routes = list(routes)
    types = {t for r in routes for t in (r.takes, r.gives) if t is not None} | {ErrorBody}
    ordered = sorted(types, key=lambda t: t.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REF)
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


def _operation(route: Route, names: dict[type[Any], dict[str, Any]]) -> dict[str, Any]:
    ok: dict[str, Any] = {"description": "The answer."}
    if route.gives is not None:
        ok["content"] = {"application/json": {"schema": names[route.gives]}}
        if "stream" in getattr(route.takes, "__struct_fields__", ()):
            ok["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    error = {"application/json": {"schema": names[ErrorBody]}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()} {route.path}",
        "responses": {"200": ok, "default": {"description": "An error.", "content": error}},
        "security": [] if route.public else [{"key": []}],
    }
    if route.takes is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": names[route.takes]}},
        }
    if "{" in route.path:
        name = route.path.partition("{")[2].rstrip("}")
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        ]
    return operation


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
    fields = "" if route.takes is None else _fields(route.takes)
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
