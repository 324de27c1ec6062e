"""The customers that payments belong to."""
