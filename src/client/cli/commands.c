/* The table of commands: everything that can be typed, with its grammar and its help. */
#include "client/cli/command.h"

#include "bucardo_machine/macros.h"

#define RUNTIME_HELP                                                                           \
	"The machine is asked through RUNTIME/control.sock; --runtime DIR or\n"                \
	"BUCARDO_MACHINE_RUNTIME say where that is (default /run/bucardo-machine).\n"

/* Of `cutover` and `failback`. */
#define CHANGE_HELP                                                                             \
	"  --check         say whether all is ready, with reasons; changes nothing\n"           \
	"  --rehearse      do all of it on the live system up to the last step, and roll it\n"  \
	"                  back: how long writers would have had to wait\n"                     \
	"  --budget TIME   the most that writers wait, 800ms or 2s (1s, or cutover.budget of\n" \
	"                  machine.yaml); past it nothing has happened\n"                       \
	"  --accept TABLE  it need not be proven equal; or connections, 'large objects'; as\n"  \
	"                  often as needed. A name of nothing is refused\n"                     \
	"  --yes           do not ask\n"                                                        \
	"  --report FILE   conditions, steps and times as JSON\n"                               \
	"  --json          the same on standard output, one JSON object a line\n"               \
	"The machine does it: a command that is ended (Ctrl-C) changes nothing about it.\n"     \
	"Exit code 0: done, rehearsed or ready; 4: not ready or undone, and nothing has\n"      \
	"changed; 1: it could not be begun or watched.\n" RUNTIME_HELP

