"""Bucardo's source is changed as it is read; one that it does not know is refused, by name."""

import os
import re
import subprocess
import time

import pytest
from support import declared
from support.users import give
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

STOCK = "/usr/share/perl5/Bucardo.pm"
FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "src", "daemon", "bucardo")

# What another version might say there: (the name that is told, a place, what stands there instead)
PLACES = [
    ("the question which tables have changes", "'SELECT * FROM bucardo.bucardo_delta_check(?,?)'",
     "'SELECT * FROM bucardo.bucardo_delta_check(?,?,?)'"),
    ("the columns that are applied to a source", "## Got a new name match", "## A match"),
    ("staging what was applied", "$d->{trackstage} = ($numsources > 1 and exists $deltabin{$dbname}) ? 1 : 0;",
     "$d->{trackstage} = $numsources > 1 ? 1 : 0;"),
    ("the name of a stage table", "s/$g->{tracktable}/$g->{stagetable}/", "s/track_/stage_/"),
    ("emptying a stage table", '"DELETE FROM bucardo.$g->{stagetable}"', '"TRUNCATE bucardo.$g->{stagetable}"'),
    ("marking what was applied", 'SELECT * FROM bucardo.$g->{stagetable}"',
     'SELECT DISTINCT * FROM bucardo.$g->{stagetable}"'),
    ("the first word once all are committed", "next if ! $d->{trackstage};", "next unless $d->{trackstage};"),
    ("marking the truncates as done", "SET replicated = now() WHERE sync = ?",
     "SET replicated = clock_timestamp() WHERE sync = ?"),
    ("a KID that is missed", "PID file missing", "no PID file"),
    ("enable_triggers", "\nsub enable_triggers {", "\nsub enable_all_triggers {"),
    ("deleting rows by a key of one column", "WHERE $pkcols = ANY(?)", "WHERE $pkcols IN (?)"),
    ("deleting rows by a key of several columns", "'%sDELETE FROM %s WHERE (%s) IN ('",
     "'%sDELETE FROM ONLY %s WHERE (%s) IN ('"),
    ("the values of a key of several columns", "map { s/\\'/''/go; s{\\\\}{\\\\\\\\}; qq{'$_'}; } split",
     "map { literal($_) } split"),
    ("copying rows by a few keys", '" WHERE $Table->{pklist} = ANY(?)"', '" WHERE 1=1"'),
    ("copying rows by many keys", "'%s%sCOPY (%s FROM ONLY %s WHERE %s IN (%s)) TO STDOUT%s'",
     "'%s%sCOPY (%s FROM %s WHERE %s IN (%s)) TO STDOUT%s'"),
    ("emptying the tables that were truncated", "$self->truncate_table($d, $g, $do_cascade);",
     "$self->truncate_tables($d, $goatlist);"),
    ("noting which tables were truncated", "$g->{truncatewinner} = $self->{truncateinfo}{$S}{$T}{maxdb};",
     "$g->{truncated} = 1;"),
    ("telling CTLs and KIDs to leave", "$self->signal_pid_files('kid');", "$self->signal_kids();"),
    ("waiting for CTLs and KIDs to leave", "sleep 0.5;\n\n    $self->terminate_old_goats();",
     "sleep 1;\n\n    $self->terminate_old_goats();"),
    ("the parent's wait after a fork", "sleep 0.1;", "sleep 0.2;"),
    ("a new CTL's wait", "sleep 0.05;", "sleep 0.06;"),
    ("validating a sync", "validate_sync('$syncname')\");", "validate_sync('$syncname', 1)\");"),
    ("the start of the VAC", "if ($config{bucardo_vac} and $self->{needsvac}) {", "if ($self->wants_vac) {"),
    ("the names of the columns", "$sth = $saved_sourcedbh->prepare(", "$sth = $saved_sourcedbh->column_info("),
    ("the search_path of a session", "$dbh->do('RESET search_path');", "$dbh->do('RESET ALL');"),
    ("delete_rows", "\nsub delete_rows {", "\nsub delete_all_rows {"),
]


