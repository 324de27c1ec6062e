"""Is every number accounted for?"""
