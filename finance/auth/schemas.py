"""API keys as they are posted and answered."""

from collections.abc import Mapping

from marshmallow import Schema, fields, validate

from finance.auth.model import ROLES, ApiKey


class NewKeySchema(Schema):
    role = fields.String(required=True, validate=validate.OneOf(ROLES))


class KeySchema(Schema):
    key_id = fields.String(required=True)
    tenant = fields.String(required=True)
    role = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    revoked_at = fields.DateTime(required=True, allow_none=True)


class CreatedKeySchema(Schema):
    key_id = fields.String(required=True)
    key = fields.String(required=True, metadata={"description": "Shown once; only its hash is stored."})
    tenant = fields.String(required=True)
    role = fields.String(required=True)


class KeyListSchema(Schema):
    data = fields.List(fields.Nested(KeySchema), required=True)


_ANSWERED = tuple(KeySchema().fields)


def dump_key(document: ApiKey) -> dict[str, object]:
    """Return a stored key as it is answered, without its hash."""
    known: Mapping[str, object] = {**document, "key_id": document["_id"]}
    return {name: known.get(name) for name in _ANSWERED}