def altered(old, new):
    with open(STOCK, encoding="utf-8") as stock:
        text = stock.read()
    assert old in text
    return text.replace(old, new).replace("$VERSION = '5.6.0'", "$VERSION = '5.7.1'")


def put(folder, text):
    path = os.path.join(folder, "Bucardo.pm")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    give(path)
    return path


def launcher():
    parts = []
    for name in ("apply.pl", "serve.pl", "launch.pl"):
        with open(os.path.join(FOLDER, name), encoding="utf-8") as source:
            parts.append(re.sub(r"(?m)^--.*\n", "", source.read()))
    return "".join(parts)


@pytest.mark.parametrize("name, old, new", PLACES, ids=[p[0] for p in PLACES])
def test_a_bucardo_in_which_one_change_finds_no_place_is_refused_with_its_name(tmp_path, name, old,
                                                                               new):
    path = put(tmp_path, altered(old, new))
    done = subprocess.run(["perl", "-e", launcher(), "/nowhere"], capture_output=True, text=True,
                          check=False, timeout=30, env={**os.environ, "PERL5LIB": str(tmp_path)})
    assert done.returncode == 78, done.stderr
    assert "cannot run this Bucardo" in done.stderr
    assert "version 5.7.1" in done.stderr and path in done.stderr and name in done.stderr
    others = [other for other, *_ in PLACES[:-1] if other != name]
    assert not any(other in done.stderr for other in others)


def test_a_place_that_is_there_twice_is_refused_too(tmp_path):
    old = PLACES[0][1]
    put(tmp_path, altered(old, f"{old} . {old}"))
    done = subprocess.run(["perl", "-e", launcher(), "/nowhere"], capture_output=True, text=True,
                          check=False, timeout=30, env={**os.environ, "PERL5LIB": str(tmp_path)})
    assert done.returncode == 78 and PLACES[0][0] in done.stderr


# In place of the last statement of the launcher; tells how long a reload sleeps after that many were told to leave.
RELOAD = """
    my @slept; my $told;
    *Bucardo::sleep = sub (;@) { push @slept, $_[0] };
    *Bucardo::signal_pid_files = sub { $told };
    *Bucardo::served = sub { };
    no strict 'refs';
    *{"Bucardo::$_"} = sub { {} } for qw(get_syncs restore_syncs terminate_old_goats glog);
    *Bucardo::reset_mcp_listeners = sub { };
    package Nothing { our $AUTOLOAD; sub AUTOLOAD { $AUTOLOAD =~ /prepare$/ ? bless({}, 'Nothing') : 0 } }
    for (0, 2, 0) {
        $told = $_; @slept = ();
        (bless {masterdbh => bless({}, 'Nothing'), sdb => {}, extraname => ''}, 'Bucardo')->reload_mcp;
        print "[@slept]";
    }
"""


def test_the_master_waits_for_ctls_and_kids_only_where_there_are_any():
    script = launcher().rsplit("Bucardo->new(", 1)[0] + RELOAD
    done = subprocess.run(["perl", "-e", script, "/nowhere"], capture_output=True, text=True, check=False, timeout=30)
    assert (done.stdout, done.stderr) == ("[][0.5][]", "")


def test_what_the_master_leaves_out_custom_code_may_load():
    script = launcher().rsplit("Bucardo->new(", 1)[0] + """
        print defined &Net::SMTP::new ? 'loaded' : 'left out', "\n";
        require Net::SMTP; require Sys::Syslog; package Code { Sys::Syslog->import('setlogmask') }
        print "$_\n" for ref \\&Code::setlogmask, Net::SMTP->can('new') ? 'loaded' : 'not', Code::setlogmask(0) > 0;
    """
    done = subprocess.run(["perl", "-e", script, "/nowhere"], capture_output=True, text=True, check=False, timeout=30)
    assert (done.stdout, done.stderr) == ("left out\nCODE\nloaded\n1\n", "")


