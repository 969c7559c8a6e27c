-- prune_runs - of the runs of each sync the newest $1 stay, at most $2 others go at once. The newest row
-- of each kind carries a flag that `bucardo status` looks for. What goes is summed up in one row, the
-- oldest of its sync, in the same statement: sums over syncrun never fall. That row alone is no reason
-- to prune.
WITH gone AS (DELETE FROM bucardo.syncrun WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM (SELECT ctid, ended, lastgood OR lastbad OR lastempty AS kept,
      row_number() OVER (PARTITION BY sync ORDER BY started DESC) AS n,
      count(*) OVER (PARTITION BY sync) AS total FROM bucardo.syncrun) r
    WHERE n > $1::bigint AND total > $1::bigint + 1 AND ended IS NOT NULL AND NOT kept
    LIMIT $2::bigint)) RETURNING *)
INSERT INTO bucardo.syncrun (sync, status, started, ended, truncates, deletes, inserts, conflicts)
  SELECT sync, 'Older runs, summed up (bucardo-machine)', min(started), max(ended),
    least(sum(truncates), 2147483647), sum(deletes), sum(inserts), sum(conflicts)
  FROM gone GROUP BY sync
