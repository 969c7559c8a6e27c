/*
 * launch - see launch.h
 *
 * `bucardo start` forks twice and leaves, so that whoever started it learns
 * neither the pid nor the end of what it started. Bucardo.pm itself needs only
 * one fork undone to stay in the foreground: the first one in start_mcp(), "this
 * self-fork helps ensure our survival". The Perl below answers that one as if it
 * were the child, and leaves all later ones (VAC, CTL, KID) alone. The master is
 * then a direct child: pid known at once, true exit status, output on our pipe,
 * dies with us. It also saves the half second of the CLI's start.
 *
 * The same script corrects what only Bucardo's inside can. launch.pl has a table of changes to
 * its source, and wraps some of its functions: a run took all that waits into its memory, and
 * looked for it in a way that takes the square of what was applied before
 * (worker/deltas/batch_limit.h); validation of a sync died when one of its databases was
 * unreachable at the start; the VAC served only the source databases that were known at the
 * start; and a forked child may speak on a connection of its parent (DBD::Pg's statement
 * handles send a DEALLOCATE at their end, InactiveDestroy or not). Over TLS the two then
 * disagree about the count of records, and the parent dies of "decryption failed or bad record
 * mac" (seen about once in 20 times that a sync was deactivated and activated). So in a child
 * every inherited socket leads to /dev/null; Bucardo's children open connections of their own.
 *
 * Where a change finds no place in the source that is installed, or finds two, the script ends
 * with exit code 78 and the names of those changes; the machine holds (output_lines.c).
 *
 * What the KID writes, it writes as text that the other server reads: sessions get the
 * same settings for it on both sides, whatever their databases are set to
 * (bucardo_machine/sessions.h), before their first statement.
 *
 * serve.pl lets the master learn of a sync when it is told to activate it, and do so for one
 * after the other while it goes on serving the rest.
 *
 * apply.pl takes the place of the functions that write:
 * - TRUNCATE was sent for one table after the other, without ONLY: one that a foreign key
 * refers to kept its rows, as the error was swallowed, then rows inserted later met them; and
 *   inheriting tables lost theirs.
 * - Keys were compared with whatever operator the search_path finds. Of an extension's type in
 *   a schema of its own that is none, or the one of text: a key that changed its case was
 *   deleted, and not found on the source. Keys of several columns also lost each backslash.
 * - DELETE removed the rows of inheriting tables as well.
 *
 * Where an index, a check or a generated column of a table calls a function that finds
 * something only through search_path, no query of that table can be planned, and no row
 * written, without one: the statements of that table alone get the path that
 * worker/reconcile/table_paths.h found safe.
 */
#include "daemon/bucardo/launch.h"

#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/sessions.h"

/* clang-format off */
static const char script[] =
#include "daemon/bucardo/apply.pl.inc"
#include "daemon/bucardo/serve.pl.inc"
#include "daemon/bucardo/launch.pl.inc"
;
/* clang-format on */

void launch_env_init(struct launch_env *env, const struct bm_bucardo_options *options)
{
	const char *path = getenv("PATH");

	*env = (struct launch_env){
			.texts = {
					bm_format("HOME=%s", options->home_dir),
					bm_format("PATH=%s:%s", options->bin_dir,
							path != NULL ? path : "/usr/bin:/bin"),
					bm_format("PGPASSFILE=%s", options->pgpass),
					/* Errors are recognised by their English text. */
					bm_format("LC_ALL=C.UTF-8"),
					bm_format("PGBINDIR=%s", options->bin_dir),
			}};
	for (size_t i = 0; i < BM_COUNT_OF(env->texts); i++) {
		env->list[i] = env->texts[i];
	}
}

void launch_env_finish(struct launch_env *env)
{
	for (size_t i = 0; i < BM_COUNT_OF(env->texts); i++) {
		free(env->texts[i]);
	}
}

static void launch_env_options(struct launch_env *env, enum bm_session_kind session)
{
	struct bm_strbuf options = BM_STRBUF_INIT;

	bm_session_options(session, &options);
	env->texts[BM_COUNT_OF(env->texts) - 1] = bm_format(
			"PGOPTIONS=%s", bm_strbuf_text(&options));
	env->list[BM_COUNT_OF(env->texts) - 1] = env->texts[BM_COUNT_OF(env->texts) - 1];
	bm_strbuf_finish(&options);
}

pid_t launch_master(struct bm_loop *loop, const struct bm_bucardo_options *options,
		const char *piddir, int output_fd, bm_exit_cb *cb, void *ctx,
		struct bm_error *err)
{
	struct bm_strbuf ends = BM_STRBUF_INIT, control = BM_STRBUF_INIT;
	struct launch_env env;
	struct bm_spawn spawn = BM_SPAWN_INIT;

	bm_session_lines(BM_SESSION_BUCARDO, &ends);
	bm_session_lines(BM_SESSION_CONTROL, &control);
	const char *argv[] = {"perl", "-e", script, options->socket_dir, bm_strbuf_text(&ends),
			bm_strbuf_text(&control), NULL};
	launch_env_init(&env, options);
	/* For databases whose dbconn says nothing: those that a person added by hand. */
	launch_env_options(&env, BM_SESSION_BUCARDO);
	spawn.argv = argv;
	spawn.env = env.list;
	spawn.cwd = piddir;
	spawn.stdout_fd = output_fd;
	spawn.stderr_fd = output_fd;
	pid_t pid = bm_spawn(loop, &spawn, cb, ctx, err);
	launch_env_finish(&env);
	bm_strbuf_finish(&ends);
	bm_strbuf_finish(&control);
	return pid;
}
