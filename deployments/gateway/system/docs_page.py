"""The API documentation as one page. It contains no script and loads nothing."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from deployments.http.error_codes import KINDS
from integrations.rendering.page_headers import ICON, page_policy

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem}
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid #8888}
details{border:1px solid #8886;border-radius:.4rem;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}code,pre{font-family:ui-monospace,monospace;font-size:.9em}
pre{overflow:auto;background:#8881;padding:.6rem;border-radius:.3rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0}
.method{display:inline-block;min-width:4.5rem;font-weight:700}.who{float:right;opacity:.75}
"""
PAGE_POLICY = page_policy(_STYLE)
"""The Content-Security-Policy of the page: a browser applies only its own style."""

Json = Mapping[str, Any]


def render(document: Json) -> str:
    """Render an OpenAPI document as HTML."""
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    tags = dict.fromkeys(operation["tags"][0] for _, _, operation in operations)
    areas = "".join(
        f"<h2>{escape(tag)}</h2>" + "".join(_operation(*one) for one in operations if one[2]["tags"][0] == tag)
        for tag in tags
    )
    schemas = document["components"]["schemas"]
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · API</title>'
        f'<meta name="viewport" content="width=device-width">{ICON}<style>{_STYLE}</style></head><body>'
        f"<h1>{title} · API</h1><p>{escape(document['info']['description'])} "
        'The OpenAPI document: <a href="openapi.json">openapi.json</a>.</p>'
        f"<main>{areas}<h2>Schemas</h2>{''.join(_schema(name, schemas[name]) for name in sorted(schemas))}"
        f"<h2>Problems</h2>{_problems()}</main></body></html>"
    )


def _operation(path: str, method: str, operation: Json) -> str:
    rows = "".join(_parameter(parameter) for parameter in operation.get("parameters", ()))
    bodies = operation.get("requestBody", {}).get("content", {})
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer['description'])}</td><td>{_answer_type(answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    name = escape(operation["operationId"])
    return (
        f'<details id="{name}"><summary><span class="method">{escape(method.upper())}</span> '
        f'<code>{escape(path)}</code><span class="who">{escape(_who(operation))}</span></summary>'
        f"<p>{escape(operation.get('description', ''))}</p>"
        + (f"<table>{rows}</table>" if rows else "")
        + (f"<p>Body: {' or '.join(_body(*body) for body in bodies.items())}</p>" if bodies else "")
        + f"<table>{answers}</table></details>"
    )


def _body(media_type: str, content: Json) -> str:
    if media_type == "application/json":
        return _link(content["schema"])
    parts = ", ".join(content["schema"].get("properties", ()))
    return f"<code>{escape(media_type)}</code>" + (f" ({escape(parts)})" if parts else "")


def _parameter(parameter: Json) -> str:
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}</td>"
        f"<td>{escape(parameter.get('description', ''))}</td>"
        f"<td><code>{escape(_type(parameter['schema']))}</code></td></tr>"
    )


def _who(operation: Json) -> str:
    if "security" not in operation:
        return "everybody"
    schemes = {name for scheme in operation["security"] for name in scheme}
    return ", ".join(filter(None, [operation.get("x-role"), "device" if "device" in schemes else None]))


def _answer_type(answer: Json) -> str:
    schemas = [content["schema"] for content in answer.get("content", {}).values() if "schema" in content]
    return " ".join(dict.fromkeys(_link(schema) for schema in schemas))


def _link(schema: Json) -> str:
    name = _name(schema)
    return f'<a href="#{escape(name)}">{escape(name)}</a>' if name else f"<code>{escape(_type(schema))}</code>"


def _name(schema: Json) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _type(schema: Json) -> str:
    if _name(schema):
        return _name(schema)
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = str(schema.get("format") or schema.get("type", ""))
    return f"list of {_type(schema['items'])}" if "items" in schema else kind


def _schema(name: str, schema: Json) -> str:
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<pre>{escape(json.dumps(schema, indent=2))}</pre></details>"
    )


def _problems() -> str:
    rows: Iterable[str] = (
        f'<tr id="{escape(code)}"><td><code>{escape(code)}</code></td><td>{kind.status}</td>'
        f"<td>{escape(kind.title)}</td><td>{escape(kind.hint)}</td></tr>"
        for code, kind in KINDS.items()
    )
    return f"<table>{''.join(rows)}</table>"
