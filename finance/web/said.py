"""What the API says of an error, in the reader's language."""

from finance.web.languages import translate


def readers_text(detail: str) -> str:
    """Return a text of the API in the reader's language."""
    return translate()(detail) if detail else detail
