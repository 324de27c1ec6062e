"""What ops run on data that older software left: findings first, then a plan, then its application.

    repair/     numbers that several documents carry: the plan, its application, taking it back
    migrate/    indexes that are missing or wrong, also in other software's collections; sequences of an older system
    audit/      is every number accounted for?
    cli.py      what the commands share

The rest is what they share: the kinds of numbered documents and their series, recorded gaps, the collection that is
looked at (target.py), the numbers that stand twice in it, unique indexes over data with duplicates (fences.py), and
the lease that keeps two operators from changing one collection at once (lease.py).
"""
