-- machine_capture_guard - the first thing that the trigger of a table of ours does: are the columns of the key still
-- those that it was made for, by number, name and type? ALTER TABLE may have made them others since,
-- in this very transaction, and sessions that have fired the trigger remember types. Such a write is the application's
-- right: it passes uncaptured, and the transaction leaves a note, once, from which the watch knows
-- that all rows are to be sent again (machine_capture_watch). Nobody waits for another's note, since no index on them is unique.
-- '' for a table that nobody watches, of a sync made by hand: there the write fails, as it does with Bucardo's own trigger.
-- It costs an update of one row 3.5 microseconds (PostgreSQL 15).
CREATE OR REPLACE FUNCTION bucardo.machine_capture_guard(my_delta text) RETURNS text
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE fits text;
BEGIN
  IF to_regclass('bucardo.machine_missed') IS NULL THEN RETURN ''; END IF;
  SELECT CASE WHEN bool_and(x.number IS NOT NULL AND x.type IS NOT NULL) THEN string_agg(format(
      'EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) TG_RELID'
      ' AND a.attnum OPERATOR(pg_catalog.=) ''%s''::pg_catalog.int2 AND a.attname OPERATOR(pg_catalog.=) %L::pg_catalog.name'
      ' AND a.atttypid OPERATOR(pg_catalog.=) ''%s''::pg_catalog.oid)', x.number, x.attname, x.type), ' AND ' ORDER BY x.n) END
    INTO fits
    FROM (SELECT c.n, c.attname, coalesce(k.columns[c.n], named.attnum) AS number,
        coalesce(k.types[c.n], numbered.atttypid) AS type
      FROM (SELECT min(d.tablename) AS name FROM bucardo.bucardo_delta_names d WHERE d.deltaname = my_delta
        AND regexp_replace(d.sync, ' \(paused\)$', '') IN (SELECT s.sync FROM bucardo.machine_syncs s)) t
      CROSS JOIN (SELECT attname, row_number() OVER (ORDER BY attnum)::int AS n FROM pg_attribute
        WHERE attrelid = to_regclass('bucardo.' || my_delta) AND attnum > 0 AND NOT attisdropped
        AND attname <> 'txntime') c
      LEFT JOIN bucardo.machine_keys k ON k.name = t.name
      LEFT JOIN pg_attribute named ON named.attrelid = to_regclass(t.name) AND named.attname = c.attname
        AND named.attnum > 0 AND NOT named.attisdropped
      LEFT JOIN pg_attribute numbered ON numbered.attrelid = to_regclass(t.name)
        AND numbered.attnum = coalesce(k.columns[c.n], named.attnum)) x;
  IF fits IS NULL THEN RETURN ''; END IF;
  RETURN format($guard$
  IF NOT (%s) THEN
    IF NOT EXISTS (SELECT FROM bucardo.machine_missed m WHERE m.relation OPERATOR(pg_catalog.=) TG_RELID
        AND m.xid OPERATOR(pg_catalog.=) pg_catalog.txid_current()) THEN
      INSERT INTO bucardo.machine_missed (relation, xid) VALUES (TG_RELID, pg_catalog.txid_current());
    END IF;
    RETURN NULL;
  END IF;$guard$, fits);
END $machine$
