-- fired_tables - tables with a row trigger for INSERT that fires in sessions that replicate too. On
-- the destination.
SELECT DISTINCT '"' || replace(n.nspname, '"', '""') || '"."'
|| replace(c.relname, '"', '""') || '"' FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE g.tgenabled IN ('A', 'R') AND g.tgtype & 5 = 5 AND NOT g.tgisinternal
