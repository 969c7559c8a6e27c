"""The manual way of the original README, word for word, as a list of (title, script).

Tests and the demo type these into the machine's shell. Only the values of the exported
variables are ours.
"""

SCHEMA = """(
  echo "SET session_replication_role = replica;" && \\
  pg_dump "\\
    sslmode=require \\
    host=$SOURCE_HOST \\
    port=$SOURCE_PORT \\
    user=$SOURCE_USER \\
    dbname=$SOURCE_DATABASE"\\
    --schema-only
) | psql "\\
  sslmode=require \\
  user=$DEST_USER \\
  host=$DEST_HOST \\
  dbname=$DEST_DATABASE \\
  port=$DEST_PORT\""""

DATABASES = """\
bucardo add db MySourceDB dbname=$SOURCE_DATABASE host=$SOURCE_HOST user=$SOURCE_USER \
port=$SOURCE_PORT conn=sslmode=require type=postgres
bucardo add db MyDestDB dbname=$DEST_DATABASE host=$DEST_HOST user=$DEST_USER \
port=$DEST_PORT conn=sslmode=require type=postgres"""

TABLES = """\
bucardo add all tables db=MySourceDB relgroup=MyReplGroup
bucardo add all sequences db=MySourceDB relgroup=MyReplGroup"""

GROUP = "bucardo add dbgroup MyDBGroup MySourceDB:source MyDestDB:source"

SYNC = """bucardo add sync MyDBSync relgroup=MyReplGroup dbs=MyDBGroup autokick=0 \
analyze_after_copy=1 conflict_strategy=bucardo_latest"""

COPY = SCHEMA.replace("--schema-only", "--data-only")

START = """\
bucardo update sync MyDBSync autokick=1
bucardo reload config"""

STEPS = (
    ("Replicate your schema to your new database", SCHEMA),
    ("Add your databases", DATABASES),
    ("Add your tables and sequences", TABLES),
    ("Create the database group", GROUP),
    ("Create the database sync", SYNC),
    ("Copy your data to your new database", COPY),
    ("Start the replication", START),
)


def environment(source, dest, dbname):
    """The variables that the README has its reader export."""
    return {"SOURCE_HOST": source.address, "SOURCE_PORT": str(source.port),
            "SOURCE_USER": source.user, "SOURCE_DATABASE": dbname,
            "DEST_HOST": dest.address, "DEST_PORT": str(dest.port),
            "DEST_USER": dest.user, "DEST_DATABASE": dbname}


def _insist(types):
    """Making triggers under writes may lose a deadlock: then it is typed again."""
    for _ in range(6):
        result = types()
        if "deadlock detected" not in result.output:
            break
    return result


def type_step(machine, script, env, seconds=300):
    """Type one step, as a command of its own."""
    return _insist(lambda: machine.shell("set -eo pipefail\n" + script, seconds=seconds, env=env))


def sit_and_type(terminal, source, dest, dbname):
    """All of it in the one shell of a person at a terminal, the exports first."""
    terminal.wait_for("$ ")
    for name, value in environment(source, dest, dbname).items():
        terminal.run(f"export {name}={value} # <- as the README comments them").check()
    for title, script in STEPS:
        result = _insist(lambda script=script: terminal.run(script, 300))
        assert result.code == 0, f"'{title}' failed:\n{result.output[-3000:]}"


def run(machine, source, dest, dbname):
    """Type all steps; returns their outputs by title. Stops at the first that fails."""
    outputs = {}
    for title, script in STEPS:
        result = type_step(machine, script, environment(source, dest, dbname))
        outputs[title] = result.output
        assert result.code == 0, (f"'{title}' ended with exit code {result.code}:\n{script}\n"
                                  f"{result.output[-3000:]}\n{machine.log_tail()}")
    return outputs
