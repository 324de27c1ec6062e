"""From the indexes and sequences that stand to those that should."""
