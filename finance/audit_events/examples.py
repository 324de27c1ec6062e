"""Audit events as the OpenAPI document shows them."""

from finance.edge.examples import AT, ID, KEY_ID, page

EVENTS = page(
    {
        "id": ID,
        "at": AT,
        "by": KEY_ID,
        "by_name": None,
        "address": "127.0.0.1",
        "action": "key_created",
        "object_kind": "key",
        "object_id": KEY_ID,
        "details": {"role": "client", "name": "Web shop", "expires_at": None},
    }
)
