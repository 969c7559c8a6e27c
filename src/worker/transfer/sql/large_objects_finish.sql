-- large_objects_finish: what belongs to large objects besides their bytes. From bm_about, a row
-- an object, with the roles of the source mapped by bm_renamed; the rules are the row of
-- bm_rules. What cannot be as it is at the source goes to bm_told. Servers from 13 on.
DO $machine$
DECLARE
  o record; g record; rules record; holder name; outer_role text := current_setting('role');
  mine text := quote_ident(current_user); progress boolean; why text; i integer;
BEGIN
  SELECT * INTO STRICT rules FROM pg_temp.bm_rules;
  FOR o IN SELECT a.loid, a.comment, a.providers, a.labels, a.owner,
      coalesce(n.there, a.owner) AS wanted, r.oid IS NOT NULL AS is_there
      FROM pg_temp.bm_about a LEFT JOIN pg_temp.bm_renamed n ON n.here = a.owner
      LEFT JOIN pg_roles r ON r.rolname = coalesce(n.there, a.owner) ORDER BY a.loid LOOP
    IF o.comment IS NOT NULL THEN
      EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', o.loid, o.comment);
    END IF;
    FOR i IN 1 .. cardinality(o.providers) LOOP
      BEGIN
        EXECUTE format('SECURITY LABEL FOR %I ON LARGE OBJECT %s IS %L', o.providers[i], o.loid,
          o.labels[i]);
      EXCEPTION WHEN OTHERS THEN
        INSERT INTO pg_temp.bm_told VALUES ('security labels left out: ' || sqlerrm);
      END;
    END LOOP;
    IF rules.drop_owners OR o.wanted = current_user THEN
      CONTINUE;
    END IF;
    IF NOT o.is_there THEN
      INSERT INTO pg_temp.bm_told VALUES (format('owner %I is not on the destination: they belong '
        'to %s there', o.wanted, mine));
      CONTINUE;
    END IF;
    BEGIN
      EXECUTE format('ALTER LARGE OBJECT %s OWNER TO %I', o.loid, o.wanted);
    EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
      INSERT INTO pg_temp.bm_told VALUES (format('owner %I cannot be set (%s): they belong to %s '
        'there', o.wanted, sqlerrm, mine));
    END;
  END LOOP;
  IF rules.drop_grants THEN
    RETURN;
  END IF;
  -- What the owner has of itself is the owner's there too, whoever that is.
  CREATE TEMP TABLE bm_grant ON COMMIT DROP AS
    SELECT a.loid, w.privilege, w.grantable, h.rolname AS holder,
      w.grantor = a.owner AS by_owner, w.grantee IS NULL AS to_public,
      CASE WHEN w.grantor = a.owner THEN h.rolname ELSE coalesce(ng.there, w.grantor) END AS grantor,
      CASE WHEN w.grantee = a.owner THEN h.rolname ELSE coalesce(ne.there, w.grantee) END AS grantee,
      false AS done
    FROM pg_temp.bm_about a JOIN pg_largeobject_metadata m ON m.oid = a.loid
    JOIN pg_roles h ON h.oid = m.lomowner
    CROSS JOIN LATERAL unnest(a.grantors, a.grantees, a.privileges, a.grantables)
      w (grantor, grantee, privilege, grantable)
    LEFT JOIN pg_temp.bm_renamed ng ON ng.here = w.grantor
    LEFT JOIN pg_temp.bm_renamed ne ON ne.here = w.grantee
    WHERE a.has_acl;
  DELETE FROM pg_temp.bm_grant b WHERE NOT b.to_public
    AND NOT EXISTS (SELECT 1 FROM pg_roles r WHERE r.rolname = b.grantee);
  GET DIAGNOSTICS i = ROW_COUNT;
  IF i > 0 THEN
    INSERT INTO pg_temp.bm_told SELECT format('grants to %I left out, which is not on the '
      'destination', coalesce(n.there, e.grantee)) FROM pg_temp.bm_about a
      CROSS JOIN LATERAL unnest(a.grantees) e (grantee)
      LEFT JOIN pg_temp.bm_renamed n ON n.here = e.grantee
      WHERE a.has_acl AND e.grantee IS NOT NULL AND e.grantee <> a.owner AND NOT EXISTS (SELECT 1
        FROM pg_roles r WHERE r.rolname = coalesce(n.there, e.grantee));
  END IF;
  -- Where default privileges, or an owner's own, give more than the source has.
  FOR g IN SELECT DISTINCT m.oid AS loid, x.grantee = 0 AS to_public, r.rolname AS grantee
      FROM pg_temp.bm_about a JOIN pg_largeobject_metadata m ON m.oid = a.loid
      CROSS JOIN LATERAL aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) x
      LEFT JOIN pg_roles r ON r.oid = x.grantee WHERE a.has_acl LOOP
    BEGIN
      EXECUTE format('REVOKE ALL ON LARGE OBJECT %s FROM %s', g.loid,
        CASE WHEN g.to_public THEN 'PUBLIC' ELSE quote_ident(g.grantee) END);
    EXCEPTION WHEN insufficient_privilege THEN
      INSERT INTO pg_temp.bm_told VALUES ('grants stay as they are by default: ' || sqlerrm);
    END;
  END LOOP;
  -- By whom the source says they were given; who was given the right to give comes first.
  LOOP
    progress := false;
    FOR g IN SELECT b.ctid AS at, b.* FROM pg_temp.bm_grant b WHERE NOT b.done
        AND (b.by_owner OR EXISTS (SELECT 1 FROM pg_roles r WHERE r.rolname = b.grantor))
        ORDER BY b.loid, b.by_owner DESC LOOP
      BEGIN
        IF NOT g.by_owner THEN
          PERFORM set_config('role', g.grantor, true);
        END IF;
        EXECUTE format('GRANT %s ON LARGE OBJECT %s TO %s%s', g.privilege, g.loid,
          CASE WHEN g.to_public THEN 'PUBLIC' ELSE quote_ident(g.grantee) END,
          CASE WHEN g.grantable THEN ' WITH GRANT OPTION' ELSE '' END);
        PERFORM set_config('role', outer_role, true);
        -- A role that may not give is only warned.
        IF EXISTS (SELECT 1 FROM pg_largeobject_metadata m CROSS JOIN LATERAL aclexplode(m.lomacl) x
            LEFT JOIN pg_roles e ON e.oid = x.grantee JOIN pg_roles r ON r.oid = x.grantor
            WHERE m.oid = g.loid AND x.privilege_type = g.privilege AND r.rolname = g.grantor
            AND CASE WHEN g.to_public THEN x.grantee = 0 ELSE e.rolname = g.grantee END
            AND x.is_grantable = g.grantable) THEN
          UPDATE pg_temp.bm_grant SET done = true WHERE ctid = g.at;
          progress := true;
        END IF;
      EXCEPTION WHEN insufficient_privilege OR undefined_object OR invalid_grant_operation
          OR invalid_parameter_value THEN
        why := sqlerrm;
      END;
    END LOOP;
    EXIT WHEN NOT progress;
  END LOOP;
  FOR g IN SELECT b.* FROM pg_temp.bm_grant b WHERE NOT b.done LOOP
    BEGIN
      EXECUTE format('GRANT %s ON LARGE OBJECT %s TO %s%s', g.privilege, g.loid,
        CASE WHEN g.to_public THEN 'PUBLIC' ELSE quote_ident(g.grantee) END,
        CASE WHEN g.grantable THEN ' WITH GRANT OPTION' ELSE '' END);
      INSERT INTO pg_temp.bm_told VALUES (format('what %I had granted is granted by the owner '
        'there', g.grantor));
    EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
      INSERT INTO pg_temp.bm_told VALUES (format('grants to %s left out: %s',
        CASE WHEN g.to_public THEN 'PUBLIC' ELSE quote_ident(g.grantee) END, sqlerrm));
    END;
  END LOOP;
END $machine$;
