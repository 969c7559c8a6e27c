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
 * The same place mends things of Bucardo 5.6 that only its inside can mend: a run takes
 * all that waits into its memory, and looks for it in a way that takes the square of what
 * was applied before (worker/staging.h), validation of a sync dies when one
 * of its databases was away at the start, the VAC serves only the source databases that
 * were known at the start, and a forked child may speak on a connection of its parent
 * (DBD::Pg's statement handles send a DEALLOCATE at their end,
 * InactiveDestroy or not). Over TLS the two then disagree about the count of records,
 * and the parent dies of "decryption failed or bad record mac" (seen about once in 20
 * times that a sync was deactivated and activated). So in a child every inherited
 * socket leads to /dev/null; Bucardo's children open connections of their own.
 *
 * What the KID writes, it writes as text that the other server reads: sessions get the
 * same settings for it on both sides, whatever their databases are set to (dates would
 * change their day with their month, LATIN1 would arrive as broken UTF-8). And its
 * DELETE is mended in the source text as it is read: it deleted the rows of inheriting
 * tables as well, and of a key of several columns it found no value with a backslash.
 * Where it looks which columns are carried to a database, a source counts as well if the
 * row of bucardo.customcols names it: so a table with generated columns goes both ways.
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
	/* A target may be a partitioned table of the same name: then all of it is meant. */
	"sub own_rows {\n"
	"	my ($target, $table) = @_;\n"
	"	return 'true' if $target->{dbtype} ne 'postgres';\n"
	"	my $oid = $target->{dbh}->quote($table) . '::regclass';\n"
	"	return \"(tableoid = $oid OR EXISTS (SELECT 1 FROM pg_catalog.pg_class\"\n"
	"		. \" WHERE oid = $oid AND relkind = 'p'))\";\n"
	"}\n"
	"sub literal {\n"
	"	my ($target, $value) = @_;\n"
	"	$value =~ s/(['\\\\])/$1$1/g;\n"
	"	return ($target->{dbtype} eq 'postgres' ? 'E' : '') . \"'$value'\";\n"
	"}\n"
	/* See worker/staging.h; only where it is one of ours. */
	"sub has_function {\n"
	"	my ($db, $name) = @_;\n"
	"	return $db->{\"machine_has_$name\"} ||= $db->{dbh}->selectrow_array(q{SELECT 1\n"
	"		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace\n"
	"		WHERE n.nspname = 'bucardo' AND p.proname = ?}, undef, $name);\n"
	"}\n"
	"sub delta_check {\n"
	"	my ($db) = @_;\n"
	"	my $kind = has_function($db, 'machine_delta_check') ? 'machine' : 'bucardo';\n"
	"	return \"SELECT * FROM bucardo.${kind}_delta_check(?,?)\";\n"
	"}\n"
	"sub mended {\n"
	"	my ($text) = @_;\n"
	"	my $count = $text =~ s<(WHERE \\$pkcols = ANY\\(\\?\\))\"><$1 AND \\${\\\\main::own_rows("
		"\\$Target, \\$target_tablename)}\">;\n"
	"	$count += $text =~ s<'%sDELETE FROM %s WHERE \\(%s\\) IN \\('><'%sDELETE FROM %s WHERE '"
		" . main::own_rows(\\$Target, \\$target_tablename) =~ s/%/%%/gr . ' AND (%s) IN ('>;\n"
	"	$count += $text =~ s<map \\{ s/[^;]+; s\\{[^;]+; qq\\{'\\$_'\\}; \\} split>"
		"<map { main::literal(\\$Target, \\$_) } split>;\n"
	"	my $heed = q(\n            if ($d->{role} eq 'source'"
		" && $sth_customc3->execute($g->{id}, $dbname) > 0) {"
		" $ccols = $sth_customc3->fetchall_arrayref()->[0][0]; });\n"
	"	$count += $text =~ s/(?=\\n +## Got a new name match)/$heed/;\n"
	"	$count += $text =~ s{'SELECT \\* FROM bucardo.bucardo_delta_check\\(\\?,\\?\\)'}"
		"{main::delta_check(\\$d)};\n"
	"	print STDERR \"This is another Bucardo than 5.6: not all of it is mended\\n\"\n"
	"		if $count != 5;\n"
	"	return $text;\n"
	"}\n"
	"BEGIN {\n"
	"	unshift @INC, sub {\n"
	"		my $name = $_[1];\n"
	"		return if $name ne 'Bucardo.pm';\n"
	"		for my $path (map { \"$_/$name\" } grep { !ref } @INC) {\n"
	"			open my $file, '<', $path or next;\n"
	"			local $/;\n"
	"			my $text = \"#line 1 \\\"$path\\\"\\n\" . mended(scalar <$file>);\n"
	"			$INC{$name} = $path;\n"
	"			open my $source, '<', \\$text or return;\n"
	"			return $source;\n"
	"		}\n"
	"		return;\n"
	"	};\n"
	"}\n"

	/* start_mcp() closes STDOUT, and Perl complains at each later open(). From 5.40 on it also
	 * complains of the way in which Bucardo asks for a version of DBIx::Safe. */
	"use strict; use warnings; use POSIX ();\n"
	"$SIG{__WARN__} = sub { print STDERR @_\n"
	"	if $_[0] !~ /^(Filehandle STD|Attempt to call undefined import method)/ };\n"
	"require Bucardo;\n"
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
	"STDERR->autoflush(1);\n"

	/* Of the two handles the control database's has no id. */
	"my $connect = \\&Bucardo::connect_database;\n"
	"*Bucardo::connect_database = sub {\n"
	"	my ($backend, $dbh) = $connect->(@_);\n"
	"	if ($_[1] && ref $dbh && $dbh->isa('DBI::db') && $dbh->{Driver}{Name} eq 'Pg') {\n"
	"		$dbh->do(\"SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';\"\n"
	"			. \" SET TimeZone = 'UTC'; SET extra_float_digits = 3;\"\n"
	"			. \" SET lc_monetary = 'C'; SET client_encoding = 'UTF8';\"\n"
	"			. \" SET standard_conforming_strings = on\");\n"
	/* Errors are recognised by their English text, else by their state: nobody but a
	 * superuser may choose the language. */
	"		$dbh->do(\"SELECT set_config('lc_messages', 'C', false) FROM pg_catalog.pg_roles\"\n"
	"			. \" WHERE rolname = current_user AND rolsuper\");\n"
	"		$dbh->{HandleError} = sub {\n"
	"			my $state = $_[1]->state || '';\n"
	"			$_[0] = \"SQLSTATE $state: $_[0]\" if $state =~ /^[0-9A-Z]{5}$/ && $state ne 'S1000';\n"
	"			return 0;\n"
	"		};\n"
	"		$dbh->commit;\n"
	"		$dbh->{pg_enable_utf8} = -1;\n" /* look at the encoding again */
	"	}\n"
	"	return ($backend, $dbh);\n"
	"};\n"

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

	/* The first word of a run's transaction: see worker/staging.h. */
	"my $begin = \\&Bucardo::start_main_transaction;\n"
	"*Bucardo::start_main_transaction = sub {\n"
	"	my ($self, $info) = @_;\n"
	"	$begin->(@_);\n"
	"	my $sync = $info->{sync};\n"
	"	for my $name (@{$info->{databases}}) {\n"
	"		my $db = $sync->{db}{$name};\n"
	"		next if $db->{dbtype} ne 'postgres' || $db->{role} ne 'source';\n"
	"		next if !has_function($db, 'machine_stage');\n"
	"		$db->{dbh}->do('SELECT bucardo.machine_stage(?)', undef, $sync->{name});\n"
	"	}\n"
	"	return undef;\n"
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
