"""The shops that issue invoices, and how each writes its numbers."""
