-- touches_hold - $1 tables and why they are sent again once they are fixed, as a JSON object:
-- requested, and held; those that are not in it any more are due. On the live side.
WITH later AS (SELECT key, value FROM json_each_text($1::json)),
due AS (UPDATE bucardo.machine_touches SET held = false
 WHERE held AND tablename NOT IN (SELECT key FROM later))
INSERT INTO bucardo.machine_touches AS t (tablename, why, held) SELECT key, value, true FROM later
ON CONFLICT (tablename) DO UPDATE SET why = excluded.why
WHERE t.held AND t.why IS NULL AND excluded.why IS NOT NULL
