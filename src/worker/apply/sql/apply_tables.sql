-- apply_tables - of each table of a list, [{"table": quoted and qualified, "key": [names]}], at its place there: its
-- kind; its columns but for generated ones, as a JSON list; the columns of the key as a JSON list of [name, type without
-- length and of a domain what it stands for, whether it is one, the operator that means "equal"]; whether equal keys are
-- the same bytes; and whether a domain is inside a type of the key, whose checks are somebody's functions and would run with
-- our rights; and its definition, as verify_definition.sql says it. As key_of() in daemon/bucardo/apply.pl, which is what a KID asks of one table.
SELECT l.place, c.relkind,
  (SELECT json_agg(quote_ident(a.attname) ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
    AND NOT a.attisdropped AND coalesce(to_jsonb(a)->>'attgenerated', '') = ''),
  k.columns, k.one_spelling, k.domain_inside,
  (SELECT concat_ws(' ', c.oid, string_agg(concat_ws(' ', a.attnum, quote_ident(a.attname), a.atttypid, a.atttypmod),
    ',' ORDER BY a.attnum)) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM (SELECT t.place, to_regclass(t.item->>'table') AS oid, ARRAY(SELECT json_array_elements_text(t.item->'key')) AS names
  FROM json_array_elements($1::json) WITH ORDINALITY AS t(item, place)) l
JOIN pg_class c ON c.oid = l.oid
CROSS JOIN LATERAL (
  SELECT json_agg(json_build_array(quote_ident(q.attname), format_type(q.base, -1), q.is_domain, q.equal) ORDER BY q.n) AS columns,
    bool_and(q.one_spelling) AS one_spelling, bool_or(q.domain_inside) AS domain_inside
  FROM (SELECT a.attname, u.n, b.oid AS base, a.atttypid <> b.oid AS is_domain,
      b.oid = ANY ('{int2,int4,int8,oid,bool,uuid,date,timestamp,timestamptz,bytea,text,varchar,bpchar}'::regtype[]::oid[])
        AND NOT EXISTS (SELECT 1 FROM pg_collation o WHERE o.oid = a.attcollation AND NOT o.collisdeterministic) AS one_spelling,
      EXISTS (WITH RECURSIVE part(oid, inside) AS (SELECT b.oid, false
          UNION SELECT x.oid, x.inside FROM part JOIN pg_type y ON y.oid = part.oid CROSS JOIN LATERAL (
            SELECT y.typbasetype, part.inside WHERE y.typtype = 'd'
            UNION ALL SELECT y.typelem, true WHERE y.typtype = 'b' AND y.typelem <> 0
            UNION ALL SELECT f.atttypid, true FROM pg_attribute f WHERE y.typtype = 'c' AND f.attrelid = y.typrelid
              AND f.attnum > 0 AND NOT f.attisdropped
            UNION ALL SELECT g.rngsubtype, true FROM pg_range g WHERE y.oid = g.rngtypid
              OR y.oid::text = to_jsonb(g)->>'rngmultitypid') x(oid, inside))
        SELECT 1 FROM part JOIN pg_type y ON y.oid = part.oid WHERE part.inside AND y.typtype = 'd') AS domain_inside,
      (SELECT format('OPERATOR(%I.%s)', s.nspname, o.oprname) FROM pg_operator o JOIN pg_namespace s ON s.oid = o.oprnamespace
        WHERE o.oid = coalesce((SELECT m.amopopr FROM pg_index i
          CROSS JOIN LATERAL ROWS FROM (unnest(i.indkey::int2[]), unnest(i.indclass::oid[])) AS v(att, class)
          JOIN pg_opclass f ON f.oid = v.class JOIN pg_amop m ON m.amopfamily = f.opcfamily AND m.amopstrategy = 3
            AND m.amoplefttype = f.opcintype AND m.amoprighttype = f.opcintype
          WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND v.att = a.attnum AND i.indnkeyatts = (SELECT count(*) FROM pg_attribute x WHERE x.attrelid = c.oid
            AND x.attnum = ANY (i.indkey) AND x.attname = ANY (l.names))
          ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1),
          (SELECT m.amopopr FROM pg_opclass f JOIN pg_amop m ON m.amopfamily = f.opcfamily AND m.amopstrategy = 3
            AND m.amoplefttype = f.opcintype AND m.amoprighttype = f.opcintype
          JOIN pg_am h ON h.oid = f.opcmethod AND h.amname = 'btree' WHERE f.opcdefault AND f.opcintype = b.oid))) AS equal
    FROM unnest(l.names) WITH ORDINALITY AS u(name, n) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = u.name
      AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL (WITH RECURSIVE t(oid, base) AS (SELECT y.oid, y.typbasetype FROM pg_type y WHERE y.oid = a.atttypid
        UNION ALL SELECT y.oid, y.typbasetype FROM t JOIN pg_type y ON y.oid = t.base)
      SELECT t.oid FROM t WHERE t.base = 0) b) q) k
ORDER BY l.place
