-- large_objects_begin - what a chunk of large objects is put into on its way, for one transaction.
CREATE TEMP TABLE bm_about (loid oid, owner text, comment text, has_acl boolean,
  grantors text[], grantees text[], privileges text[], grantables boolean[],
  providers text[], labels text[]) ON COMMIT DROP;
CREATE TEMP TABLE bm_page (loid oid, at bigint, data bytea) ON COMMIT DROP;
CREATE TEMP TABLE bm_told (what text) ON COMMIT DROP;
CREATE TEMP TABLE bm_renamed (here text, there text) ON COMMIT DROP;
CREATE TEMP TABLE bm_rules (drop_owners boolean, drop_grants boolean) ON COMMIT DROP;
