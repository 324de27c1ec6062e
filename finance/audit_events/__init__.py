"""Who did what, for the admins of a tenant: the list of audit events, and the events of exports."""
