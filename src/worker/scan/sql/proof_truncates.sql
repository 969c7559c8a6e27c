-- proof_truncates - the truncates of a table ($1 schema, $2 name) that the source knows of
SELECT concat_ws(',', count(*), max(cdate)) FROM bucardo.bucardo_truncate_trigger WHERE sname = $1 AND tname = $2
