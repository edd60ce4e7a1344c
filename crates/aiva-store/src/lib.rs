//! SQLite and PostgreSQL pools, transactions, migrations, leases.
