"""The configuration reference, made from the schema's own descriptions."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo

from headode.config.config import Config
from headode.config.words import field_annotation, options_and_limits, type_name, unwrap


def configuration_reference() -> str:
    """All sections and keys as Markdown: a heading and a table for each section."""
    return "\n".join(
        _section(name, field_annotation(field), field.description)
        for name, field in Config.model_fields.items()
    )


def _section(name: str, annotation: Any, description: str | None) -> str:
    section, _ = unwrap(annotation)
    lines = [
        f"## `{name}`",
        "",
        f"{description}",
        "",
        "| key | type | allowed | default | meaning |",
        "|---|---|---|---|---|",
        *(_row(f"{name}.{key}", field) for key, field in section.model_fields.items()),
        "",
    ]
    return "\n".join(lines)


def _row(key: str, field: FieldInfo) -> str:
    annotation = field_annotation(field)
    if field.is_required():
        default = "required"
    else:
        default = "" if field.default is None else f"`{field.default}`"
    cells = (
        f"`{key}`",
        type_name(annotation),
        options_and_limits(annotation),
        default,
        field.description or "",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
