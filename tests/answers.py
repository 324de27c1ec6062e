"""Whether an answer and the OpenAPI document name the same fields, in every part of it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_WHOLE = re.compile(r"(/data/\d+)?")  # an answer, or a row of a list: parts of them may leave fields out


def differences(document: Mapping[str, Any], schema: Mapping[str, Any], answer: Any, at: str = "") -> Iterator[str]:
    """Yield what the answer has and its schema doesn't name, and what the schema requires and the answer lacks."""
    schema = _resolved(document, schema)
    if isinstance(answer, list):
        for place, item in enumerate(answer):
            yield from differences(document, schema.get("items", {}), item, f"{at}/{place}")
    if not isinstance(answer, Mapping) or "properties" not in schema:
        return
    properties, required = schema["properties"], set(schema.get("required", ()))
    yield from (f"{at}/{name} is not in the document" for name in answer.keys() - properties.keys())
    yield from (f"{at}/{name} is required and not answered" for name in required - answer.keys())
    if _WHOLE.fullmatch(at):
        yield from (f"{at}/{name} is always answered and not required" for name in answer.keys() - required)
    for name in answer.keys() & properties.keys():
        yield from differences(document, properties[name], answer[name], f"{at}/{name}")


def schema_of_answer(document: Mapping[str, Any], method: str, path: str, status: int) -> Mapping[str, Any]:
    response = document["paths"][path][method.lower()]["responses"][str(status)]
    schema: Mapping[str, Any] = response["content"]["application/json"]["schema"]
    return schema


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return _resolved(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for some in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(some, ()):
            if part.get("type") != "null":
                return _resolved(document, part)
    return schema
