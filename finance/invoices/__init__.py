"""Invoices in series without gaps, and the credit notes that cancel them."""
