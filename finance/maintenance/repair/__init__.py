"""Numbers that several documents carry: found, planned, repaired and taken back."""
