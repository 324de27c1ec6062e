"""What a kind of numbered documents is: payments, invoices, …"""

from dataclasses import dataclass


@dataclass(frozen=True)
class NumberedKind:
    """Where the documents of a kind are stored, and what their fields are called.

    `number_field` holds the number as written (payment_number); `number_seq` beside it holds the integer.
    `key_field` holds the idempotency key, unique per tenant, or is absent. `followed_fields` are those that a draft's
    `follow` looks at in the document before it.
    """

    name: str
    collection: str
    number_field: str
    key_field: str = "idempotency_key"
    followed_fields: tuple[str, ...] = ()
