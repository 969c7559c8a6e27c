-- failed_run - the newest failed run of sync $1, unless there was a good one since: its error as launch.pl
-- begins it; when it ended; and the sentence of the cause alone: without Bucardo's frame, and without
-- what the server says behind it (DETAIL, CONTEXT: rows are the users', and long).
SELECT t.text, r.ended, left(regexp_replace(regexp_replace(regexp_replace(t.text,
 '^SQLSTATE (.....) at .*?: DBD::Pg::.*? failed: ', 'SQLSTATE \1: '),
 '^(SQLSTATE .....: )[[:upper:]]+\s?:\s+', '\1'),
 '\s+([[:upper:]]{4,}\s?:\s\s|[[:upper:]]{4,} \d+: |at (-e|/\S+) line \d+).*$', ''), 500)
FROM bucardo.syncrun r, LATERAL (SELECT regexp_replace(replace(r.status, '\n', ' '),
 '^Failed : ', '') AS text) t WHERE r.sync = $1 AND r.lastbad AND r.ended IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM bucardo.syncrun g WHERE g.sync = $1
 AND (g.lastgood OR g.lastempty) AND g.ended > r.ended) ORDER BY r.ended DESC LIMIT 1
