"""The outcome store: what happened to every request and what became known of it later, kept off the hot path.

`recorder` takes outcomes in microseconds and writes them from a thread, `encoding` decides what is kept of them, `database` fills the port
`Store` with SQLite or PostgreSQL, `export` makes replay records of it.
"""
