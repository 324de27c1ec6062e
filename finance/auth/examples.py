"""API keys as the OpenAPI document shows them."""

from finance.edge.examples import CREATED, KEY_ID

NEW_KEY = {"role": "client", "name": "Web shop"}
_KEY = {
    "key_id": KEY_ID,
    "tenant": "acme",
    "role": "client",
    "name": "Web shop",
    **CREATED,
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
    "revoked_by": None,
    "revoked_by_name": None,
}
CREATED_KEY = _KEY | {"key": f"fin_{KEY_ID}_…"}
KEYS = {"data": [_KEY | {"role": "admin", "name": None, "created_by": "tests", "last_used_at": "2026-11-20T12:00:00Z"}]}
