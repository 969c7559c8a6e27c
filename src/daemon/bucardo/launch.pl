# Runs Bucardo's master in the foreground, with its faults corrected as its source is read.
# launch.c says why; it is started as `perl -e`, with the folder of the control socket.

BEGIN {
	my $forks = 0;
	*CORE::GLOBAL::fork = sub () {
		return 0 if !$forks++;
		my $pid = CORE::fork;
		forget_connections() if defined $pid && !$pid;
		return $pid;
	};
}

# See worker/deltas/batch_limit.h; only where it is one of ours.
sub has_function {
	my ($db, $name) = @_;
	return $db->{"machine_has_$name"} ||= $db->{dbh}->selectrow_array(q{SELECT 1
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname = 'bucardo' AND p.proname = ?}, undef, $name);
}
sub delta_check {
	my ($db) = @_;
	my $kind = has_function($db, 'machine_delta_check') ? 'machine' : 'bucardo';
	return "SELECT * FROM bucardo.${kind}_delta_check(?,?)";
}

# Keys in the text form of their types, where the driver makes something else of them.
my %text_of = (float4 => sub { sprintf '%.17g', $_[0] }, float8 => sub { sprintf '%.17g', $_[0] },
	bytea => sub { '\\x' . unpack 'H*', $_[0] });
sub exact_keys {
	my ($sth, @rows) = @_;
	my $types = $sth->{pg_type};
	for my $i (grep { $text_of{$types->[$_]} } 0 .. $#$types) {
		$_->[$i] = $text_of{$types->[$i]}->($_->[$i]) for @rows;
	}
	return @rows;
}
sub next_key {
	my ($sth) = @_;
	my $row = $sth->fetchrow_arrayref or return;
	my $is_other = $sth->{private_machine_other} //= grep { $text_of{$_} } @{$sth->{pg_type}};
	return $is_other ? (exact_keys($sth, [@$row]))[0] : $row;
}

