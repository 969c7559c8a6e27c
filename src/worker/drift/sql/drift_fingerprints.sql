-- drift_fingerprints - name and fingerprint of each table, after drift_base. What has an alarm
-- differs from the other side's in any case, so that it is looked at.
SELECT t.name, md5(concat_ws(E'\x03', c.text, k.columns, g.text, y.text, f.parents, t.bound, a.text))
  || CASE WHEN c.generated THEN ' generated' ELSE '' END
FROM t
LEFT JOIN (SELECT oid, bool_or(generated <> '') AS generated, string_agg(concat_ws(E'\x01', attname,
    type, required, generated, identity, coll, CASE WHEN $2::boolean THEN same
    ELSE has_default::text END, (SELECT string_agg(m.name || m.def, ' ' ORDER BY m.name COLLATE "C")
      FROM makers m WHERE (m.oid, m.attnum) = (cols.oid, cols.attnum))), E'\x02' ORDER BY attname COLLATE "C") AS text
  FROM cols GROUP BY 1) c ON c.oid = t.oid
LEFT JOIN keys k ON k.oid = t.oid
LEFT JOIN (SELECT oid, string_agg(CASE WHEN $2::boolean THEN same ELSE name END, E'\x02'
    ORDER BY CASE WHEN $2::boolean THEN same ELSE name END COLLATE "C") AS text
  FROM guards WHERE NOT key GROUP BY 1) g ON g.oid = t.oid
LEFT JOIN (SELECT x.oid, string_agg(d.text, E'\x02' ORDER BY d.text COLLATE "C") AS text
  FROM (SELECT DISTINCT oid, atttypid FROM cols WHERE atttypid >= 16384) x
  JOIN (SELECT r.root, md5(string_agg(i.name || i.def, E'\x02' ORDER BY i.name COLLATE "C")) AS text
    FROM reach r JOIN (SELECT oid, name, regexp_replace(def::text,
      '"def" : "([^"\\]|\\.)*", ', '', 'g') AS def FROM kinds) i ON i.oid = r.typ
    GROUP BY 1) d ON d.root = x.atttypid GROUP BY 1) y ON y.oid = t.oid
LEFT JOIN family f ON f.oid = t.oid
LEFT JOIN (SELECT oid, $3::text || string_agg(concat_ws(' ', what, name, enabled, def), E'\x02'
    ORDER BY what, name COLLATE "C") AS text FROM alarms GROUP BY 1) a ON a.oid = t.oid
