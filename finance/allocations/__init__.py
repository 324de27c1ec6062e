"""What payments and credit notes give to invoices and to each other: never more than there is, right after any kill.

An allocation joins two documents, and each has an entry of it, under the same claim. The *source* (a payment, a credit
note) decides; the *sink* (an invoice, a credit note that is paid back) follows it. See docs/decisions/0007.
"""
