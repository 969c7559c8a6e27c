-- history_read - The page as JSON: of migration $1 ('' the machine's own), from $2 to $3 (epoch), at most $4 rows; $5
-- is now. NULL: nothing was ever kept of this migration. Of the last day there are rows of 10 s, before that of 5 min;
-- where that is too many, the worst of several.
WITH range AS (SELECT b.base, b.base * greatest(1, ceil(($3::bigint - $2::bigint)::numeric / b.base / $4::int))::bigint AS step
	FROM (SELECT CASE WHEN $2::bigint >= $5::bigint - 90000 THEN 10 ELSE 300 END::bigint) AS b(base)),
raw AS (SELECT h.* FROM machine.history h
	WHERE h.migration = $1 AND h.at >= $2::bigint AND h.at <= $3::bigint
		AND h.step = CASE WHEN h.at >= ($5::bigint - 86400) / 300 * 300 THEN 10 ELSE 300 END),
thin AS (SELECT r.at - r.at % range.step AS at, max(r.lag) AS lag, max(r.backlog) AS backlog, max(r.applied) AS applied,
	max(r.copied) AS copied, min(r.verified) AS verified, max(r.differences) AS differences, avg(r.load) AS load
	FROM raw r, range GROUP BY 1),
capped AS (SELECT * FROM thin ORDER BY at DESC LIMIT $4::int),
eta AS (SELECT DISTINCT ON (r.at / greatest(60, ($3::bigint - $2::bigint) / 100)) r.at, r.predicted_end, r.phase
	FROM raw r WHERE r.predicted_end IS NOT NULL
	ORDER BY r.at / greatest(60, ($3::bigint - $2::bigint) / 100), r.at),
rule(kind, subject, pattern) AS (VALUES
	('start', 'machine', 'bucardo-machine % starts on volume %'),
	('config', 'config', 'configuration taken over%'),
	('recovery', 'bucardo', 'sync % stalled, lag %'),
	('recovery', 'bucardo', 'restarting Bucardo: %'),
	('config', NULL, 'its changed definition is taken over'),
	('pause', NULL, 'paused by %'),
	('resume', NULL, 'resumed by %'),
	('phase', NULL, '% begins'),
	('cutover', NULL, '%cutover number %'),
	('failback', NULL, '%failback number %')),
mark AS (SELECT extract(epoch FROM e.at)::bigint AS at, e.id, r.kind,
	left(CASE WHEN $1 = '' AND r.subject IS NULL THEN e.subject || ': ' ELSE '' END || e.text, 200) AS text
	FROM machine.event_log e, rule r
	WHERE e.at >= to_timestamp($2::bigint) AND e.at <= to_timestamp($3::bigint) AND e.text LIKE r.pattern
		AND CASE WHEN r.subject IS NOT NULL THEN e.subject = r.subject
			WHEN $1 = '' THEN e.subject NOT IN ('machine', 'config', 'bucardo', 'postgres', 'http', 'observe')
			ELSE e.subject = $1 END
	ORDER BY e.id DESC LIMIT 500)
SELECT json_build_object('migration', nullif($1, ''), 'step', range.step, 'from', $2::bigint, 'to', $3::bigint,
	'columns', json_build_array('time', 'lag_seconds', 'backlog_rows', 'applied_rows', 'copied_bytes',
		'verified_percent', 'differences', 'load'),
	'rows', coalesce((SELECT json_agg(json_build_array(c.at, round(c.lag::numeric, 3), c.backlog, c.applied, c.copied,
		round(c.verified::numeric, 2), c.differences, round(c.load::numeric, 1)) ORDER BY c.at) FROM capped c), '[]'),
	'marks', coalesce((SELECT json_agg(json_build_object('time', m.at, 'kind', m.kind, 'text', m.text) ORDER BY m.id)
		FROM mark m), '[]'),
	'eta', coalesce((SELECT json_agg(json_build_object('time', e.at, 'predicted_end', e.predicted_end, 'phase', e.phase)
		ORDER BY e.at) FROM eta e), '[]'))
	FROM range WHERE $1 = '' OR EXISTS (SELECT FROM machine.history h WHERE h.migration = $1)
