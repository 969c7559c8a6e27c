-- ledger_unlogged - unlogged tables that the ledger calls filled. On the destination.
SELECT c.table_name FROM bucardo_machine.chunk c
JOIN pg_class r ON r.oid = CASE WHEN c.table_name ~ '^"'
THEN to_regclass(c.table_name) END
WHERE c.done IS NOT NULL AND r.relpersistence = 'u'
GROUP BY 1 HAVING sum(c.rows) > 0
