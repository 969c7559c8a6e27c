"""Stories that are told in several worlds: tests/integration and tests/e2e call the same bodies.

`parts` is (machine, source, dest, dbname), as Workshop.replicating() returns it: everything
up, the README flow done and proven. Nothing here knows in which world the machine runs.
"""
