"""What a bundle's model is, in lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from myriad_edge.inspector import Inspector
from myriad_edge.manifest import Manifest


def describe(manifest: Manifest, inspector: Inspector) -> Iterator[str]:
    """Lines of a name and what it is. What the manifest tells of the model is optional, and shown where it is sound."""
    model = manifest.model
    yield f"kind        {manifest.kind}"
    yield f"classes     {', '.join(manifest.classes) or 'none'}"
    if inspector.kind.threshold is not None:
        yield f"threshold   {inspector.kind.threshold:g}"
    project = _table(model.get("project")).get("name")
    for name, value in (
        *(("project", project), ("model", model.get("number")), ("id", model.get("id"))),
        *(("recipe", model.get("recipe")), ("made", model.get("created_at"))),
    ):
        if isinstance(value, str | int):
            yield f"{name:<11} {value}"
    yield f"file        {manifest.size:,} bytes, SHA-256 {manifest.sha256}"
    yield f"parity      {len(manifest.parity)} images answered as evaluated"
    yield from _evaluation(_table(model.get("evaluation")))


def _evaluation(evaluation: Mapping[str, Any]) -> Iterator[str]:
    if not evaluation:
        return
    yield f"evaluation  {evaluation.get('method', 'by a method that is not told')}"
    metrics = _table(evaluation.get("metrics"))
    for name, value in metrics.items():
        if (figure := _figure(value)) is not None:
            yield f"  {name}: {figure}"
    classes = metrics.get("classes")
    for item in classes if isinstance(classes, list) else []:
        figures = {name: _figure(value) for name, value in _table(item).items()}
        told = ", ".join(f"{name} {figure}" for name, figure in figures.items() if figure is not None)
        if told:
            yield f"  {item.get('name')}: {told}"


def _figure(value: object) -> str | None:
    """A figure, with its interval if it has one; None for what is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    value = _table(value)
    middle, low, high = (value.get(name) for name in ("value", "low", "high"))
    if not isinstance(middle, int | float):
        return None
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return f"{middle:.3f}"
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
