-- teardown_hold - who of Bucardo holds the syncs of migration $1 still: how many are active, how many
-- sessions work for them, and whether there is a master that would end those.
SELECT count(*) FILTER (WHERE s.status <> 'inactive'),
  coalesce(sum((SELECT count(*) FROM pg_stat_activity a WHERE a.datname = current_database()
    AND starts_with(a.application_name, 'bucardo KID (' || s.name || ')'))), 0),
  (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = current_database()
    AND starts_with(a.application_name, 'bucardo MCP'))
FROM bucardo.sync s WHERE s.name ~ ('^' || $1 || '_sync(_[2-8])?$')
