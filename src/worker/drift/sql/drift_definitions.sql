-- drift_definitions - name and definition, as JSON, of the tables asked for; after drift_base.
-- A column or a constraint that is inherited is altered at the `top` of the tree. `filled`: rows
-- that were there when a column was added have what its default gives now: sure only where the
-- server says what they got, and the default is that constant still.
, up AS (SELECT t.oid AS leaf, t.oid, 0 AS depth FROM t
  UNION ALL SELECT up.leaf, i.inhparent, up.depth + 1 FROM up
  JOIN pg_inherits i ON i.inhrelid = up.oid WHERE up.depth < 50),
-- The index of a partition is that of the table it belongs to, at the top.
own AS (SELECT g.index AS leaf, g.index AS oid, 0 AS depth FROM guards g WHERE g.index IS NOT NULL
  UNION ALL SELECT own.leaf, i.inhparent, own.depth + 1 FROM own
  JOIN pg_inherits i ON i.inhrelid = own.oid WHERE own.depth < 50),
ways AS (SELECT DISTINCT ON (own.leaf) own.leaf, coalesce('ALTER TABLE ' || quote_ident(n.nspname)
    || '.' || quote_ident(c.relname) || ' DROP CONSTRAINT ' || quote_ident(k.conname),
    'DROP INDEX ' || quote_ident(x.nspname) || '.' || quote_ident(i.relname)) AS removal,
    coalesce('ALTER TABLE ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid),
    pg_get_indexdef(i.oid)) AS again, pg_get_constraintdef(k.oid) AS said
  FROM own JOIN pg_class i ON i.oid = own.oid JOIN pg_namespace x ON x.oid = i.relnamespace
  LEFT JOIN pg_constraint k ON k.conindid = i.oid AND k.contype IN ('p', 'u')
  LEFT JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
  ORDER BY own.leaf, own.depth DESC)
SELECT t.name, json_build_object('side', $3::text, 'exact', $2::boolean, 'key', k.columns,
  'bound', t.bound, 'parents', f.parents, 'top', (SELECT quote_ident(n.nspname) || '.' ||
    quote_ident(c.relname) FROM up JOIN pg_class c ON c.oid = up.oid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE up.leaf = t.oid
    ORDER BY up.depth DESC LIMIT 1),
  'columns', (SELECT json_object_agg(attname, json_build_object('name', quote_ident(attname),
      'type', type, 'required', required, 'inherited', inherited, 'generated', generated,
      'identity', identity, 'default', value, 'same', same, 'collation', coll,
      'makers', (SELECT json_object_agg(m.name, json_build_object('def', m.def, 'direct', m.direct,
        'text', CASE WHEN f.probin IS NULL THEN btrim(pg_get_functiondef(m.fn), E' \n') END)) FROM makers m
        JOIN pg_proc f ON f.oid = m.fn WHERE (m.oid, m.attnum) = (c.oid, c.attnum) AND f.prosrc <> 'aggregate_dummy'),
      'filled', generated <> '' OR (identity = '' AND CASE WHEN missing IS NULL
        THEN value IS NULL AND NOT required ELSE value IN (missing, quote_literal(missing))
        OR position(quote_literal(missing) || '::' IN value) = 1
        OR (value, missing) IN (('true', 't'), ('false', 'f')) END)))
    FROM cols c WHERE c.oid = t.oid),
  'guards', (SELECT json_agg(json_build_object('key', g.key, 'name', quote_ident(g.name),
      'inherited', g.inherited, 'def', g.def, 'same', g.same, 'said', coalesce(w.said, g.def), 'removal', w.removal,
      'again', w.again) ORDER BY g.name)
    FROM guards g LEFT JOIN ways w ON w.leaf = g.index WHERE g.oid = t.oid),
  'types', (SELECT json_object_agg(i.name, i.def) FROM kinds i WHERE i.oid IN (SELECT r.typ
    FROM reach r JOIN cols c ON c.atttypid = r.root WHERE c.oid = t.oid)),
  'alarms', (SELECT json_agg(json_build_object('what', what, 'name', name, 'enabled', enabled,
      'rewrites', rewrites, 'acts', acts, 'def', def) ORDER BY what, name) FROM alarms a WHERE a.oid = t.oid))
FROM t LEFT JOIN keys k ON k.oid = t.oid LEFT JOIN family f ON f.oid = t.oid
