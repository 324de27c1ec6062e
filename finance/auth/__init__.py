"""API keys, what their roles may do, and the guard that every route stands behind."""
