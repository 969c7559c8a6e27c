"""What only a person can fix is reported with cause and fix, and not fought (story 6)."""

import pytest
from support import compare
from support.traffic import marker
from support.waiting import wait_for


def a_lock_on_the_destination_is_reported_with_its_holder_and_not_fought(parts):
    machine, source, dest, dbname = parts
    master, restarts = machine.one("mcp"), machine.unit("bucardo")["restarts"]
    holder = dest.connect(dbname, autocommit=False)
    try:
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLE product IN ACCESS EXCLUSIVE MODE")
        source.sql("UPDATE product SET price = price + 1", dbname=dbname)
        sync = machine.wait_health("blocked", 45)
        assert sync["blocker"]["pid"] == holder.get_backend_pid()
        assert "LOCK TABLE product" in sync["blocker"]["query"]
        assert sync["blocker"]["database"] == "MyDestDB"
        assert "LOCK TABLE product" in machine.cli("status").output
        # Longer than stalled_after: a machine that mistook this for a stall would act by now.
        with pytest.raises(AssertionError):
            machine.wait_health(("stalled", "unreachable", "failing", "stopped"), 30)
        assert machine.find("mcp") == [master] and machine.unit("bucardo")["restarts"] == restarts
    finally:
        holder.close()
    machine.wait_health("idle", 45)
    compare.wait_equal(source, dest, dbname)


def a_column_added_on_the_source_only_is_reported_with_the_hint(parts):
    machine, source, dest, dbname = parts
    add = "ALTER TABLE product ADD COLUMN colour text DEFAULT 'grey'"
    source.sql(add, dbname=dbname)
    source.sql("UPDATE product SET colour = 'red' WHERE product_id < 50", dbname=dbname)
    mark = machine.log_size()
    sync = machine.wait_health("failing", 60)
    assert "product" in sync["bad_text"] + sync["why"], "the table is not named"
    assert sync["advice"], "no fix is given"
    assert "line 1:" not in sync["why"], "a row of the user's is in the reason"
    assert machine.cli("health", "ready").code != 0
    # It is tried again every two seconds; that is no news each time.
    wait_for(lambda: int(machine.control_sql("SELECT count(*) FROM bucardo.syncrun "
                                             "WHERE status LIKE 'Failed%'")[0]) >= 5,
             60, "it failed again and again")
    assert machine.log()[mark:].count("Kid has died, error is") <= 2
    dest.sql(add, dbname=dbname)
    marker(source, dest, dbname, dbname, 90)
    compare.wait_equal(source, dest, dbname)
    machine.wait_ready(60)
