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
 * The same place mends three things of Bucardo 5.6 that only its inside can mend:
 * validation of a sync dies when one of its databases was away at the start, the
 * VAC serves only the source databases that were known at the start, and a forked
 * child may speak on a connection of its parent (DBD::Pg's statement handles send a
 * DEALLOCATE at their end, InactiveDestroy or not). Over TLS the two then disagree
 * about the count of records, and the parent dies of "decryption failed or bad
 * record mac" (seen about once in 20 times that a sync was deactivated and
 * activated). So in a child every inherited socket leads to /dev/null; Bucardo's
 * children open connections of their own.
 */
#include "bucardo/launch.h"

#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

/* clang-format off */
static const char script[] =
	"BEGIN {\n"
	"	my $forks = 0;\n"
	"	*CORE::GLOBAL::fork = sub () {\n"
	"		return 0 if !$forks++;\n"
	"		my $pid = CORE::fork;\n"
	"		forget_connections() if defined $pid && !$pid;\n"
	"		return $pid;\n"
	"	};\n"
	"}\n"
	"use strict; use warnings; use POSIX (); require Bucardo;\n"
	"sub forget_connections {\n"
	"	open my $null, '+<', '/dev/null' or POSIX::_exit(1);\n"
	"	DBI->visit_handles(sub {\n"
	"		my ($handle) = @_;\n"
	"		return 0 if $handle->{Type} eq 'st';\n"
	"		return 1 if $handle->{Type} ne 'db' || !$handle->{Active};\n"
	"		my $socket = $handle->{pg_socket};\n"
	"		POSIX::dup2(fileno $null, $socket) if defined $socket && $socket > 2;\n"
	"		return 0;\n"
	"	});\n"
	"}\n"
	"no warnings 'redefine';\n"
	/* start_mcp() closes STDOUT, and Perl complains at each later open(). */
	"$SIG{__WARN__} = sub { print STDERR @_ if $_[0] !~ /^Filehandle STD/ };\n"
	"STDERR->autoflush(1);\n"

	/* A database that was away has an entry without handle: let it be made anew. */
	"my $validate = \\&Bucardo::validate_sync;\n"
	"*Bucardo::validate_sync = sub {\n"
	"	my $dbs = $_[0]{sdb} || {};\n"
	"	for my $name (keys %$dbs) {\n"
	"		my $db = $dbs->{$name};\n"
	"		delete $dbs->{$name} if ($db->{dbtype} || '') eq 'postgres' && !$db->{dbh};\n"
	"	}\n"
	"	return $validate->(@_);\n"
	"};\n"

	/* start_mcp() looks for work for the VAC, once; after a reload there may be more. */
	"sub served { my ($self) = @_;\n"
	"	return join ',', sort grep { $self->{sdb}{$_}{needsvac} } keys %{$self->{sdb}} }\n"
	"my $reload = \\&Bucardo::reload_mcp;\n"
	"*Bucardo::reload_mcp = sub {\n"
	"	my ($self) = @_;\n"
	"	my $count = $reload->(@_);\n"
	"	my $before = served($self);\n"
	"	for my $sync (grep { $_->{mcp_active} } values %{$self->{sync}}) {\n"
	"		my @dbs = grep { $_->{dbtype} eq 'postgres' } values %{$sync->{db}};\n"
	"		my @sources = grep { $_->{role} eq 'source' } @dbs;\n"
	"		next if @sources < 2 && !grep { $_->{role} eq 'target' } @dbs;\n"
	"		$self->{sdb}{$_->{name}}{needsvac} = 2 for @sources;\n"
	"		$self->{needsvac} = 1 if @sources;\n"
	"	}\n"
	/* The working folder is the piddir. The master starts another VAC soon. */
	"	kill USR1 => $self->{vacpid} if $self->{vacpid} && -e 'bucardo.vac.pid'\n"
	"		&& $before ne served($self);\n"
	"	return $count;\n"
	"};\n"

	"Bucardo->new({dbname => 'bucardo', dbuser => 'bucardo', dbhost => $ARGV[0],\n"
	"	sendmail => 0, bcverbose => 1, logdest => ['stderr']})->start_mcp([]);\n";
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

pid_t launch_master(struct bm_loop *loop, const struct bm_bucardo_options *options,
		const char *piddir, int output_fd, bm_exit_cb *cb, void *ctx,
		struct bm_error *err)
{
	const char *argv[] = {"perl", "-e", script, options->socket_dir, NULL};
	struct launch_env env;
	struct bm_spawn spawn = BM_SPAWN_INIT;

	launch_env_init(&env, options);
	spawn.argv = argv;
	spawn.env = env.list;
	spawn.cwd = piddir;
	spawn.stdout_fd = output_fd;
	spawn.stderr_fd = output_fd;
	pid_t pid = bm_spawn(loop, &spawn, cb, ctx, err);
	launch_env_finish(&env);
	return pid;
}
