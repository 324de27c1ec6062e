"""What is started from a command line: the server, and what ops run. Each is a console command of the package.

finance-serve, finance-create-key, finance-import-customers, finance-import-payments,
finance-rotate-encryption-key
finance-repair-duplicates, finance-migrate-indexes, finance-audit-numbers     (their code: finance.maintenance)
"""
