"""Answers, compared with what the served OpenAPI document says of them."""

from typing import Any


def assert_answer_matches(document: dict[str, Any], schema_name: str, answer: dict[str, Any]) -> None:
    """Assert that the answer has the members that its schema names, no other and none missing.

    Of the objects in it each has all that are required, and no other than those named; null stands where it may only.
    """
    properties = document["components"]["schemas"][schema_name]["properties"]
    assert set(answer) == set(properties), f"{schema_name}: {sorted(set(answer) ^ set(properties))}"
    required = document["components"]["schemas"][schema_name].get("required", [])
    assert set(required) == set(properties), f"{schema_name}: always there and not required"
    _assert_matches(document, {"$ref": f"#/components/schemas/{schema_name}"}, answer, schema_name)


def schema_name_of(document: dict[str, Any], method: str, path: str, status: int) -> str:
    """Return the name of the schema that the document gives for the answer of an operation."""
    response = document["paths"][path][method]["responses"][str(status)]
    reference: str = response["content"]["application/json"]["schema"]["$ref"]
    return reference.rsplit("/", 1)[1]


def _assert_matches(document: dict[str, Any], schema: dict[str, Any], value: Any, place: str) -> None:
    choices = [_resolved(document, choice) for choice in schema.get("anyOf", [schema])]
    if value is None:
        assert any("null" in _types(choice) for choice in choices), f"{place} is null"
        return
    (schema,) = [choice for choice in choices if _types(choice) != ["null"]]
    if isinstance(value, dict):
        properties = schema.get("properties")
        if properties is None:  # an object whose members have no names of ours
            assert "object" in _types(schema), place
            return
        assert set(value) <= set(properties), f"{place}: {sorted(set(value) - set(properties))} in no schema"
        missing = set(schema.get("required", [])) - set(value)
        assert not missing, f"{place}: {sorted(missing)} missing"
        for name, member in value.items():
            _assert_matches(document, properties[name], member, f"{place}.{name}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _assert_matches(document, schema["items"], item, f"{place}[{position}]")
    else:
        assert _type_of(value) in _types(schema), f"{place} is {value!r}"


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "allOf" in schema:
        (schema,) = schema["allOf"]
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return document["components"]["schemas"][name] if name else schema


def _types(schema: dict[str, Any]) -> list[str]:
    found = schema.get("type", [])
    return found if isinstance(found, list) else [found]


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "integer" if isinstance(value, int) else "number"
