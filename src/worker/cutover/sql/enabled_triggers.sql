-- enabled_triggers - tables where a trigger that calls function $1 is switched on, and the statement that
-- switches it off.
SELECT g.tgrelid::regclass::text, string_agg(format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', g.tgrelid::regclass,
    g.tgname), '; ')
FROM pg_trigger g WHERE g.tgfoid = to_regprocedure($1) AND g.tgenabled <> 'D' GROUP BY g.tgrelid ORDER BY 1