# The changes of Bucardo's source: a name, the place, what takes it, and how often it is there (once), exactly.
# With nothing to take it, it is only looked for: the function that it stands in is replaced below (wrapped) or in
# apply.pl, and that is right only as long as the function does what it did when it was replaced.
my @changes = (

# Which tables have changes: see worker/deltas/batch_limit.h.
	['the question which tables have changes',
		qr/'SELECT \* FROM bucardo\.bucardo_delta_check\(\?,\?\)'/, q(main::delta_check($d))],

# Which columns are applied to a database: a source counts too, if the row of customcols names it.
	['the columns that are applied to a source', qr/(?=\n +## Got a new name match)/, q(
            if ($d->{role} eq 'source' && $sth_customc3->execute($g->{id}, $dbname) > 0) { $ccols = $sth_customc3->fetchall_arrayref()->[0][0]; })],

# The driver makes Perl's numbers of floats, which print 15 digits, and raw bytes of a domain over bytea: such a key
# would find no row, and its change would be marked as done.
	['the keys that wait', qr/\$sth\{getdelta\}\{\$dbname\}\{\$g\}->fetchrow_arrayref\(\)/,
		'main::next_key($sth{getdelta}{$dbname}{$g})'],

# No query of a table can be planned while an index of it calls what is found only through a path.
	['the names of the columns', qr/(?=\$sth = \$saved_sourcedbh->prepare\()/,
		q(main::columns_path($self, $sync, $saved_sourcedbh, "$S.$T"); )],

# A session's path stays as it was pinned.
	['the search_path of a session', qr/RESET search_path/, 'SET search_path = pg_catalog, pg_temp', 3],

# Databases are committed one by one, whatever comes between. With several sources what was applied is marked as done
# once all have their rows, always: Bucardo does so only where the last table had changes on several. A stage table
# serves all syncs of its table: each reads its own.
	['staging what was applied', qr/(?<= )\$d->\{trackstage\} = \(\$numsources > 1 and exists \$deltabin\{\$dbname\}\) \? 1 : 0;/, ''],
	['the name of a stage table', qr/s\/\$g->\{tracktable\}\/\$g->\{stagetable\}\//, 's/\Q$g->{tracktable}\E/$g->{stagetable}/'],
	['emptying a stage table', qr/"DELETE FROM bucardo\.\$g->\{stagetable\}"/,
		q("DELETE FROM bucardo.$g->{stagetable} WHERE target = '$d->{DBGROUPNAME}'"), 2],
	['marking what was applied', qr/SELECT \* FROM bucardo\.\$g->\{stagetable\}"/,
		q(SELECT * FROM bucardo.$g->{stagetable} WHERE target = '$d->{DBGROUPNAME}'")],
	['the first word once all are committed', qr/next if ! \$d->\{trackstage\};/,
		q(next if ! $d->{trackstage}; main::mark_truncates($self, $d, $syncname);)],
	['marking the truncates as done', qr/'UPDATE bucardo\.bucardo_truncate_trigger SET replicated = now\(\) WHERE sync = \? AND replicated IS NULL';[^;]*;\s*\$d->\{sth\} = \$d->\{dbh\}->prepare\(\K\$SQL/,
		q(main::truncates_done($self, $d, $syncname, $SQL))],

# The master waits for CTLs and KIDs that were told to leave, where there are any. After a fork nobody has to wait: see
# forget_connections. The VAC comes once all CTLs are there; it has nothing to do so soon.
	['telling CTLs and KIDs to leave', qr/(?=\$self->signal_pid_files\('(?:ctl|kid)'\);)/, '$self->{machine_told} += ', 2],
	['waiting for CTLs and KIDs to leave', qr/(?=sleep 0\.5;\s+\$self->terminate_old_goats\(\);)/, 'delete $self->{machine_told} and '],
	['the parent\'s wait after a fork', qr/sleep 0\.1;(?=\s+\}\s+else \{ ## Kid)/, ''],
	['a new CTL\'s wait', qr/sleep 0\.05;/, ''],
	['validating a sync', qr/\$self->\{masterdbh\}->do\("SELECT validate_sync\('\$syncname'\)"\);/, 'main::validate_apart($self, $syncname);'],
	['the start of the VAC', qr/if \(\$config\{bucardo_vac\} and \$self->\{needsvac\}\K/, ' and $self->{machine_rounds}++ > 4'],

# A KID has its pid file some time after its birth, on a slow host many seconds: a CTL that missed the file had a second
# KID beside it, and the two waited for each other's locks.
	['a KID that is missed', qr/if \(\K! -e \$pidfile(?=\) \{\s+\$self->glog\("PID file missing)/, '! -e $pidfile && !kill(0, $self->{kidpid})'],

	['deleting rows by a key of one column', qr/WHERE \$pkcols = ANY\(\?\)/],
	['deleting rows by a key of several columns', qr/'%sDELETE FROM %s WHERE \(%s\) IN \('/],
	['the values of a key of several columns', qr/map \{ s\/[^;]+; s\{[^;]+; qq\{'\$_'\}; \} split/],
	['copying rows by a few keys', qr/" WHERE \$Table->\{pklist\} = ANY\(\?\)"/],
	['copying rows by many keys', qr/'%s%sCOPY \(%s FROM ONLY %s WHERE %s IN \(%s\)\) TO STDOUT%s'/],
	['emptying the tables that were truncated', qr/\$self->truncate_table\(\$d, \$g, \$do_cascade\);/],
	['noting which tables were truncated', qr/\$g->\{truncatewinner\} = \$self->\{truncateinfo\}\{\$S\}\{\$T\}\{maxdb\};/],
);
my @replaced = qw(mcp_main reset_mcp_listeners db_unlisten_all db_get_notices connect_database validate_sync activate_sync reload_mcp
	start_main_transaction enable_triggers truncate_table delete_rows push_rows);

# The machine reads this line (output_lines.c). The exit status is that of a bad configuration.
sub refuse {
	my ($version, $path, @lost) = @_;
	print STDERR "cannot run this Bucardo: of version $version ($path) the machine does not know: "
		. join('; ', @lost) . "\n";
	exit 78;
}
sub changed {
	my ($text, $path) = @_;
	my @lost;
	for my $change (@changes) {
		my ($name, $place, $by, $times) = @$change;
		my $count = () = $text =~ /$place/g;
		push @lost, $name if $count != ($times || 1);
		$text =~ s/$place/$by/g if defined $by;
	}
	push @lost, grep { $text !~ /^sub $_ *\{/m } @replaced;
	my ($version) = $text =~ /\$VERSION *= *'([^']*)'/;
	refuse($version || 'unknown', $path, @lost) if @lost;
	return $text;
}
BEGIN {
	unshift @INC, sub {
		my $name = $_[1];
		return if $name ne 'Bucardo.pm';
		for my $path (map { "$_/$name" } grep { !ref } @INC) {
			open my $file, '<', $path or next;
			local $/;
			my $text = "#line 1 \"$path\"\n" . changed(scalar(<$file>), $path);
			$INC{$name} = $path;
			open my $source, '<', \$text or return;
			return $source;
		}
		return;
	};
}

# start_mcp() closes STDOUT, and Perl complains at each later open(). From 5.40 on it also complains of the way in which Bucardo asks for a version of DBIx::Safe.
use strict; use warnings; use POSIX ();
$SIG{__WARN__} = sub { print STDERR @_
	if $_[0] !~ /^(Filehandle STD|Attempt to call undefined import method)/ };

# Left out: Bucardo loads them for mail and syslog, which a master of the machine uses neither of, and each process of it
# would be 3 MB larger. Custom code may load them.
BEGIN {
	@INC{qw(Net/SMTP.pm Sys/Syslog.pm)} = ('left out') x 2;
	*Sys::Syslog::import = sub {
		no strict 'refs';
		my ($to, @names) = (scalar caller, @_[1 .. $#_]);
		*{"${to}::$_"} = sub { die "Sys::Syslog is left out\n" } for @names;
	};
}
require Bucardo;
delete @INC{qw(Net/SMTP.pm Sys/Syslog.pm)};
delete $Sys::Syslog::{import};
sub forget_connections {
	open my $null, '+<', '/dev/null' or POSIX::_exit(1);
	DBI->visit_handles(sub {
		my ($handle) = @_;
		return 0 if $handle->{Type} eq 'st';
		return 1 if $handle->{Type} ne 'db' || !$handle->{Active};
		my $socket = $handle->{pg_socket};
		POSIX::dup2(fileno $null, $socket) if defined $socket && $socket > 2;
		return 0;
	});
}
no warnings qw(redefine once);
STDERR->autoflush(1);

# The settings of a session, before Bucardo says anything: SET and SHOW are nothing that a schema could shadow. An encoding of bytes stays one.
my ($socket_dir, @settings) = @ARGV;
sub pin {
	my ($dbh, $is_control) = @_;
	my @lines = map { [split / /, $_, 2] } split /\n/, $settings[$is_control ? 1 : 0];
	my $bytes = $dbh->selectrow_array('SHOW server_encoding') eq 'SQL_ASCII';
	$dbh->do(join ';', map { $_->[1] } grep { $_->[0] <= $dbh->{pg_server_version} } @lines);
	speak($dbh, $bytes ? 'SQL_ASCII' : 'UTF8');
	$dbh->{private_machine_bytes} = $bytes;
	my ($path) = $dbh->selectrow_array('SHOW search_path');
	$path =~ /^pg_catalog, / or die "DBI connect: settings do not stay in force: connect to the"
		. " server itself, or through a pooler in session mode\n";
}
sub speak {
	my ($dbh, $encoding) = @_;
	$dbh->do("SET client_encoding = '$encoding'");
	$dbh->commit if !$dbh->{AutoCommit};
	$dbh->{pg_enable_utf8} = -1; # look at the encoding again
}
my $dial = \&DBI::connect;
*DBI::connect = sub {
	my $dbh = $dial->(@_);
	pin($dbh, $_[1] =~ /;host=\Q$socket_dir\E(;|$)/) if $dbh && $_[1] =~ /^dbi:Pg:/;
	return $dbh;
};

our $at;
sub at { my ($database) = @_; return defined $at ? " at $at on $database" : '' }

# Of the two handles the control database's has no id.
my $connect = \&Bucardo::connect_database;
*Bucardo::connect_database = sub {
	my ($backend, $dbh) = $connect->(@_);
	my $name = $_[1];
	if ($name && ref $dbh && $dbh->isa('DBI::db') && $dbh->{Driver}{Name} eq 'Pg') {

# Errors are recognised by their English text, else by their state: nobody but a superuser may choose the language.
		$dbh->do("SELECT pg_catalog.set_config('lc_messages', 'C', false)"
			. " FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper");
		$dbh->{HandleError} = sub {
			my $state = $_[1]->state || '';
			$_[0] = "SQLSTATE $state" . at($name) . ": $_[0]"
				if $state =~ /^[0-9A-Z]{5}$/ && $state ne 'S1000';
			return 0;
		};
		$dbh->commit;
	}
	return ($backend, $dbh);
};

# A database that was unreachable has an entry without handle: let it be made anew.
my $validate = \&Bucardo::validate_sync;
*Bucardo::validate_sync = sub {
	my $dbs = $_[0]{sdb} || {};
	for my $name (keys %$dbs) {
		my $db = $dbs->{$name};
		delete $dbs->{$name} if ($db->{dbtype} || '') eq 'postgres' && !$db->{dbh};
	}
	return $validate->(@_);
};

# A session that has run a function in Perl keeps the interpreter, 5 MB, for as long as it lives, and that of the master
# lives long. So what validates has one of its own, which ends; one does for all syncs of a reload.
our ($validator, $is_reloading);
sub validate_apart {
	my ($self, $name) = @_;
	$self->{masterdbh}->commit; # its locks would be in the way
	my $dbh = $validator ||= ($self->connect_database())[1];
	my $is_valid = eval { $dbh->do('SELECT bucardo.validate_sync(?)', undef, $name); $dbh->commit };
	my $why = $@;
	end_validator($self) if !$is_valid || !$is_reloading;
	die $why if !$is_valid;
}
sub end_validator {
	my ($self) = @_;
	delete $self->{dbhlist}{$validator};
	$validator->disconnect;
	undef $validator;
}

# The machine reads this line (master.c): from here on the master hears what it is told.
my $loop = \&Bucardo::mcp_main;
*Bucardo::mcp_main = sub {
	my ($self) = @_;
	my $count = grep { $_->{mcp_active} && ($_->{stayalive} || $_->{kick_on_startup}) } values %{$self->{sync}};
	print STDERR "bucardo-machine: the master has entered its main loop with $count syncs to serve\n";
	renew_vac($self);
	return $loop->(@_);
};

# A reload ends all listening, commits, and begins it anew: what was said in between was lost. Nothing needs it to end.
my $listeners = \&Bucardo::reset_mcp_listeners;
*Bucardo::reset_mcp_listeners = sub {
	local *Bucardo::db_unlisten_all = sub {
		my ($self, $dbh) = @_;
		delete $self->{listening}{$dbh};
		delete $self->{listen_payload}{$dbh};
		return;
	};
	return $listeners->(@_);
};

my $reload = \&Bucardo::reload_mcp;
*Bucardo::reload_mcp = sub {
	my ($self) = @_;
	local $is_reloading = 1;
	my $count = $reload->(@_);
	end_validator($self) if $validator;
	return $count;
};

# A sync that was deactivated and is not in the table any more was torn down: the master forgets it, and talks no more to
# databases that no other sync uses. That is looked for between two rounds of its loop, where nothing uses them.
my $deactivate = \&Bucardo::deactivate_sync;
*Bucardo::deactivate_sync = sub {
	my ($self, $sync) = @_;
	$self->{machine_inactive}{$sync->{name}} = 1;
	return $deactivate->(@_);
};
sub forget_removed {
	my ($self) = @_;
	my $inactive = $self->{machine_inactive} ||= {};
	return if !%$inactive || time == ($self->{machine_looked} || 0);
	$self->{machine_looked} = time;
	delete $inactive->{$_} for grep { !$self->{sync}{$_} || $self->{sync}{$_}{mcp_active} } keys %$inactive;
	return if !%$inactive;
	my %there = map { $_ => 1 } @{$self->{masterdbh}->selectcol_arrayref('SELECT name FROM bucardo.sync')};
	$self->{masterdbh}->commit;
	my @gone = grep { !$there{$_} } keys %$inactive or return;
	my @dbs = map { values %{$_->{db} || {}} } map { delete $self->{sync}{$_} } @gone;
	delete @$inactive{@gone};
	my %used = map { $_ => 1 } map { keys %{$_->{db} || {}} } values %{$self->{sync}};
	push @dbs, delete @{$self->{sdb}}{grep { !$used{$_} } keys %{$self->{sdb}}};

# The sync has handles of its own where the master has looked whether its databases are well (check_sync_health).
	my %kept = map { $_ => 1 } grep { $_ } map { $_->{dbh} } values %{$self->{sdb}},
		map { values %{$_->{db} || {}} } values %{$self->{sync}};
	for my $dbh (grep { $_ && !$kept{$_} } map { $_->{dbh} } @dbs) {
		delete $self->{$_}{$dbh} for qw(listening listen_payload);
		$dbh->disconnect if $dbh->{Active};
	}
	renew_vac($self);
	$self->{needsvac} = 0 if !grep { $_->{needsvac} } values %{$self->{sdb}};
	$0 =~ s/(Active syncs: ).*/$1 . join ',', sort grep { $self->{sync}{$_}{mcp_active} } keys %{$self->{sync}}/e;
	print STDERR "bucardo-machine: the master has forgotten @gone\n";
}

# Where one side has an encoding of bytes, bytes go over: no other encoding is put on them, and a side that has one checks them.
sub bytes_for_all {
	my ($dbs) = @_;
	my @handles = map { $_->{dbh} } grep { $_->{dbtype} eq 'postgres' && $_->{dbh} } values %$dbs;
	return if !grep { $_->{private_machine_bytes} } @handles;
	for my $dbh (grep { !$_->{private_machine_bytes} } @handles) {
		$dbh->rollback;
		speak($dbh, 'SQL_ASCII');
		$dbh->{private_machine_bytes} = 1;
	}
}

# Which side is live, as this run sees it: the destination once its fence is lifted (worker/live/live.h). A fence that
# somebody dropped, or made anew and the machine did not see yet, says nothing: then it is the side that it was.
sub sides {
	my ($sync, $names) = @_;
	my ($live) = grep { /_destination$/ && $sync->{db}{$_}{dbtype} eq 'postgres' } @$names or return;
	my $other = $live =~ s/_destination$/_source/r;
	return if !grep { $_ eq $other } @$names;
	my ($lifted, $turned) = fence($sync->{db}{$live}{dbh});
	($lifted, $turned) = remembered($sync->{db}{$other}{dbh}, $live =~ s/_destination$//r) if !defined $lifted;
	return if !defined $lifted;
	($live, $other) = ($other, $live) if !$lifted;
	return {live => $live, follower => $other, turned => $turned};
}
sub has_table {
	my ($dbh, $schema, $name) = @_;
	return $dbh->selectrow_array(q{SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
		ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = ?
		AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')},
		undef, $schema, $name);
}
sub fence {
	my ($dbh) = @_;
	return if !has_table($dbh, 'bucardo_machine', 'fence');
	my ($rows, $lifted, $turn) = $dbh->selectrow_array(q{SELECT pg_catalog.count(*), pg_catalog.count(f.lifted),
		pg_catalog.max((pg_catalog.to_jsonb(f) OPERATOR(pg_catalog.->>) 'turn')::int) FROM bucardo_machine.fence f});
	return $rows ? ($lifted, $lifted || $turn) : ();
}
sub remembered {
	my ($dbh, $migration) = @_;
	return if !has_table($dbh, 'bucardo', 'machine_live');
	my ($lifted) = $dbh->selectrow_array('SELECT destination::int FROM bucardo.machine_live WHERE migration = ?',
		undef, $migration);
	return ($lifted, 1);
}

# Where both sides have changed a row, the live one wins it, whatever waits in that table beside it. What waits
# on the follower is of before the sides changed places: all of it, and all of the live side, is seen in one
# run, or an old row would go over a live one that is seen later.
sub heed_sides {
	my ($sync, $sides) = @_;
	my ($live, $follower) = map { $sync->{db}{$sides->{$_}} } qw(live follower);
	for my $table (@{$sync->{goatlist}}) {
		$table->{conflict_strategy} = $sides->{live}
			if ($table->{conflict_strategy} || '') =~ /^(bucardo_latest|\Q$sides->{live}\E|\Q$sides->{follower}\E)$/;
	}
	return $sides->{blind} = blind($sync, $follower) if $live->{role} ne 'source';
	return if !$sides->{turned} || $follower->{role} ne 'source' || !has_function($follower, 'machine_unpark');
	whole($sync, $follower);
	my $waiting = $follower->{dbh}->selectcol_arrayref(delta_check($follower), undef, $sync->{name},
		$follower->{DBGROUPNAME});
	$sides->{whole} = grep { /^1/ } @$waiting;
	whole($sync, $live) if $sides->{whole};
	yield_truncates($sync, $live, $follower);
}

# Of a table that was truncated only the changes of that side are read: a row that the live side has changed must
# not come from the follower's, and a truncate there must not be the last word where the live side has its own.
sub yield_truncates {
	my ($sync, $live, $follower) = @_;
	my $waiting = 'SELECT DISTINCT sname, tname FROM bucardo.bucardo_truncate_trigger'
		. ' WHERE sync = ? AND replicated IS NULL';
	my %own = map { ("@$_" => 1) } @{$live->{dbh}->selectall_arrayref($waiting, undef, $sync->{name})};
	for my $pair (@{$follower->{dbh}->selectall_arrayref($waiting, undef, $sync->{name})}) {
		if ($own{"@$pair"}) {
			$follower->{dbh}->do('UPDATE bucardo.bucardo_truncate_trigger SET replicated = pg_catalog.now()'
				. ' WHERE sync = ? AND replicated IS NULL AND sname = ? AND tname = ?', undef,
				$sync->{name}, @$pair);
		}
		yield_rows($live, $follower, $_) for grep { $_->{reltype} eq 'table'
			&& $_->{schemaname} eq $pair->[0] && $_->{tablename} eq $pair->[1] } @{$sync->{goatlist}};
	}
}
sub yield_rows {
	my ($live, $follower, $table) = @_;
	my @columns = map { "d.$_\::pg_catalog.text" } @{$table->{qpkey}};
	my $rows = $live->{dbh}->selectall_arrayref('SELECT DISTINCT ' . join(', ', @columns)
		. " FROM bucardo.$table->{deltatable} d WHERE NOT EXISTS (SELECT 1 FROM bucardo.$table->{tracktable} t"
		. ' WHERE t.txntime = d.txntime AND t.target = ?)', undef, $live->{DBGROUPNAME});
	my @lists = map { my $i = $_; [map { $_->[$i] } @$rows] } 0 .. $#columns;
	$follower->{dbh}->do("DELETE FROM bucardo.$table->{deltatable} d WHERE (" . join(', ', @columns)
		. ') IN (SELECT * FROM ROWS FROM (' . join(', ', ('pg_catalog.unnest(?::pg_catalog.text[])') x @columns)
		. ') k)', undef, @lists) if @$rows;
}
sub whole {
	my ($sync, $db) = @_;
	$db->{dbh}->do('SELECT bucardo.machine_unpark(?, 9223372036854775807)', undef, $sync->{name});
}

# With direction forward nothing is applied any more. The run ends without rows, and rolls this back.
sub blind {
	my ($sync, $db) = @_;
	$db->{deltaquick} = {};
	$db->{dbh}->do("UPDATE bucardo.$_ SET sync = sync OPERATOR(pg_catalog.||) ' (paused)'"
		. ' WHERE sync OPERATOR(pg_catalog.=) ?' . (/truncate/ ? ' AND replicated IS NULL' : ''),
		undef, $sync->{name}) for qw(bucardo_delta_names bucardo_truncate_trigger);
	return 1;
}

# Whose sync it is, and whether both sides are the ones that it left: see worker/live/identity.h.
sub last_run {
	my ($db, $sync, $owner) = @_;
	return undef if !has_function($db, 'machine_enter');
	my $row = $db->{dbh}->selectrow_arrayref('SELECT run, nonce, is_moved::int'
		. ' FROM bucardo.machine_enter(?, ?)', undef, $sync->{name}, $owner);
	return defined $row->[0] ? $row : undef;
}
sub what_differs {
	my ($here, $there) = @_;
	return 'the source has' if !$here;
	return 'the destination has' if !$there;
	return '' if $here->[0] == $there->[0] && $here->[1] eq $there->[1];

# The destination commits first: a kill may leave the source one behind, a failover may not.
	return '' if $there->[0] == $here->[0] + 1 && !$here->[2];
	return $there->[0] < $here->[0] ? "run $here->[0] is missing on the destination, it has"
		: "run $there->[0] is missing on the source, it has" if $here->[0] != $there->[0];
	return 'one of both sides has';
}
sub enter_run {
	my ($self, $sync) = @_;
	my %ends = map { /_(source|destination)$/ ? ($1 => $sync->{db}{$_}) : () } keys %{$sync->{db}};
	my ($source, $destination) = @ends{qw(source destination)};
	return if !$source || !$destination || $sync->{name} !~ /_sync(_[2-8])?$/;
	if (!$self->{machine_owner}) {
		($self->{machine_owner}) = $self->{masterdbh}->selectrow_array(
			'SELECT system_identifier FROM pg_catalog.pg_control_system()');
		$self->{masterdbh}->commit;
	}
	my ($here, $there) = map { last_run($_, $sync, $self->{machine_owner}) } $source, $destination;
	return if !$here && !$there;
	my $why = what_differs($here, $there);
	die "$why been set back, or replaced: nothing is applied until `bucardo-machine accept`\n" if $why;
	my @run = (1 + ($here->[0] > $there->[0] ? $here->[0] : $there->[0]), sprintf '%08x%08x',
		rand 0xffffffff, rand 0xffffffff);
	for my $db ($destination, $source) {
		$db->{dbh}->do('SELECT bucardo.machine_run(?, ?, ?)', undef, $sync->{name}, @run);
	}

# Marks and truncates are committed after what they stand for: always, not from the second run on.
	$destination->{writtento} = 1;
}

# Marks, of rows and of truncates, wait until all databases are committed, where each may lack what another has.
sub stage_marks {
	my ($self, $sync) = @_;
	my @sources = grep { $_->{role} eq 'source' } values %{$sync->{db}};
	for my $db (values %{$sync->{db}}) {
		$db->{trackstage} = $db->{role} eq 'source' && @sources > 1 ? 1 : 0;
		$db->{machine_truncates} = [];
	}
	my ($destination) = grep { /_destination$/ } keys %{$sync->{db}};
	$self->{machine_first} = @sources > 1 && defined $destination ? $sync->{db}{$destination} : undef;
}

# The statement of the run's own transaction: of the truncates that wait here it leaves those that count, to be
# marked later. The others give way to a later one elsewhere, and may not be there any more once that one is done.
sub truncates_done {
	my ($self, $db, $name, $sql) = @_;
	return $sql if !$db->{trackstage};
	my $rows = $db->{dbh}->selectall_arrayref('SELECT tablename, cdate::pg_catalog.text,'
		. ' pg_catalog.quote_ident(sname), pg_catalog.quote_ident(tname)'
		. ' FROM bucardo.bucardo_truncate_trigger WHERE sync = ? AND replicated IS NULL', undef, $name);
	my @ours = grep { ($self->{truncateinfo}{$_->[2]}{$_->[3]}{maxdb} || '') eq $db->{name} } @$rows;
	$db->{machine_truncates} = [map { "$_->[0], '$_->[1]'::pg_catalog.timestamptz" } @ours];
	return @ours ? "$sql AND NOT " . truncates_of($db) : $sql;
}
sub truncates_of {
	my ($db) = @_;
	return '((tablename, cdate) IN (VALUES ' . join(', ', map { "($_)" } @{$db->{machine_truncates}}) . '))';
}

# No newer one, but also one whose table was paused meanwhile.
sub mark_truncates {
	my ($self, $db, $name) = @_;
	return if $self->{dryrun} || !@{$db->{machine_truncates}};
	$db->{dbh}->do('UPDATE bucardo.bucardo_truncate_trigger SET replicated = pg_catalog.now()'
		. " WHERE sync IN (?, ? || ' (paused)') AND replicated IS NULL AND " . truncates_of($db),
		undef, $name, $name);
}

# Triggers are enabled, and with it committed, in the order of names: after the destination (what_differs).
my $enable = \&Bucardo::enable_triggers;
*Bucardo::enable_triggers = sub {
	my ($self) = @_;
	$self->{machine_first}{dbh}->commit if $self->{machine_first} && !$self->{dryrun};
	return $enable->(@_);
};

# Tables that can be read and written only with a search_path, and which: see worker/reconcile/table_paths.h.
sub table_paths {
	my ($self, $sync) = @_;
	my ($migration) = $sync->{name} =~ /^(.*)_sync(?:_[2-8])?$/ or return {};
	my $dbh = $self->{masterdbh};
	my $rows = $dbh->selectrow_array(q{SELECT pg_catalog.to_regclass('bucardo.machine_paths')})
		? $dbh->selectall_arrayref('SELECT side, tablename, path FROM bucardo.machine_paths'
			. ' WHERE migration = ?', undef, $migration) : [];
	my %paths;
	$paths{$_->[1]}{"${migration}_$_->[0]"} = $_->[2] for @$rows;
	return \%paths;
}
sub columns_path {
	my ($self, $sync, $dbh, $table) = @_;
	my $paths = table_paths($self, $sync)->{$table} || {};
	for my $name (grep { ($sync->{db}{$_}{dbh} || 0) == $dbh } keys %{$sync->{db}}) {
		$dbh->do("SET LOCAL search_path = $paths->{$name}") if $paths->{$name};
	}
}
sub set_paths {
	my ($self, $paths, $back) = @_;
	for my $name (keys %{$paths || {}}) {
		my $db = $self->{machine_sync}{db}{$name} or next;
		$db->{dbh}->do('SET LOCAL search_path = ' . ($back || $paths->{$name}));
	}
}

# The first word of a run's transaction: see worker/deltas/batch_limit.h.
my $begin = \&Bucardo::start_main_transaction;
*Bucardo::start_main_transaction = sub {
	my ($self, $info) = @_;
	my $sync = $info->{sync};
	bytes_for_all($sync->{db});
	$begin->(@_);
	enter_run($self, $sync);
	stage_marks($self, $sync);
	my $sides = sides($sync, $info->{databases});
	heed_sides($sync, $sides) if $sides;
	$self->{machine_sides} = $sides;
	$self->{machine_sync} = $sync;
	$self->{machine_paths} = table_paths($self, $sync);
	$self->{masterdbh}->commit;
	@$self{qw(machine_emptied machine_spared machine_shared)} = ({}, {}, {});
	for my $name (@{$info->{databases}}) {
		my $db = $sync->{db}{$name};
		next if $db->{dbtype} ne 'postgres' || $db->{role} ne 'source';
		next if $sides && ($sides->{whole} || $sides->{blind});
		next if !has_function($db, 'machine_stage');
		$db->{dbh}->do('SELECT bucardo.machine_stage(?)', undef, $sync->{name});
	}
	return undef;
};
apply_our_way();
serve_our_way();

# An error says which table a run was at, and on which database: see worker/tables/refused_tables.h.
for my $name (qw(delete_rows push_rows)) {
	no strict 'refs';
	my $sub = \&{"Bucardo::$name"};
	*{"Bucardo::$name"} = sub {
		my ($table) = grep { ref eq 'HASH' && exists $_->{safetable} } @_;
		local $at = defined $table ? "$table->{safeschema}.$table->{safetable}" : undef;
		my $paths = defined $at && $_[0]{machine_paths} && $_[0]{machine_paths}{$at} or return $sub->(@_);
		set_paths($_[0], $paths);
		my $count = $sub->(@_);
		set_paths($_[0], $paths, 'pg_catalog, pg_temp');
		return $count;
	};
}
Bucardo->new({dbname => 'bucardo', dbuser => 'bucardo', dbhost => $ARGV[0],
	sendmail => 0, bcverbose => 1, logdest => ['stderr']})->start_mcp([]);
