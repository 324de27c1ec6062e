"""API keys as they are posted and answered."""

from marshmallow import Schema, fields, validate

from finance.auth.model import ROLES
from finance.database import Document
from finance.edge.fields import AnswerSchema


class NewKeySchema(Schema):
    role = fields.String(required=True, validate=validate.OneOf(ROLES))


class KeySchema(AnswerSchema):
    key_id = fields.String()
    tenant = fields.String()
    role = fields.String()
    created_at = fields.DateTime()
    revoked_at = fields.DateTime(allow_none=True)


class CreatedKeySchema(AnswerSchema):
    key_id = fields.String()
    key = fields.String(metadata={"description": "Shown once; only its hash is stored."})
    tenant = fields.String()
    role = fields.String()


class KeyListSchema(AnswerSchema):
    data = fields.List(fields.Nested(KeySchema))


def dump_key(document: Document) -> Document:
    """Return a stored key as it is answered, without its hash."""
    names = ("tenant", "role", "created_at", "revoked_at")
    return {"key_id": document["_id"], **{name: document.get(name) for name in names}}
