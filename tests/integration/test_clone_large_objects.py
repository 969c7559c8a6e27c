"""Large objects: bytes, owner, comment, grants and labels arrive as they are, or it is told."""

import pytest

from support import compare, declared
from support.clone import clone_of
from support.waiting import wait_for

ROLES = ("CREATE ROLE keeper; CREATE ROLE \"Ann O'Neil\"; CREATE ROLE \"do$machine$ \\\"; "
         "CREATE ROLE vault;")

# %I and %s of format(), the quotes of every kind, what a shell and what COPY hold for special.
COMMENTS = ["E'harmless\\x01 second half'", "E'tab\\tnew\\nline\\r\\\\. \\\\N \\\\'", "'it''s \"a\" scan'",
            "'$machine$ %s %I %% \\'", "E'\\x02\\x1f\\x7f\\u00e9\\U0001F600'", "'; DROP TABLE t; --'"]


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server in (source, dest):
        server.sql(ROLES)
    source.sql("CREATE ROLE gone")
    return source, dest, shared_workshop


def fill(server, dbname):
    comments = "".join(f"SELECT lo_create({100 + i}); COMMENT ON LARGE OBJECT {100 + i} IS {text};"
                       for i, text in enumerate(COMMENTS))
    server.psql(dbname, text="CREATE TABLE t (id integer PRIMARY KEY);" + comments + """
SELECT lo_from_bytea(1, '\\x00112233'), lo_create(2), lo_create(3), lo_create(4), lo_create(5);
ALTER LARGE OBJECT 1 OWNER TO "Ann O'Neil";
ALTER LARGE OBJECT 2 OWNER TO keeper;
ALTER LARGE OBJECT 4 OWNER TO "do$machine$ \\";
GRANT SELECT ON LARGE OBJECT 1 TO PUBLIC;
GRANT SELECT, UPDATE ON LARGE OBJECT 2 TO "Ann O'Neil" WITH GRANT OPTION;
SET ROLE "Ann O'Neil";
GRANT SELECT ON LARGE OBJECT 2 TO vault WITH GRANT OPTION;
SET ROLE vault;
GRANT SELECT ON LARGE OBJECT 2 TO "do$machine$ \\";
RESET ROLE;
REVOKE ALL ON LARGE OBJECT 3 FROM CURRENT_USER;
REVOKE ALL ON LARGE OBJECT 4 FROM "do$machine$ \\";
GRANT UPDATE ON LARGE OBJECT 4 TO vault;
SELECT lo_put(5, 5::bigint * 1024 * 1024 * 1024, 'beyond four gigabytes');
SELECT lo_put(5, 3000, 'a hole before');
""")


def about(server, dbname):
    """All that belongs to each object, the order of its grants left aside."""
    return server.sql(
        "SELECT m.oid, r.rolname, obj_description(m.oid, 'pg_largeobject'), m.lomacl IS NULL,"
        " (SELECT array_agg(DISTINCT concat_ws('|', g.rolname, coalesce(e.rolname, 'PUBLIC'),"
        "  x.privilege_type, x.is_grantable)) FROM aclexplode(m.lomacl) x"
        "  LEFT JOIN pg_roles g ON g.oid = x.grantor LEFT JOIN pg_roles e ON e.oid = x.grantee),"
        " (SELECT md5(string_agg(p.pageno || ':' || md5(p.data), ',' ORDER BY p.pageno))"
        "  FROM pg_largeobject p WHERE p.loid = m.oid)"
        " FROM pg_largeobject_metadata m JOIN pg_roles r ON r.oid = m.lomowner ORDER BY 1",
        dbname=dbname)


def test_owner_comment_and_grants_arrive_exactly(pair):
    clone = clone_of(pair, "exact")
    fill(clone.source, "exact")
    done = clone.must()
    assert about(clone.dest, "exact") == about(clone.source, "exact")
    # Nothing is said of them but how far they are, on a slow host.
    assert not [line for line in done.stdout.splitlines() if "large objects" in line and "%" not in line]
    assert compare.row_count(clone.dest, "exact") == 0


def test_what_the_destination_cannot_have_is_told(pair):
    clone = clone_of(pair, "lacking")
    clone.source.psql("lacking", text="""
SELECT lo_from_bytea(1, 'x'), lo_create(2), lo_create(3);
ALTER LARGE OBJECT 1 OWNER TO gone;
GRANT SELECT ON LARGE OBJECT 1 TO keeper;
GRANT SELECT ON LARGE OBJECT 2 TO gone WITH GRANT OPTION;
SET ROLE gone;
GRANT SELECT ON LARGE OBJECT 2 TO keeper;
RESET ROLE;
INSERT INTO pg_seclabel VALUES (3, 'pg_largeobject'::regclass, 0, 'selinux', 'system_u:x');
""")
    told = clone.must().stdout
    me = clone.dest.user
    assert f"large objects: owner gone is not on the destination: they belong to {me} there" in told
    assert "large objects: grants to gone left out, which is not on the destination" in told
    assert "large objects: what gone had granted is granted by the owner there" in told
    assert "large objects: security labels left out" in told
    rows = {row[0]: (row[1], row[4]) for row in about(clone.dest, "lacking")}
    assert rows[1] == (me, [f"{me}|{me}|SELECT|f", f"{me}|{me}|UPDATE|f",
                            f"{me}|keeper|SELECT|f"])
    assert f"{me}|keeper|SELECT|f" in rows[2][1]


def test_a_role_that_is_no_superuser_copies_them_and_is_told_what_it_lacks(pair):
    source, dest, _ = pair
    for server in (source, dest):
        server.sql("CREATE ROLE plain LOGIN CREATEDB PASSWORD 'secret-of-" + server.name + "'")
    clone = clone_of(pair, "modest", dest_user="plain")
    dest.sql("ALTER DATABASE modest OWNER TO plain")
    source.sql("GRANT CREATE ON SCHEMA public TO plain", dbname="modest")
    source.psql("modest", text="""
SET ROLE plain;
SELECT lo_from_bytea(1, decode(repeat('00ff', 1500000), 'hex')), lo_create(2);
SELECT lo_put(2, 3000000, 'after a hole');
COMMENT ON LARGE OBJECT 1 IS 'mine';
GRANT SELECT ON LARGE OBJECT 1 TO keeper WITH GRANT OPTION;
SET ROLE keeper;
GRANT SELECT ON LARGE OBJECT 1 TO vault;
""")
    with open(clone.pgpass, "a", encoding="utf-8") as out:
        out.write(f"{source.address}:{source.port}:*:plain:secret-of-source\n")
    done = clone.must(source=clone.conninfo(source, user="plain"))
    assert "large objects: what keeper had granted is granted by the owner there" in done.stdout
    query = ("SELECT oid, md5(lo_get(oid)), obj_description(oid, 'pg_largeobject') FROM"
             " pg_largeobject_metadata ORDER BY 1")
    assert dest.sql(query, dbname="modest") == source.sql(query, dbname="modest")


def test_a_declared_migration_keeps_them_too(pair):
    source, dest, workshop = pair
    source.create_database("told")
    dest.create_database("told")
    fill(source, "told")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(declared.yaml(source, dest, "told", extra="    run_until: copy\n"))
    machine.start()
    wait_for(lambda: (declared.view(machine) or {}).get("phase") == "index", 60, "rows are copied")
    assert about(dest, "told") == about(source, "told")
