"""Numbers that are never given twice: series, counters, issue, lane. It knows no payment; every domain uses it.

The unique index is the truth; the counter is how the next number is found fast.
"""
