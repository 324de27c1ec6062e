"""Where HTTP meets us: nothing in here knows a payment, and nothing below a schema knows what is in here."""
