-- traces_holders - whose transactions have locks on the tables that statement $1 names: a line of text.
SELECT string_agg(x.line, '; ' ORDER BY x.age DESC NULLS LAST) FROM (
  SELECT DISTINCT clock_timestamp() - a.xact_start AS age, CASE WHEN a.pid IS NULL
    THEN 'a prepared transaction (' || coalesce((SELECT string_agg(p.gid, ', ' ORDER BY p.prepared)
      FROM pg_prepared_xacts p WHERE p.database = current_database()), '?') || ')'
    ELSE format('pid %s, application ''%s'', %s for %s s: %s', a.pid, a.application_name, a.state,
      round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1),
      left(regexp_replace(a.query, '\s+', ' ', 'g'), 120)) END AS line
  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'relation' AND l.granted AND c.oid >= 16384
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND position(format('%I.%I', n.nspname, c.relname) IN $1) > 0
  ORDER BY 1 DESC NULLS LAST LIMIT 3) x
