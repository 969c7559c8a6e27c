-- machine_state - all that this side remembers of a migration, and what it is now; NULL: nothing.
CREATE OR REPLACE FUNCTION bucardo.machine_state(my_migration text) RETURNS json
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $machine$
  SELECT json_build_object('owner', o.owner, 'host', o.host, 'since',
      to_char(o.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'age_msec',
      floor(extract(epoch FROM clock_timestamp() - b.seen) * 1000)::bigint, 'identity', o.identity,
      'identity_now', bucardo.machine_identity(), 'timeline', o.timeline, 'timeline_now',
      bucardo.machine_timeline(), 'stopped', o.stopped, 'pass', b.pass, 'nonce', b.nonce, 'before',
      b.before, 'runs', coalesce((SELECT json_object_agg(r.sync, json_build_object('run', r.run,
        'nonce', r.nonce)) FROM bucardo.machine_runs r WHERE r.migration = o.migration), '{}'))
    FROM bucardo.machine_owners o JOIN bucardo.machine_beats b USING (migration)
    WHERE o.migration = my_migration
$machine$
