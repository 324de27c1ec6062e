"""API keys as the OpenAPI document shows them."""

from finance.edge.examples import AT, KEY_ID

NEW_KEY = {"role": "client"}
CREATED_KEY = {"key_id": KEY_ID, "key": f"fin_{KEY_ID}_…", "tenant": "acme", "role": "client"}
KEYS = {"data": [{"key_id": KEY_ID, "tenant": "acme", "role": "admin", "created_at": AT, "revoked_at": None}]}
