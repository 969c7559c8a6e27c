-- source_path - the schemas that the owner of relation $1 (else of the database) finds names in, as
-- text[]; $2 is what the server says where nothing is set for role or database.
WITH me AS (SELECT d.oid AS db, r.oid AS owner, r.rolname FROM pg_database d
    JOIN pg_roles r ON r.oid = coalesce((SELECT c.relowner FROM pg_class c WHERE c.oid = to_regclass($1)), d.datdba)
    WHERE d.datname = current_database()),
said AS (SELECT substr(o.said, 13) AS path FROM me, pg_db_role_setting s, unnest(s.setconfig) o (said)
    WHERE s.setdatabase IN (0, me.db) AND s.setrole IN (0, me.owner) AND o.said LIKE 'search\_path=%'
    ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1),
word AS (SELECT CASE WHEN m.found[1] LIKE '"%' THEN replace(substr(m.found[1], 2, length(m.found[1]) - 2), '""', '"')
      ELSE lower(m.found[1]) END AS name, m.place
    FROM regexp_matches(coalesce((SELECT path FROM said), $2), '("(?:[^"]|"")*"|[^,"\s]+)', 'g')
      WITH ORDINALITY m (found, place))
SELECT coalesce(array_agg(n.nspname::text ORDER BY word.place), '{}') FROM word, me, pg_namespace n
  WHERE n.nspname = CASE word.name WHEN '$user' THEN me.rolname ELSE word.name END AND n.nspname !~ '^pg_'
