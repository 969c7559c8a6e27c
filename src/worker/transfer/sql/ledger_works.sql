-- ledger_works - the post-data objects of a copy, in their order. On the destination.
SELECT id, stage, name, sql, first_table,
second_table, cost, shares, done IS NOT NULL, with_path, wave,
trusted
FROM bucardo_machine.work ORDER BY id
