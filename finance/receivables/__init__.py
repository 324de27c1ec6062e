"""What customers owe: their statements, and the ageing of all. Read from invoices, credit notes and payments alone."""
