"""A payments API on MongoDB, with the customers and invoices that payments belong to.

Folders are domains, file names are steps. In each domain `routes → schemas → service → store → model` is the way of a
request, and it goes one way only:

    app.py          create_app(config): the one place where parts are put together
    config.py       Config and from_env(): the only reader of the environment
    uri_warnings.py what the driver warns of in the URI
    database.py     the client, deadlines, building the indexes
    indexes.py      the one list of indexes, a line each; obsolete.py, those of earlier versions that have to go
    ownership.py    whose database is this? another software's is left as it is (below database)
    errors.py       Invalid, NotFound, Conflict, …: no HTTP here
    said.py         what we say to somebody, in English and ready for another language (below errors)
    asked.py        who asks for a change, when, under which Idempotency-Key
    once.py         a repeated request takes effect once
    contention.py   trying again where another request changed the same document
    context.py      what the parts of one running app share
    edge/           where HTTP meets us: bodies, items, fields, characters, hints, headers, blueprints, problems,
                    replies, answers, conditions (ETags), cursors, lists, rows, streams, filters, exports with files
                    and cells, frames (ids, deadlines, log lines), addresses, nearby, limits, cors, worker (gunicorn's),
                    openapi with failures (what an operation can answer), examples and docs (its pages), probes
    conditions.py   what a change asks of the state that it is made to (If-Match, without HTTP)
    wording.py      the words of files, in the reader's language
    obsolete.py     indexes of earlier versions that have to go
    logs.py         JSON logs with request ids
    metrics.py      what Prometheus can ask
    money.py        exact amounts
    text.py         text as searches compare it
    history.py      what documents remember of their changes, and of who made them
    events.py       who did what: the append-only audit events
    encryption.py   personal data, encrypted field by field
    background.py   what is worked off beside the requests of a process
    paging.py       pages by position, each at the same cost
    tables/         CSV and XLSX files, read as people save them
    numbering/      kinds, series, counters, issue (standard, no-gap, the E11000 wrapper), lane (group commit)
    auth/           keys, roles, the guard on routes
    audit_events/   the list of who did what, for admins
    customers/
    shops/          also patterns (what a format writes), claims (whose that is), rules (which one numbers a day)
    allocations/    what payments and credit notes give to invoices and to each other: claim, decide, follow, release
    invoices/ payments/
    receivables/    statements and ageing
    files/          large files, made in the background
    imports/        files that people upload: checked row by row, then stored in steps
    web/            the pages: a file per noun over the same services; its own __init__ has the map
    maintenance/    repair, migrate, audit: findings first, then a plan, then its application; set_up of MongoDB
    commands/       what is started from a command line: the server and its gunicorn, keys, imports

Who may import whom, left from right (import-linter holds it):

    commands > app > web > imports > maintenance > receivables > payments > invoices > allocations > shops
        > (customers | audit_events | files) > auth > context > (edge | numbering) > (paging | tables | background)
        > (encryption | events) > (database | history) > (ownership | obsolete)
        > (money | config | metrics | logs | text | indexes | asked | conditions | once | contention | wording)
        > errors > said
"""

__version__ = "0.1.0"
