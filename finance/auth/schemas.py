"""API keys as they are posted and answered."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, post_load

from finance.auth.model import NAME_LENGTH_MAX, ROLES, ApiKey, NewKey, WantedKey
from finance.edge.answers import KeyId, KeyName
from finance.edge.fields import AnswerSchema, Choice, Instant, TextWithoutKey


class NewKeySchema(Schema):
    """A key as asked for. Loading gives a WantedKey."""

    role = Choice(ROLES, name="Role", required=True)
    name = TextWithoutKey(
        NAME_LENGTH_MAX, allow_none=True, metadata={"description": "What people know it by; no secret."}
    )
    expires_at = Instant(allow_none=True, metadata={"description": "In the future; from then on it is refused."})

    @post_load
    def _to_wanted(self, posted: dict[str, Any], **kwargs: object) -> WantedKey:
        return WantedKey(**posted)


class KeySchema(AnswerSchema):
    """A key as listed."""

    key_id = fields.String(metadata={"example": "3f2a9c0d1e4b5a67"})
    tenant = fields.String()
    role = Choice(ROLES, name="Role")
    name = fields.String(allow_none=True)
    created_at = fields.DateTime()
    created_by = KeyId(allow_none=True)
    created_by_name = KeyName()
    expires_at = fields.DateTime(allow_none=True)
    last_used_at = fields.DateTime(
        allow_none=True, metadata={"description": "The hour in which the last use that is known began."}
    )
    revoked_at = fields.DateTime(allow_none=True)
    revoked_by = KeyId(allow_none=True)
    revoked_by_name = KeyName()


class CreatedKeySchema(KeySchema):
    """A key just made."""

    key = fields.String(metadata={"description": "Shown once; only its hash is stored."})


class KeyListSchema(AnswerSchema):
    data = fields.List(fields.Nested(KeySchema))


_ANSWERED = tuple(KeySchema().fields)


def dump_key(document: ApiKey) -> dict[str, object]:
    """Return a stored key as it is answered, without its hash."""
    known: Mapping[str, object] = {**document, "key_id": document["_id"]}
    return {name: known.get(name) for name in _ANSWERED}


def dump_new_key(new_key: NewKey) -> dict[str, object]:
    return dump_key(new_key.document) | {"key": new_key.key}
