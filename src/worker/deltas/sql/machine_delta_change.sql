-- machine_delta_change - give the columns of a delta table, and of what is deferred beside it, the
-- names and types that they should have. What waits is converted; where that cannot be done it
-- goes, and all rows are sent again (machine_follow says so); so it is where a plain role may have
-- made the cast, which would run with our rights (machine_cast_safe). Enums become text by format().
CREATE OR REPLACE FUNCTION bucardo.machine_delta_change(my_delta text, my_table oid, mine int2[])
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE
  wishes jsonb; casts text; nulls text; part text; w jsonb; way int; safe boolean;
BEGIN
  SELECT jsonb_agg(to_jsonb(x) || jsonb_build_object('way', 'machine ' || x.n)),
    string_agg(format('ALTER COLUMN %I TYPE %s USING %s', x.has_name, x.type, CASE WHEN x.labelled
      THEN format('pg_catalog.format(''%%s'', %I)', x.has_name)
      ELSE format('%I::%s', x.has_name, split_part(x.type, ' COLLATE ', 1)) END), ', ') FILTER (WHERE x.type <> x.has_type),
    string_agg(format('ALTER COLUMN %I TYPE %s USING NULL::%s', x.has_name, x.type,
      split_part(x.type, ' COLLATE ', 1)), ', ') FILTER (WHERE x.type <> x.has_type),
    coalesce(bool_and(x.type = x.has_type OR x.labelled OR bucardo.machine_cast_safe(x.atttypid,
      split_part(x.type, ' COLLATE ', 1)::regtype)), true)
    INTO wishes, casts, nulls, safe FROM (SELECT y.*, row_number() OVER () AS n, d.atttypid,
        e.typtype = 'e' AND y.type ~ '^pg_catalog.text ' AS labelled
      FROM bucardo.machine_delta_wishes(my_delta, my_table, mine) y
      JOIN pg_attribute d ON d.attrelid = to_regclass('bucardo.' || my_delta) AND d.attname = y.has_name
      JOIN pg_type e ON e.oid = d.atttypid) x;
  FOREACH part IN ARRAY ARRAY[my_delta, regexp_replace(my_delta, '^("?)delta_', '\1mpark_')] LOOP
    CONTINUE WHEN to_regclass('bucardo.' || part) IS NULL;
    BEGIN
      IF NOT safe THEN RAISE cannot_coerce; END IF;
      IF casts IS NOT NULL THEN EXECUTE format('ALTER TABLE bucardo.%s %s', part, casts); END IF;
    EXCEPTION WHEN data_exception OR cannot_coerce OR datatype_mismatch THEN
      EXECUTE format('TRUNCATE bucardo.%s', part);
      EXECUTE format('ALTER TABLE bucardo.%s %s', part, nulls);
    END;
    -- By way of other names: two columns may have changed places.
    FOR way IN 1..2 LOOP
      FOR w IN SELECT * FROM jsonb_array_elements(wishes) LOOP
        CONTINUE WHEN w->>'has_name' = w->>'name';
        EXECUTE format('ALTER TABLE bucardo.%s RENAME COLUMN %I TO %I', part,
          CASE way WHEN 1 THEN w->>'has_name' ELSE w->>'way' END,
          CASE way WHEN 1 THEN w->>'way' ELSE w->>'name' END);
      END LOOP;
    END LOOP;
  END LOOP;
END $machine$
