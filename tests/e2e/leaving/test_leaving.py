"""Story: a migration is taken out of both databases from the pod, and the catalogs show no trace."""

import pytest
from support import compare, samples
from support.declared import wait_live, yaml
from support.leaving import dump
from support.traffic import marker

pytestmark = [pytest.mark.timeout(600), pytest.mark.k8s]

# What a database has, by name, beside what PostgreSQL itself made.
CATALOG = """
    SELECT 'schema', nspname::text, '' FROM pg_namespace WHERE nspname !~ '^pg_' UNION ALL
    SELECT 'relation', oid::regclass::text, relkind::text || relpersistence::text || relreplident::text
      FROM pg_class WHERE oid >= 16384 AND relnamespace NOT IN (99, 11) UNION ALL
    SELECT 'function', oid::regprocedure::text, md5(prosrc) FROM pg_proc WHERE oid >= 16384 UNION ALL
    SELECT 'trigger', tgrelid::regclass || '.' || tgname, tgenabled::text FROM pg_trigger
      WHERE NOT tgisinternal UNION ALL
    SELECT 'event trigger', evtname::text, evtenabled::text FROM pg_event_trigger UNION ALL
    SELECT 'extension', extname::text, extversion FROM pg_extension UNION ALL
    SELECT 'constraint', conrelid::regclass || '.' || conname, contype::text FROM pg_constraint
      WHERE oid >= 16384 UNION ALL
    SELECT 'setting', setdatabase::text || setrole::text, setconfig::text FROM pg_db_role_setting UNION ALL
    SELECT 'role', rolname::text, '' FROM pg_roles WHERE oid >= 16384 UNION ALL
    SELECT 'publication', pubname::text, '' FROM pg_publication UNION ALL
    SELECT 'slot', slot_name::text, '' FROM pg_replication_slots ORDER BY 1, 2, 3"""


def test_the_readmes_uninstall_leaves_both_databases_as_a_plain_copy_would(shared_k8s_stage):
    sample = samples.best()
    source, dest = shared_k8s_stage.pair(sample)
    before = dump(source, sample), source.sql(CATALOG, dbname=sample)
    machine = shared_k8s_stage.machine(source, dest).wait_ready()
    machine.write_config(yaml(source, dest, sample, extra="    direction: both\n"))
    wait_live(machine)
    marker(source, dest, sample, sample, seconds=60)
    assert source.sql(CATALOG, dbname=sample) != before[1]

    result = machine.cli("teardown", "app", "--yes", seconds=120)
    assert result.code == 0, result.output
    for side in ("source", "destination"):
        assert f"nothing of ours is left on the {side}" in result.output, result.output

    assert (dump(source, sample), source.sql(CATALOG, dbname=sample)) == before
    assert (dump(dest, sample), dest.sql(CATALOG, dbname=sample)) == before
    assert compare.differences(source, dest, sample, sequences=False) == []
    machine.kubectl("delete", f"po/{machine.pod}", "--force", "--grace-period=0").check()
    machine.wait_ready()
    assert "torn down" in machine.cli("status").check()
    assert (dump(source, sample), source.sql(CATALOG, dbname=sample)) == before
