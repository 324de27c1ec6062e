"""What is answered where a file is made in the background: how far it is, and where to fetch it."""

from marshmallow import fields

from finance.edge.examples import AT
from finance.edge.fields import AnswerSchema, Choice

EXAMPLE = {
    "export_id": "0f3a9c1e5b7d4826a1c0e2f4d6b8a09c",
    "table": "payments",
    "status": "waiting",
    "rows": 0,
    "created_at": AT,
    "expires_at": "2026-11-21T12:00:00Z",
    "address": "/api/v1/exports/0f3a9c1e5b7d4826a1c0e2f4d6b8a09c",
}


class ExportSchema(AnswerSchema):
    """How far a file is that isn't ready yet."""

    export_id = fields.String(metadata={"example": EXAMPLE["export_id"]})
    table = fields.String()
    status = Choice(("waiting", "making"), name="ExportStatus")
    rows = fields.Integer(metadata={"description": "How many are written by now."})
    created_at = fields.DateTime()
    expires_at = fields.DateTime(metadata={"description": "When it is removed."})
    address = fields.String(metadata={"description": "Where to ask again, and to fetch it."})
