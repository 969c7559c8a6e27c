-- history_attempts - Attempts of a cut-over that ended, from the events, kept for longer than those; and of all that
-- are kept, as JSON, how many there are of each migration, direction, mode, result and step, and how long writers waited
-- at those that were done.
WITH said AS (SELECT e.id, e.subject, e.text,
	regexp_match(e.text, '^(cutover|failback) number (\d+) (is done|was rehearsed|was not done)') AS words
	FROM machine.event_log e WHERE e.id > coalesce((SELECT max(id) FROM machine.history_attempt), 0)),
more AS (INSERT INTO machine.history_attempt (id, migration, direction, mode, result, step, froze)
	SELECT s.id, s.subject, s.words[1],
		CASE WHEN s.words[3] = 'was rehearsed' OR EXISTS (SELECT FROM machine.event_log b
			WHERE b.subject = s.subject AND b.id BETWEEN s.id - 86400000 AND s.id
				AND starts_with(b.text, 'rehearsal of ' || s.words[1] || ' number ' || s.words[2] || ','))
			THEN 'rehearse' ELSE 'run' END,
		CASE s.words[3] WHEN 'is done' THEN 'done' WHEN 'was rehearsed' THEN 'rehearsed'
			ELSE CASE WHEN s.text LIKE '%aborted in step %' THEN 'aborted' ELSE 'not_ready' END END,
		coalesce(substring(s.text FROM 'aborted in step ''([^'']*)'''), ''),
		substring(s.text FROM 'waited (\d+) ms')::real / 1000
	FROM said s WHERE s.words IS NOT NULL ON CONFLICT (id) DO NOTHING RETURNING *),
attempt AS (SELECT * FROM machine.history_attempt UNION ALL SELECT * FROM more)
SELECT json_build_object('attempts', coalesce((SELECT json_agg(row_to_json(c)) FROM (
		SELECT migration, direction, mode, result, step, count(*) AS count FROM attempt
			GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5) c), '[]'),
	'freezes', coalesce((SELECT json_agg(row_to_json(f)) FROM (
		SELECT a.migration, a.direction, count(*) AS count, round(sum(a.froze)::numeric, 3) AS sum,
			(SELECT json_agg(json_build_array(le.n, (SELECT count(*) FROM attempt b
					WHERE b.migration = a.migration AND b.direction = a.direction
						AND b.result = 'done' AND b.froze <= le.n::real)) ORDER BY le.n)
				FROM (VALUES (0.1), (0.25), (0.5), (1), (2.5), (5), (10), (30), (60)) AS le(n)) AS buckets
			FROM attempt a WHERE a.result = 'done' AND a.froze IS NOT NULL
			GROUP BY 1, 2 ORDER BY 1, 2) f), '[]'))
