"""Findings first, then a plan, then its application: what ops run on data that older software left."""
