-- write_forgotten - Migration $1 goes, as if it had never been named.
WITH phases AS (DELETE FROM machine.phase WHERE migration = $1)
DELETE FROM machine.migration WHERE name = $1
