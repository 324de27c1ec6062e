"""Files of payments or customers that people upload: kept for a while, checked row by row, then stored in steps."""
