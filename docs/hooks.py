"""What the site takes from the code itself while it is built, so that no page holds a copy that could grow old.

A line `<!-- NAME -->` in a page becomes what the function of that name in PARTS writes.
"""

import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from mkdocs.structure.pages import Page
from typer.testing import CliRunner

from nextreel.cli import app
from nextreel.models.base import ModelConfig
from nextreel.models.registry import PRESETS, built_in_names, model_class, model_docstring
from nextreel.serving.app import Settings, create_app


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Called by MkDocs with each page."""
    for name, write in PARTS.items():
        mark = f"<!-- {name} -->"
        if mark in markdown:
            markdown = markdown.replace(mark, "\n".join(write()))
    # A link that leaves docs leads to a file of the project, which the site doesn't have.
    way_out = "../" * (page.file.src_uri.count("/") + 1)
    return re.sub(rf"\[([^\]]+)\]\({re.escape(way_out)}[^)]*\)", r"`\1`", markdown)


def commands() -> Iterator[str]:
    """Every command with its help."""
    for path in _command_paths(typer.main.get_command(app)):
        shown = CliRunner().invoke(app, [*path, "--help"], prog_name="nextreel", terminal_width=90).output
        yield f"## nextreel {' '.join(path)}\n\n```text\n{shown.strip()}\n```\n"


def _command_paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name, each in inner.items():
        yield from _command_paths(each, (*path, name))


def models() -> Iterator[str]:
    """Every model: what its module says of it, and its options."""
    for name in built_in_names():
        preset = "".join(f" (`{short}`)" for short, model in PRESETS.items() if model == name)
        cls = model_class(name)
        yield f"## {name}{preset}\n\n{model_docstring(name)}\n"
        yield "| option | default | |\n| --- | --- | --- |"
        for option, info in cls.Config.model_fields.items():
            default = "its own" if isinstance(info.default, ModelConfig) else f"`{info.default}`"
            yield f"| `{option}` | {default} | {_one_line(info.description)} |"
        yield ""


def endpoints() -> Iterator[str]:
    """Every endpoint of the API: what it does, what it takes, what it answers."""
    for path, operations in _openapi()["paths"].items():
        for method, operation in operations.items():
            yield f"### {method.upper()} {path}\n\n{operation['description']}\n"
            if rows := [_parameter(each) for each in operation.get("parameters", [])]:
                yield from ("| parameter | type | |\n| --- | --- | --- |", *rows, "")
            if body := operation.get("requestBody"):
                yield f"Body: {_type(body['content']['application/json']['schema'])}\n"
            answers = {
                _type(answer["content"]["application/json"]["schema"])
                if "content" in answer
                else f"{status}, no body": None
                for status, answer in operation["responses"].items()
                if status < "300"
            }
            yield f"Answer: {', '.join(answers)}\n"


def bodies() -> Iterator[str]:
    """Every JSON object that goes over the wire."""
    for name, schema in sorted(_openapi()["components"]["schemas"].items()):
        yield f"### {name}\n\n{schema.get('description', '')}\n\n| field | type | |\n| --- | --- | --- |"
        for field, facts in schema["properties"].items():
            needed = "" if field not in schema.get("required", ()) else "required"
            default = f"default `{facts['default']}`" if facts.get("default") is not None else ""
            notes = (_one_line(facts.get("description")), needed or default)
            yield f"| `{field}` | {_type(facts)} | {' '.join(filter(None, notes))} |"
        yield ""


@cache
def _openapi() -> dict[str, Any]:
    return create_app(Settings(Path("model"), "sqlite:///nextreel.db", keys_required=True)).openapi()


def _parameter(facts: dict[str, Any]) -> str:
    schema = facts["schema"]
    default = f" Default `{schema['default']}`." if schema.get("default") is not None else ""
    where = "" if facts["in"] == "query" else f" ({facts['in']})"
    return f"| `{facts['name']}`{where} | {_type(schema)} | {_one_line(facts.get('description'))}{default} |"


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words."""
    if name := schema.get("$ref"):
        name = name.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
        )
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if values := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return " or ".join(f"`{value}`" for value in values)
    return "ISO 8601" if schema.get("format") == "date-time" else str(schema.get("type", "JSON"))


def _one_line(text: str | None) -> str:
    return " ".join(textwrap.dedent(text or "").split()).replace("|", "\\|")


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "commands": commands,
    "models": models,
    "endpoints": endpoints,
    "bodies": bodies,
}