def test_the_machine_holds_and_says_so_until_a_bucardo_that_it_knows_is_there(workshop):
    name, old, new = PLACES[2]
    folder = os.path.join(workshop.folder, "perl")
    os.makedirs(folder, mode=0o755)
    path = put(folder, altered(old, new))
    machine = workshop.machine(env={"PERL5LIB": folder})
    machine.write_pgpass()
    machine.start()
    status = wait_for(lambda: (lambda s: s if s["state"] == "holding" else None)(
        machine.status_json()), 60, "the machine holds")
    assert "version 5.7.1" in status["why"] and name in status["why"]
    assert "5.6.0" in status["advice"]
    assert name in machine.cli("events").check()
    os.unlink(path)
    machine.cli("service", "restart", "bucardo").check()
    machine.wait_ready(60)


def test_a_kid_that_is_slow_to_begin_is_not_given_a_second_one_beside_it(workshop):
    with open(STOCK, encoding="utf-8") as stock:
        text = stock.read()
    born = '$0 = qq{Bucardo Kid.$self->{extraname} Sync "$syncname"};'
    assert text.count(born) == 1
    folder = os.path.join(workshop.folder, "perl")
    os.makedirs(folder, mode=0o755)
    put(folder, text.replace(born, f"sleep 4; {born}"))
    source, dest, dbname = workshop.server("source"), workshop.server("dest"), "slow"
    for server in (source, dest):
        server.create_database(dbname)
    source.sql("CREATE TABLE t (id int PRIMARY KEY)", dbname=dbname)
    machine = workshop.machine(env={"PERL5LIB": folder})
    machine.write_pgpass(source, dest)
    machine.write_config(declared.yaml(source, dest, dbname))
    machine.start()
    declared.wait_live(machine)
    for key in (1, 2, 3):  # the second one would come half a second after the first
        source.sql("INSERT INTO t VALUES (%s)", (key,), dbname=dbname)
        wait_for(lambda k=key: dest.value("SELECT count(*) FROM t", dbname=dbname) == k, 30, "the row arrives")
    assert machine.log().count("New kid, sync") == 1


@pytest.fixture(scope="module")
def world(shared_workshop):
    machine, _, dest, dbname = shared_workshop.replicating()
    machine.wait_ready(60)
    return machine, dest, dbname


@pytest.fixture
def machine(world):
    return world[0]


def test_no_word_is_lost_while_the_master_reads_its_syncs_anew(machine):
    words = [f"word{number}" for number in range(600)]
    # The master answers a kick of a sync that it does not know; psql tells what it has heard.
    lines = [f"LISTEN bucardo_syncerror_{word};" for word in words]
    for number, word in enumerate(words):
        if number % 100 == 0:
            lines.append("NOTIFY bucardo, 'mcp_reload'; NOTIFY bucardo_mcp_reload;")
        lines.append(f"NOTIFY bucardo, 'kick_sync_{word}'; SELECT pg_sleep(0.003);")
    lines += ["SELECT pg_sleep(1);"] * 20
    script = os.path.join(machine.folder, "words.sql")
    with open(script, "w", encoding="ascii") as out:
        out.write("\n".join(lines))
    os.chmod(script, 0o644)
    heard = machine.shell(f"psql -XqAt -h '{machine.runtime}' -d bucardo -U bucardo -f {script}").check()
    answered = set(re.findall(r"bucardo_syncerror_(word[0-9]+)", heard))
    assert len(re.findall("Reloading MCP", machine.log())) >= 2
    assert set(words) - answered == set()


def masters_sessions(machine):
    return machine.control_sql("SELECT pid FROM pg_stat_activity WHERE datname = 'bucardo'"
                               " AND application_name LIKE 'bucardo MCP%'")


def is_loaded(pid, library):
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as file:
        return library in file.read()


def a_table(server, dbname):
    return server.value("SELECT min(relid::regclass::text) FROM pg_stat_user_tables WHERE schemaname = 'public'", dbname=dbname)


