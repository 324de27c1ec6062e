"""API keys as they are posted and answered."""

from collections.abc import Mapping

from marshmallow import Schema, fields

from finance.auth.model import ROLES, ApiKey
from finance.edge.fields import AnswerSchema, Choice


class NewKeySchema(Schema):
    role = Choice(ROLES, name="Role", required=True)


class KeySchema(AnswerSchema):
    key_id = fields.String(metadata={"example": "3f2a9c0d1e4b5a67"})
    tenant = fields.String()
    role = Choice(ROLES, name="Role")
    created_at = fields.DateTime()
    revoked_at = fields.DateTime(allow_none=True)


class CreatedKeySchema(AnswerSchema):
    key_id = fields.String(metadata={"example": "3f2a9c0d1e4b5a67"})
    key = fields.String(metadata={"description": "Shown once; only its hash is stored."})
    tenant = fields.String()
    role = Choice(ROLES, name="Role")


class KeyListSchema(AnswerSchema):
    data = fields.List(fields.Nested(KeySchema))


_ANSWERED = tuple(KeySchema().fields)


def dump_key(document: ApiKey) -> dict[str, object]:
    """Return a stored key as it is answered, without its hash."""
    known: Mapping[str, object] = {**document, "key_id": document["_id"]}
    return {name: known.get(name) for name in _ANSWERED}
