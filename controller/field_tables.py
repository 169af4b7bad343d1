"""Tables of a document's fields, rendered from the JSON schema of its model, one table for each object in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from policies.presets.written import BROUGHT

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One field of the reference: its YAML path, and what may stand there."""

    path: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Section:
    """The fields of one object of the document, and the objects within it."""

    title: str
    text: str
    rows: tuple[Row, ...]


def field_tables(model: type[BaseModel]) -> Iterator[str]:
    """Each object's heading, text and table, as Markdown."""
    schema = model.model_json_schema()
    for section in _sections("", schema, definitions=schema["$defs"]):
        yield _rendered(section)


def _sections(path: str, schema: Schema, *, definitions: Schema, note: str = "") -> Iterator[Section]:
    required = schema.get("required", ())
    properties = {name: _without_null(value) for name, value in schema["properties"].items()}
    yield Section(
        title=(f"`{path}`" if path else "The document") + note,
        text=schema["description"],
        rows=tuple(
            _row(path, name, value, _needed(name, properties) if name in required else "")
            for name, value in properties.items()
        ),
    )
    for name, value in properties.items():
        inner = value.get("items", value)
        inner_path = _joined(path, name) + ("[]" if "items" in value else "")
        for kind, member in _members(inner, definitions):
            yield from _sections(inner_path, member, definitions=definitions, note=f", `kind: {kind}`" if kind else "")


def _members(schema: Schema, definitions: Schema) -> Iterator[tuple[str, Schema]]:
    if "$ref" in schema:
        yield "", definitions[_definition(schema["$ref"])]
    for kind, reference in schema.get("discriminator", {}).get("mapping", {}).items():
        yield kind, definitions[_definition(reference)]


def _needed(name: str, properties: Mapping[str, Schema]) -> str:
    """When a field must be there that the schema requires: a preset brings what it tells itself."""
    return "required without `preset`" if "preset" in properties and name in BROUGHT else "required"


def _row(path: str, name: str, schema: Schema, needed: str) -> Row:
    return Row(_joined(path, name), _type(schema), needed or _default(schema), schema.get("description", ""))


def _without_null(schema: Schema) -> Schema:
    choices = schema.get("anyOf", ())
    present = [choice for choice in choices if choice != {"type": "null"}]
    if len(present) == len(choices) or len(present) != 1:
        return schema
    outside = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**present[0], **outside}


def _type(schema: Schema) -> str:
    if "format" in schema:
        return str(schema["format"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "$ref" in schema:
        return "object"
    return _plain_type(schema)


def _plain_type(schema: Schema) -> str:
    match schema["type"]:
        case "integer":
            least, most = schema["minimum"], schema["maximum"]
            if least == -(2**31):
                return "whole number"
            return f"whole number from {least}" + ("" if most == 2**31 - 1 else f" to {most}")
        case "boolean":
            return "`true`, `false`"
        case "array":
            return "list, at least one" if schema.get("minItems") else "list"
        case "object":
            return "mapping of texts"
        case kind:
            return {"string": "text"}[kind]


def _default(schema: Schema) -> str:
    match schema.get("default"):
        case None | [] | {} | "":
            return ""
        case _ if "$ref" in schema:
            return ""
        case bool() as value:
            return f"`{str(value).lower()}`"
        case list() as entries:
            return ", ".join(
                "`{" + ", ".join(f"{key}: {value}" for key, value in entry.items()) + "}`" for entry in entries
            )
        case value:
            return f"`{value}`"


def _rendered(section: Section) -> str:
    lines = [f"## {section.title}", "", section.text, "", "| field | value | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{row.path}` | {row.type} | {row.default} | {row.meaning} |" for row in section.rows]
    return "\n".join([*lines, ""])


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _definition(reference: str) -> str:
    return reference.rpartition("/")[2]
