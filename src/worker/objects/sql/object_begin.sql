-- object_begin - what is known of the large objects of this side, for the session: as they were when they
-- were the same on both sides, and as they are now.
CREATE TEMP TABLE IF NOT EXISTS bm_object_known (loid oid PRIMARY KEY, print text);
CREATE TEMP TABLE IF NOT EXISTS bm_object_now (loid oid PRIMARY KEY, print text);
