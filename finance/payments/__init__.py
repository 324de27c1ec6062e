"""Payments: recorded once, under a number that is never given twice, and voided rather than deleted."""
