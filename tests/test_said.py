"""A text that is said is English wherever it goes, and knows what it takes to say it in another language."""

import copy
import json
import pickle
from pathlib import Path

import orjson
import pytest
from marshmallow import Schema, ValidationError, fields

from finance.edge.arguments import refuse
from finance.edge.fields import Choice, Text
from finance.edge.replies import as_json
from finance.errors import FieldError, Invalid, NotFound
from finance.said import Said, in_language, joined, said

FRENCH = {
    "must be at most {most} bytes.": "doit compter au plus {most} octets.",
    "is required.": "est obligatoire.",
    "{name}: {detail}": "{name} : {detail}",
    "must hold {number}, such as {number:04}.": "doit contenir {number}, comme {number:04}.",
    "{before}; {text}": "{before} ; {text}",
    "There is nothing here.": "Il n’y a rien ici.",
}


def translate(message: str) -> str:
    """As gettext: what isn't known is answered as it is, and the empty text with what is known of the catalog."""
    return "Language: fr\n" if message == "" else FRENCH.get(message, message)


def test_a_text_is_its_english_with_the_values_in_their_places() -> None:
    text = said("must be at most {most} bytes.", most=9)

    assert text == "must be at most 9 bytes."
    assert (text.template, text.values) == ("must be at most {most} bytes.", {"most": 9})


def test_a_text_without_values_keeps_its_braces() -> None:
    text = said("must hold {number}, such as {number:04}.")

    assert text == "must hold {number}, such as {number:04}."
    assert in_language(text, translate) == "doit contenir {number}, comme {number:04}."


def test_a_text_inside_another_is_translated_too_and_other_values_stay() -> None:
    told = said("{name}: {detail}", name="is required.", detail=said("must be at most {most} bytes.", most=9))

    assert told == "is required.: must be at most 9 bytes."
    assert in_language(told, translate) == "is required. : doit compter au plus 9 octets."


def test_what_was_stored_is_looked_up_as_it_stands() -> None:
    assert in_language("is required.", translate) == "est obligatoire."
    assert in_language("of nobody knows whom", translate) == "of nobody knows whom"
    assert in_language("", translate) == ""


def test_values_may_come_later_as_in_a_table_of_texts() -> None:
    late = said("must be at most {most} bytes.").format(most=9)

    assert late == "must be at most 9 bytes."
    assert in_language(late, translate) == "doit compter au plus 9 octets."


def test_texts_are_joined_and_each_is_translated() -> None:
    told = joined([said("is required."), "odd", said("must be at most {most} bytes.", most=9)])

    assert told == "is required.; odd; must be at most 9 bytes."
    assert in_language(told, translate) == "est obligatoire. ; odd ; doit compter au plus 9 octets."


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda text: pickle.loads(pickle.dumps(text))], ids=["copy", "deep", "pickle"]
)
def test_a_copy_knows_as_much(again: "type") -> None:
    text = said("{name}: {detail}", name=Path("c.csv"), detail=said("must be at most {most} bytes.", most=9))

    copied = again(text)

    assert type(copied) is Said
    assert copied == text
    assert in_language(copied, translate) == "c.csv : doit compter au plus 9 octets."


def test_json_has_the_english() -> None:
    body = {"detail": said("must be at most {most} bytes.", most=9)}

    assert as_json(body) == orjson.dumps(body) == b'{"detail":"must be at most 9 bytes."}'
    assert json.loads(json.dumps(body)) == body


class _Form(Schema):
    name = Text(5, required=True)
    kind = Choice(("card", "cash"))
    inner = fields.Nested(Schema.from_dict({"note": Text(5)}))


@pytest.mark.parametrize(
    ("body", "template"),
    [
        ({}, "is required."),
        ({"name": None}, "must not be null."),
        ({"name": "too long"}, "must be {length_min} to {length_max} characters long."),
        ({"name": "Ada", "kind": "crad"}, "{right}; did you mean {meant}?"),
        ({"name": "Ada", "inner": 5}, "must be an object."),
        ({"name": "Ada", "inner": {"note": ""}}, "must be {length_min} to {length_max} characters long."),
        ({"name": "Ada", "nmae": "Ada"}, "is not a {kind} here; did you mean {meant}?"),
    ],
)
def test_it_comes_through_a_schema(body: dict[str, object], template: str) -> None:
    schema = _Form()
    with pytest.raises(ValidationError) as found:
        schema.load(body)

    with pytest.raises(Invalid) as refused:
        refuse(found.value, schema, location="json")

    [error] = refused.value.errors
    assert isinstance(error.detail, Said)
    assert error.detail.template == template
    assert isinstance(refused.value.detail, Said)
    assert refused.value.detail.values["detail"] == error.detail


def test_a_refusal_names_its_field_in_front_of_what_is_said() -> None:
    refused = Invalid.field("note", said("is required."))

    assert refused.detail == "note: is required."
    assert in_language(refused.detail, translate) == "note : est obligatoire."
    assert refused.errors == [FieldError("is required.", pointer="/note")]
    assert orjson.dumps(refused.errors[0].as_json()) == b'{"pointer":"/note","detail":"is required."}'


def test_the_default_detail_of_a_failure_is_said() -> None:
    assert in_language(NotFound().detail, translate) == "Il n’y a rien ici."