/* Keep alphabetical. */
/* clang-format off */
static const struct cli_command commands[] = {
	{
		.name = "accept",
		.task = CLI_TASK_MIGRATE,
		.first = "@migrations", .second = "take-over resend as-is",
		.arguments = "NAME WAY",
		.options = CLI_RUNTIME,
		.least = 2, .most = 2,
		.summary = "decide how a stopped migration goes on",
		.help = "NAME is a migration of machine.yaml, WAY one of\n"
			"  take-over   another machine owns it, and is gone for good: this one owns it from\n"
			"              now on. Refused when the other one was heard of in the last minute\n"
			"  resend      a database was set back or replaced: all rows are sent again, and those\n"
			"              that only the other side has are removed there; then it goes on\n"
			"  as-is       the same, and nothing is missing: it goes on\n"
			"`status` says why it was stopped. May be said again at any point; ends a pause.\n"
			RUNTIME_HELP,
		.run = cli_accept,
	}, {
		.name = "clone",
		.task = CLI_TASK_COPY,
		.arguments = "--source CONNINFO --destination CONNINFO",
		.options = CLI_SOURCE | CLI_DESTINATION | CLI_JOBS | CLI_CHUNK | CLI_MAX_RATE |
			CLI_THROTTLE | CLI_INCLUDE | CLI_EXCLUDE | CLI_ACCEPT_MOMENTS | CLI_VERIFY | CLI_JSON,
		.summary = "copy one database into an empty one",
		.help = "  --source CONNINFO       \"host=a dbname=shop user=me\" or postgresql://me@a/shop\n"
			"  --destination CONNINFO  an empty database, or one that an earlier run began\n"
			"  --jobs N                connections at once (4)\n"
			"  --chunk N               MiB of a big table in one transaction (128, or where it is\n"
			"                          quick a table of up to four times that)\n"
			"  --max-rate RATE         bytes of rows a second, of all connections: 50MB (none)\n"
			"  --include PATTERN       only what matches, \"shop.*\"; as often as needed\n"
			"  --exclude PATTERN       not what matches, \"public.log_?\"; likewise\n"
			"  --throttle              copy more slowly while the source answers late\n"
			"  --accept-moments        take tables of another moment of the source, or without\n"
			"                          those that were made meanwhile, for a success\n"
			"  --verify                compare both databases afterwards, as `verify` does, with its\n"
			"                          exit codes. Foreign keys are made on empty tables then, so\n"
			"                          that no row is checked twice. Nobody may write meanwhile\n"
			"  --json                  progress as one JSON object a line\n"
			"Passwords come from the passfile (PGPASSFILE, ~/.pgpass) or PGPASSWORD, never from\n"
			"the command line. Schema, rows, indexes, constraints, sequences, statistics; what\n"
			"was left out is told. Killed at any instant, the same command goes on where it\n"
			"stopped; what was under way (a note says how much at most) and what changed on the\n"
			"source meanwhile is copied again. Exit code 0 only when\n"
			"the destination is complete and of one moment, 4 when tables (named) are of another\n"
			"moment, 1 for any other failure; with --verify 4 when something is unproven, and 5\n"
			"when something is different. Needs no machine.\n",
		.run = cli_clone,
	}, {
		.name = "complete",
		.task = CLI_TASK_NONE,
		.arguments = "WORD...",
		.raw = true,
		.summary = "what the scripts of `completion` ask",
		.help = "",
		.run = cli_complete,
	}, {
		.name = "completion",
		.task = CLI_TASK_UNLISTED,
		.arguments = "[bash|zsh]",
		.most = 1,
		.first = "bash zsh",
		.summary = "what bash and zsh need for the Tab key",
		.help = "Prints a script for bash, or for zsh; the image has both, elsewhere:\n"
			"  source <(bucardo-machine completion bash)\n"
			"  source <(bucardo-machine completion zsh)\n"
			"The script asks the program what to offer, names of migrations and units too.\n",
		.run = cli_completion,
	}, {
		.name = "config check",
		.task = CLI_TASK_MACHINE,
		.arguments = "[FILE]",
		.options = CLI_VOLUME,
		.most = 1,
		.summary = "say whether a configuration would be accepted",
		.help = "Without FILE it is machine.yaml on the volume (--volume DIR or\n"
			"BUCARDO_MACHINE_VOLUME, default /var/lib/bucardo-machine). Needs no running\n"
			"machine. All errors are printed at once; exit code 3 when there is one.\n",
		.run = cli_config_check,
	}, {
		.name = "config example",
		.task = CLI_TASK_MACHINE,
		.summary = "print a commented machine.yaml with every key",
		.help = "Needs no running machine.\n",
		.run = cli_config_example,
	}, {
		.name = "config reference",
		.task = CLI_TASK_MACHINE,
		.summary = "print every key with its type, default, limits and meaning",
		.help = "Needs no running machine.\n",
		.run = cli_config_reference,
	}, {
		.name = "config reload",
		.task = CLI_TASK_MACHINE,
		.options = CLI_RUNTIME,
		.summary = "read machine.yaml again now",
		.help = "A file with an error changes nothing: the machine keeps the configuration it has,\n"
			"and the errors are printed. Exit code 3 then. Without a file the defaults are\n"
			"taken.\n" RUNTIME_HELP,
		.run = cli_config_reload,
	}, {
		.name = "config show",
		.task = CLI_TASK_MACHINE,
		.options = CLI_RUNTIME,
		.summary = "print the configuration in force, defaults included",
		.help = RUNTIME_HELP,
		.run = cli_config_show,
	}, {
		.name = "cutover",
		.task = CLI_TASK_MIGRATE,
		.first = "@migrations",
		.arguments = "NAME [--check|--rehearse] [--budget 1s]",
		.options = CLI_RUNTIME | CLI_CHECK | CLI_REHEARSE | CLI_BUDGET | CLI_ACCEPT |
			CLI_YES | CLI_REPORT | CLI_JSON,
		.least = 1, .most = 1,
		.summary = "make the destination the live side",
		.help = "NAME is a migration that replicates. In a moment in which writers wait the\n"
			"last changes go over, are proven, and the source is closed to writers. Afterwards\n"
			"replication runs the other way.\n"
			CHANGE_HELP,
		.run = cli_cutover,
	}, {
		.name = "databases",
		.task = CLI_TASK_SEE,
		.options = CLI_RUNTIME,
		.summary = "how psql reaches each of them",
		.help = "Prints what to type after `psql`, or after `pg_dump`: the machine's own database, and\n"
			"both sides of each migration. Passwords come from pgpass by themselves. `psql` alone\n"
			"prints it too, in the pod.\n"
			RUNTIME_HELP,
		.run = cli_databases,
	}, {
		.name = "doctor",
		.task = CLI_TASK_SEE,
		.first = "@migrations",
		.arguments = "[NAME]",
		.options = CLI_RUNTIME | CLI_JSON,
		.most = 1,
		.summary = "what is wrong, and what to do",
		.help = "Looks at both servers, the control database and the host, and changes nothing. What\n"
			"could not be looked at is named. The machine looks twice a minute by itself.\n"
			"  --json   one JSON object a migration (docs/doctor.md)\n"
			"Exit code 0: nothing, or notes; 4: it is degraded; 5: stopped; 1: it could not look.\n" RUNTIME_HELP,
		.run = cli_doctor,
	}, {
		.name = "events",
		.task = CLI_TASK_SEE,
		.arguments = "[--since 2h] [--follow]",
		.options = CLI_RUNTIME | CLI_FOLLOW | CLI_JSON | CLI_SINCE,
		.summary = "what happened lately",
		.help = "The newest 10,000 of 90 days, from before a restart as well.\n"
			"  --since T  only those since 90s, 30min, 2h, 7d ago, or since a time in UTC:\n"
			"             2026-01-31, 2026-01-31T12:00\n"
			"  --follow   stay, and print new ones as they come; it goes on when the\n"
			"             machine is started again\n"
			"  --json     one JSON object a line\n" RUNTIME_HELP,
		.run = cli_events,
	}, {
		.name = "failback",
		.task = CLI_TASK_MIGRATE,
		.first = "@migrations",
		.arguments = "NAME [--check|--rehearse] [--budget 1s]",
		.options = CLI_RUNTIME | CLI_CHECK | CLI_REHEARSE | CLI_BUDGET | CLI_ACCEPT |
			CLI_YES | CLI_REPORT | CLI_JSON,
		.least = 1, .most = 1,
		.summary = "make the source the live side again",
		.help = "NAME is a migration that replicates. What cutover does, mirrored.\n"
			CHANGE_HELP,
		.run = cli_cutover,
	}, {
		.name = "health",
		.task = CLI_TASK_SEE,
		.first = "live ready",
		.arguments = "live|ready",
		.options = CLI_RUNTIME,
		.least = 1, .most = 1,
		.summary = "answer a probe, by exit code",
		.help = "  live    the machine's process answers\n"
			"  ready   all that is wanted runs and no sync is in trouble\n"
			"Prints one line. Never waits for a database; gives up after 1 s.\n" RUNTIME_HELP,
		.run = cli_health,
	}, {
		.name = "help",
		.task = CLI_TASK_MACHINE,
		.first = "@commands",
		.arguments = "[COMMAND]",
		.most = 2,
		.summary = "list the commands, or explain one",
		.help = "Exit codes of every command: 0 done, 1 failed or no, 2 wrong usage, 3 configuration\n"
			"or volume unusable. `clone`, `cutover`, `doctor`, `run`, `session`\n"
			"and `verify` have more.\n",
		.run = cli_help,
	}, {
		.name = "manual",
		.task = CLI_TASK_UNLISTED,
		.first = "machine.yaml",
		.arguments = "[machine.yaml]",
		.most = 1,
		.summary = "print the page for man: of the commands, or of machine.yaml",
		.help = "`make install` puts both where man finds them; here and now:\n"
			"  bucardo-machine manual | man -l -\n",
		.run = cli_manual,
	}, {
		.name = "migrate",
		.task = CLI_TASK_MIGRATE,
		.first = "@migrations",
		.arguments = "NAME [--until PHASE]",
		.options = CLI_RUNTIME | CLI_UNTIL,
		.least = 1, .most = 1,
		.summary = "go on, to the end or to a phase",
		.help = "NAME is a migration of machine.yaml. It goes on beyond its run_until, and tries\n"
			"again what failed; a pause ends. Phases, in order: preflight, schema, capture,\n"
			"copy, index, replicate. Returns when the machine has taken the request; watch it\n"
			"with `status --watch`.\n"
			"  --until PHASE   the last phase that it begins (default replicate)\n"
			RUNTIME_HELP,
		.run = cli_migrate,
	}, {
		.name = "notify",
		.task = CLI_TASK_UNLISTED,
		.first = "test",
		.arguments = "[test [NAME]]",
		.options = CLI_VOLUME | CLI_JSON,
		.most = 2,
		.summary = "who is told of changes of state",
		.help = "Lists the receivers of machine.yaml (notify.receivers), when each was told last, and why one\n"
			"was not. `notify test` sends all of them, or the one called NAME, a test message.\n"
			"Exit code 1: one was not told. See docs/notify.md.\n",
		.run = cli_notify,
	}, {
		.name = "pause",
		.task = CLI_TASK_MIGRATE,
		.first = "@migrations",
		.arguments = "NAME",
		.options = CLI_RUNTIME,
		.least = 1, .most = 1,
		.summary = "halt a migration, in the next pod too",
		.help = "Its worker is ended; what was finished stays, and nothing is lost: changes on the\n"
			"source go on being captured, and are not applied until `resume NAME`.\n"
			RUNTIME_HELP,
		.run = cli_pause,
	}, {
		.name = "plan",
		.task = CLI_TASK_MIGRATE,
		.first = "@migrations",
		.arguments = "NAME [--fix]",
		.options = CLI_RUNTIME | CLI_JSON | CLI_FIX,
		.least = 1, .most = 1,
		.summary = "look ahead: sizes, time, what is wrong",
		.help = "Begins nothing: it says which phases are to come, what was found in the way and\n"
			"how to fix that, and what would be moved. To tell how long that takes it writes\n"
			"a sample to the destination and takes it back at once. Exit code 1 when something\n"
			"stops the migration.\n"
			"  --fix      carry out the fixes that are safe\n"
			"  --json     one JSON object a line, as docs/worker-protocol.md describes them:\n"
			"             finding, plan, note, done or failed\n" RUNTIME_HELP,
		.run = cli_plan,
	}, {
		.name = "resume",
		.task = CLI_TASK_MIGRATE,
		.first = "@migrations",
		.arguments = "NAME",
		.options = CLI_RUNTIME,
		.least = 1, .most = 1,
		.summary = "end a pause, or try again at once",
		.help = "Returns when the machine has taken the request; watch it with `status --watch`.\n"
			RUNTIME_HELP,
		.run = cli_resume,
	}, {
		.name = "run",
		.task = CLI_TASK_MACHINE,
		.arguments = "[[--] COMMAND...]",
		.options = CLI_VOLUME | CLI_RUNTIME | CLI_PGPASS | CLI_STRICT | CLI_LOG_FORMAT |
			CLI_LOG_LEVEL | CLI_OF_CHILD,
		.takes_child = true,
		.summary = "be the machine, or run one command",
		.help = "  --volume DIR       the persistent volume (BUCARDO_MACHINE_VOLUME,\n"
			"                     default /var/lib/bucardo-machine)\n"
			"  --runtime DIR      sockets and pid files (BUCARDO_MACHINE_RUNTIME,\n"
			"                     default /run/bucardo-machine)\n"
			"  --pgpass FILE      the Secret with the passwords (BUCARDO_MACHINE_PGPASS,\n"
			"                     default /etc/bucardo-machine/pgpass/pgpass)\n"
			"  --strict           end with exit code 3 where the machine would hold\n"
			"  --log-format F     auto (text on a terminal, else JSON), text or json\n"
			"  --log-level L      debug, info, warn or error\n"
			"SIGTERM, SIGINT and SIGQUIT stop it in order; SIGHUP reads machine.yaml again.\n"
			"Exit codes: 0 stopped as asked, 1 failed for good, 3 volume or configuration\n"
			"unusable. With a COMMAND only that command runs (`status`, `clone` and so on\n"
			"are our own, `-- clone` is a program of that name), with the manners of a good\n"
			"init; its exit code is ours, 128+N when signal N killed it, 127 when it is not\n"
			"found, 126 when it cannot be executed, 125 when we failed ourselves.\n"
			"  --group            signals go to its whole process group\n"
			"  --rewrite A:B      it gets signal B where A comes, 0: none; 15:3, TERM:QUIT;\n"
			"                     as often as needed\n"
			"  --expect CODE      exit code 0 where its own is CODE, as 143; likewise\n"
			"  --keep-signals     it keeps the ignored and blocked signals that we were started\n"
			"                     with; else it begins with none\n",
		.run = cli_run,
	}, {
		.name = "service list",
		.task = CLI_TASK_MACHINE,
		.options = CLI_RUNTIME,
		.summary = "list the units: postgres, bucardo, and those of machine.yaml",
		.help = RUNTIME_HELP,
		.run = cli_service_list,
	}, {
		.name = "service restart",
		.task = CLI_TASK_MACHINE,
		.first = "@units",
		.arguments = "NAME",
		.options = CLI_RUNTIME,
		.least = 1, .most = 1,
		.summary = "stop a unit and start it again",
		.help = "Returns when the machine has taken the request; watch it with `events --follow`.\n"
			"Restarting postgres restarts bucardo too. The first restart works at once; of a unit\n"
			"that does not stay ready the next ones are refused for 0.5 s after its last start,\n"
			"doubling to 30 s (supervision.backoff_limit), so that no script starts it faster than\n"
			"the machine would. The message says when.\n" RUNTIME_HELP,
		.run = cli_service_restart,
	}, {
		.name = "service start",
		.task = CLI_TASK_MACHINE,
		.first = "@units",
		.arguments = "NAME",
		.options = CLI_RUNTIME,
		.least = 1, .most = 1,
		.summary = "start a unit, and take back an earlier stop",
		.help = "Returns when the machine has taken the request; watch it with `events --follow`.\n"
			RUNTIME_HELP,
		.run = cli_service_start,
	}, {
		.name = "service stop",
		.task = CLI_TASK_MACHINE,
		.first = "@units",
		.arguments = "NAME",
		.options = CLI_RUNTIME,
		.least = 1, .most = 1,
		.summary = "stop a unit; it stays stopped, in the next pod too",
		.help = "Returns when the machine has taken the request; watch it with `events --follow`.\n"
			"`service start NAME` takes it back. Stopping postgres stops bucardo too.\n"
			RUNTIME_HELP,
		.run = cli_service_stop,
	}, {
		.name = "session",
		.task = CLI_TASK_UNLISTED,
		.arguments = "[[--] COMMAND...]",
		.takes_child = true,
		.summary = "a shell that idle balancers do not cut",
		.help = "`bash -l` on a terminal starts this by itself. A connection silent for\n"
			"BUCARDO_MACHINE_KEEPALIVE seconds (150; 0: never) gets a byte that prints nothing.\n"
			"When the client gave no sign for BUCARDO_MACHINE_HANGUP seconds (50; 0: never),\n"
			"everything in the session is hung up; what must outlive it, start with setsid.\n",
		.run = cli_session,
	}, {
		.name = "status",
		.task = CLI_TASK_FIRST,
		.arguments = "[--watch] [--all]",
		.options = CLI_RUNTIME | CLI_JSON | CLI_WATCH | CLI_SHOW_ALL,
		.summary = "how the machine and migrations are",
		.help = "  --watch    draw it again every second, until Ctrl-C\n"
			"  --all      everything, also what is well and beyond the screen\n"
			"  --json     for programs; the members are described in docs/status.md\n"
			"Colours only on a terminal, and not when NO_COLOR is set.\n" RUNTIME_HELP,
		.run = cli_status,
	}, {
		.name = "support-bundle",
		.task = CLI_TASK_SEE,
		.arguments = "[--output FILE]",
		.options = CLI_RUNTIME | CLI_VOLUME | CLI_PGPASS | CLI_OUTPUT,
		.summary = "a file of what others need to help",
		.help = "Status, events, configuration, tables of the control database, processes, the files\n"
			"of the volume by name and the limits of the host, as one archive without passwords.\n"
			"Names of hosts, tables and roles are in it: read it through before you send it on.\n"
			"It changes nothing, and takes what there is when the machine does not run.\n"
			"  --output FILE   instead of bucardo-machine-support-TIME.tar.gz here; - for standard\n"
			"                  output: kubectl exec POD -- bucardo-machine support-bundle\n"
			"                  --output - > bundle.tar.gz\n" RUNTIME_HELP,
		.run = cli_support_bundle,
	}, {
		.name = "teardown",
		.task = CLI_TASK_MIGRATE,
		.first = "@migrations",
		.arguments = "NAME | --source CONNINFO --destination CONNINFO [NAME...]",
		.options = CLI_RUNTIME | CLI_SOURCE | CLI_DESTINATION | CLI_WITHOUT | CLI_YES | CLI_JSON,
		.most = 64,
		.summary = "take all of ours out of the databases",
		.help = "With the NAME of a migration the machine does it, at any point of the migration:\n"
			"triggers, functions, tables and schemas of the machine and of Bucardo go from both\n"
			"databases, the migration from Bucardo's tables; what another migration or sync needs\n"
			"stays. One table at a time, under locks of a moment. It goes on when the machine is\n"
			"killed. At the end the catalogs are searched, and what is left is printed with the\n"
			"statement that removes it. Then delete the migration from machine.yaml.\n"
			"  --without SIDE  source, destination or both: gone for good, or to be cleaned later\n"
			"  --yes           do not ask\n"
			"  --json          one JSON object a line: stuck, left, clean, without\n"
			"With --source or --destination or both it needs no machine, for whoever deleted that\n"
			"first. Passwords as for `clone`; killed anywhere, the same command goes on. Where a\n"
			"machine was heard of in the last minute it waits until that minute is over, and\n"
			"refuses when it is heard again.\n"
			"  NAME            where several migrations or syncs use a database: those that go\n"
			"Exit code 0 only when nothing is left.\n" RUNTIME_HELP,
		.run = cli_teardown,
	}, {
		.name = "verify",
		.task = CLI_TASK_MIGRATE,
		.first = "@migrations",
		.arguments = "NAME | --source CONNINFO --destination CONNINFO",
		.options = CLI_RUNTIME | CLI_SOURCE | CLI_DESTINATION | CLI_TABLE | CLI_WAIT | CLI_HASH |
			CLI_INCREMENTAL | CLI_SHOW_VALUES | CLI_REPAIR | CLI_DELETE_EXTRA | CLI_YES |
			CLI_REPORT | CLI_JOBS | CLI_MAX_SNAPSHOT | CLI_JSON,
		.most = 1,
		.summary = "compare both databases, row by row",
		.help = "Compares both databases row by row while applications write: NAME is a migration of\n"
			"machine.yaml; with --source and --destination it needs no machine. Of a migration\n"
			"it keeps what is proven in schema bucardo of the source.\n"
			"Each table, view and sequence is equal, in_flight (equal but for rows under way),\n"
			"unproven (the reason is printed) or different (the rows are named); definitions and\n"
			"large objects are compared too.\n"
			"  --table PATTERN   only these, \"shop.*\"; as often as needed; then no sequences\n"
			"  --wait SECONDS    how long rows under way are waited for (10)\n"
			"  --jobs N          ranges of a table that are read at once, 1 to 16 (4)\n"
			"  --max-snapshot SECONDS  how long a snapshot may live (600)\n"
			"  --incremental     of a migration: read only what was written since it was proven.\n"
			"                    Without it a table that was written to is read whole, so that a\n"
			"                    change that nobody captured is found too\n"
			"  --show-values     of rows that differ, both values\n"
			"  --repair          send rows that differ again, through the replication, from the side\n"
			"                    that applications write to, and look at them once more; without\n"
			"                    it no row is changed\n"
			"  --delete-extra    with --repair: delete rows that this side does not have; it asks\n"
			"                    first, but with --yes\n"
			"  --hash sha256     where the servers' own hash functions are not to be used\n"
			"  --report FILE     a page for an auditor, as proof.html, and the same as JSON beside it\n"
			"  --json            one JSON object a line, the report last: docs/verify.md\n"
			"Exit code 0 when all is proven equal, 4 when something is in flight or unproven, 5\n"
			"when something is different, 1 when it could not be compared.\n" RUNTIME_HELP,
		.run = cli_verify,
	}, {
		.name = "version",
		.task = CLI_TASK_UNLISTED,
		.summary = "print the version",
		.help = "",
		.run = cli_version,
	}, {
		.name = "worker",
		.task = CLI_TASK_NONE,
		.arguments = "NAME",
		.most = 6,
		.raw = true,
		.summary = "started by the machine itself, not by people",
		.help = "",
		.run = cli_worker,
	},
};
/* clang-format on */

const struct cli_command *cli_commands(size_t *count)
{
	*count = BM_COUNT_OF(commands);
	return commands;
}
