"""The image's own `bucardo` and `pg_dump`: they stand before the real ones and change little."""

import os
import subprocess

import pytest

BIN = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../image/usr/local/bin"))
PERL = os.path.abspath(os.path.join(BIN, "../lib/site_perl"))


@pytest.fixture(name="typed")
def _typed(tmp_path):
    """A shell whose PATH has the image's programs first, then stand-ins of the real ones."""
    def stand_in(name, script):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    stand_in("bucardo-machine", '[ "$*" = "health ready" ] && echo "not ready: one side is away"\nexit 1\n')
    stand_in("bucardo", 'printf "[%s]" "$@"; echo; echo "<$PGOPTIONS>"; exit 7\n')

    def run(script, **env):
        keep = {name: text for name, text in os.environ.items() if name != "PGOPTIONS"}
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=20,
                              env={**keep, "PATH": f"{BIN}:{tmp_path}:/usr/bin:/bin", "PERL5LIB": PERL, **env})

    run.stand_in = stand_in
    return run


def test_bucardo_status_says_first_how_the_machine_is_and_prints_what_bucardo_prints(typed):
    done = typed("bucardo --verbose status 'a  b'")
    assert done.stdout.splitlines()[0] == "[--verbose][status][a  b]"
    assert done.returncode == 7
    assert done.stderr == "machine: not ready: one side is away (bucardo-machine status says more)\n"
    assert typed("bucardo list dbs").stderr == ""


def test_bucardo_typed_by_hand_finds_names_in_pg_catalog_alone(typed):
    assert "<-c search_path=pg_catalog,pg_temp>" in typed("bucardo add db x").stdout
    assert "<-c search_path=pg_catalog,pg_temp -c work_mem=1MB>" in typed(
        "bucardo list dbs", PGOPTIONS="-c work_mem=1MB").stdout
    assert "<-c search_path=mine>" in typed("bucardo list dbs", PGOPTIONS="-c search_path=mine").stdout
    assert "<>" in typed("bucardo start").stdout, "a daemon's sessions are not a person's"


def test_a_plain_dump_to_stdout_has_no_setting_that_an_older_server_refuses(typed):
    typed.stand_in("pg_dump", "printf '%s\\n' '-- head' 'SET transaction_timeout = 0;' "
                   "'SET row_security = off;' 'SET transaction_timeout = 0;' 'last \\x'; exit 3\n")
    done = typed("pg_dump --schema-only")
    assert done.stdout == "-- head\nSET row_security = off;\nSET transaction_timeout = 0;\nlast \\x\n"
    assert done.returncode == 3
    for whole in ("-Fc", "--format=custom", "-f /dev/stdout", "-sFp", "--file=/dev/stdout"):
        assert typed(f"pg_dump {whole}").stdout.count("transaction_timeout") == 2, whole
    typed.stand_in("pg_dump", "printf 'no end of line'")
    assert typed("pg_dump x").stdout == "no end of line"


def test_perl_does_not_complain_of_dbix_safe(typed):
    typed.stand_in("bucardo", "exec perl -we 'require DBIx::Safe; DBIx::Safe->import(q{1.2.4})'\n")
    done = typed("bucardo add db x")
    assert (done.returncode, done.stderr) == (0, "")
