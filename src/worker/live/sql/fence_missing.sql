-- fence_missing - of the tables $1 (oids) those without the triggers of migration $3 that call function $2,
-- and the statements that make them and switch them off, or on ($4: DISABLE, ENABLE ALWAYS), in one transaction. A logical subscription fires
-- triggers for rows only: tables that one feeds get such a one as well.
SELECT x.name, string_agg(format('CREATE TRIGGER %I %s ON %s FOR EACH %s EXECUTE PROCEDURE %s(%L);'
    ' ALTER TABLE ONLY %s %s TRIGGER %I', x.trigger, x.events, x.name, x.level, rtrim($2, '()'), $3::text, x.name,
    $4::text, x.trigger), '; ')
FROM (SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, k.prefix || $3::text AS trigger, k.events, k.level
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN (VALUES ('bucardo_machine_refuse_', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE', 'STATEMENT'),
    ('bucardo_machine_refuse_rows_', 'AFTER INSERT OR UPDATE OR DELETE', 'ROW')) k(prefix, events, level)
  WHERE c.oid = ANY ($1::oid[]) AND (k.level = 'STATEMENT' OR (c.relkind = 'r' AND EXISTS (SELECT 1
    FROM pg_subscription_rel s WHERE s.srrelid = c.oid)))) x
WHERE NOT EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = x.oid AND g.tgname = x.trigger)
GROUP BY x.name ORDER BY 1
