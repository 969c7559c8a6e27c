-- ledger_exists - whether a ledger is there. On the destination.
SELECT count(*) FROM pg_class c JOIN pg_namespace n
ON n.oid = c.relnamespace WHERE n.nspname = 'bucardo_machine'
AND c.relname = 'clone'
