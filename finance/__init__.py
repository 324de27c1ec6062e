"""A payments API on MongoDB, with the customers and invoices that payments belong to.

Folders are domains, file names are steps. In each domain `routes → schemas → service → store → model` is the way of a
request, and it goes one way only:

    app.py          create_app(config): the one place where parts are put together
    config.py       Config and from_env(): the only reader of the environment
    database.py     the client, the collections, the one list of indexes
    errors.py       Invalid, NotFound, Conflict, …: no HTTP here
    fields.py       the marshmallow fields that all schemas are made of
    context.py      what the parts of one running app share
    openapi.py      the document and its pages; probes.py: /healthz, /readyz, /metrics
    json_api.py     strict JSON in, problem+json out, cursors, Idempotency-Key
    logs.py         JSON logs with request ids
    metrics.py      what Prometheus can ask
    money.py        exact amounts
    text.py         text as searches compare it
    history.py      what documents remember of their changes
    encryption.py   personal data, encrypted field by field
    paging.py       pages by position, each at the same cost
    exports.py      lists as CSV and XLSX, streamed
    numbering/      series, counters, issue (standard, no-gap, the E11000 wrapper), lane (group commit)
    auth/           keys, roles, the guard on routes
    customers/ shops/ invoices/ payments/
    maintenance/    repair, migrate, audit: findings first, then a plan, then its application

Who may import whom, left from right (import-linter holds it):

    app > maintenance > payments > invoices > shops > customers > auth > (openapi | probes) > context
        > (json_api | fields | numbering | paging | exports) > encryption > database
        > (money | config | metrics | logs | text | history) > errors
"""
