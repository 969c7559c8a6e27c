-- ledger_undone - what is not done yet: 0 and a chunk, 1 and a post-data object. On the
-- destination.
SELECT 0, id FROM bucardo_machine.chunk WHERE done IS NULL
UNION ALL
SELECT 1, id FROM bucardo_machine.work WHERE done IS NULL