def test_no_session_of_the_master_keeps_an_interpreter_and_no_process_what_it_never_uses(world):
    machine, dest, dbname = world
    sync = machine.control_sql("SELECT name FROM sync LIMIT 1")[0]
    table = a_table(dest, dbname)
    dest.sql(f"ALTER TABLE {table} RENAME TO other", dbname=dbname)
    machine.shell("bucardo reload").check()
    wait_for(lambda: "Error from validate_sync" in machine.log(), 30, "it is not sound")
    dest.sql(f"ALTER TABLE other RENAME TO {table}", dbname=dbname)
    machine.shell("bucardo reload").check()
    machine.one("kid", 60)
    session, = masters_sessions(machine)
    assert not is_loaded(session, "plperl") and is_loaded(session, "postgres")
    assert not is_loaded(machine.one("mcp"), "Syslog.so") and is_loaded(machine.one("mcp"), "Pg.so")
    # One sync alone is validated in a session of its own as well.
    machine.shell(f"bucardo deactivate {sync}").check()
    machine.shell(f"bucardo activate {sync} 30").check()
    machine.one("kid", 30)
    assert masters_sessions(machine) == [session]


def test_a_sync_that_cannot_be_validated_is_in_the_headline_at_once(workshop):
    machine, _, dest, dbname = workshop.replicating()
    machine.wait_ready(60)
    table = a_table(dest, dbname)
    dest.sql(f"ALTER TABLE {table} RENAME TO other", dbname=dbname)
    machine.shell("bucardo reload").check()
    wait_for(lambda: "Bucardo cannot begin with it" in machine.status_json()["why"], 8, "the headline says so",
             explain=lambda: machine.status_json()["why"])
    now = machine.status_json()
    assert not now["ready"] and f'Could not find "{table}"' in now["why"]
    dest.sql(f"ALTER TABLE other RENAME TO {table}", dbname=dbname)
    machine.wait_ready(30)


@pytest.mark.parametrize("verbs", [("deactivate", "activate"), ("activate", "deactivate")])
def test_of_words_that_come_at_once_the_later_counts(machine, verbs):
    sync = machine.control_sql("SELECT name FROM sync LIMIT 1")[0]
    # What the test before it has asked for is done.
    wait_for(lambda: machine.sync(sync)["health"] == "idle" and machine.find("kid"), 30, "it is served", explain=machine.log_tail)
    controller, before = machine.one("ctl", 30), machine.log_size()
    machine.control_sql("BEGIN; " + "".join(f"NOTIFY bucardo, '{verb}_sync_{sync}';" for verb in verbs) + "COMMIT")
    status = f"SELECT status FROM sync WHERE name = '{sync}'"
    wait_for(lambda: re.search("Sent kill USR1 to CTL process|is already deactivated", machine.log()[before:]), 20,
             "it is switched off")
    if verbs[1] == "activate":
        wait_for(lambda: machine.find("ctl") not in ([], [controller]), 20, "it has another controller")
        assert machine.control_sql(status) == ["active"]
    else:
        wait_for(lambda: machine.control_sql(status) == ["inactive"], 20, "it is off")
        machine.shell(f"bucardo activate {sync} 30").check()
    assert "is told again" not in machine.log()[before:], machine.log_tail()
    machine.one("kid", 30)


def test_many_syncs_with_long_names_are_all_served_before_it_counts_as_ready(machine):
    """The master's title, which names them, is cut at 256 bytes."""
    group, dbs = machine.control_sql("SELECT herd || ' ' || dbs FROM sync LIMIT 1")[0].split()
    names = [f"a_sync_with_a_name_that_fills_the_title_of_the_master_{n}" for n in range(5)]
    for name in names:
        machine.shell(f"bucardo add sync {name} relgroup={group} dbs={dbs} autokick=0").check()
    before = len(machine.log())
    machine.cli("service", "restart", "bucardo").check()
    wait_for(lambda: "entered its main loop" in machine.log()[before:], 60, "its main loop")
    began = time.monotonic()
    machine.wait_ready(60)
    assert time.monotonic() - began < 12
    assert len(machine.find("ctl")) == 6
