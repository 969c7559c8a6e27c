# What a KID writes: how it empties the tables that were truncated, deletes the rows of the keys that waited
# and copies them anew. These functions take the place of Bucardo's own, for PostgreSQL; launch.c says why.
use strict; use warnings;

# How many keys one statement names.
my $chunk = 6000;

# Of one table at one database: its kind, its columns, and of each column of the key its name, the type that
# values of it are given as, and the operator that its unique index means by "equal", else its type; and whether
# equal keys are the same bytes. Asked anew for each run: the table may have been altered.
my $key_sql = q{
SELECT q.relkind, q.name, q.type, q.domain, (SELECT 'OPERATOR(' || pg_catalog.quote_ident(n.nspname)
		|| '.' || o.oprname || ')' FROM pg_catalog.pg_operator o
	JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = q.equal), EXISTS (
	WITH RECURSIVE part(oid, inside) AS (SELECT q.base, false
		UNION SELECT x.oid, x.inside FROM part JOIN pg_catalog.pg_type y ON y.oid = part.oid CROSS JOIN LATERAL (
			SELECT y.typbasetype, part.inside WHERE y.typtype = 'd'
			UNION ALL SELECT y.typelem, true WHERE y.typtype = 'b' AND y.typelem <> 0
			UNION ALL SELECT a.atttypid, true FROM pg_catalog.pg_attribute a WHERE y.typtype = 'c'
				AND a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped
			UNION ALL SELECT g.rngsubtype, true FROM pg_catalog.pg_range g WHERE y.oid = g.rngtypid
				OR y.oid::pg_catalog.text = pg_catalog.to_jsonb(g)->>'rngmultitypid') x(oid, inside))
	SELECT 1 FROM part JOIN pg_catalog.pg_type y ON y.oid = part.oid WHERE part.inside AND y.typtype = 'd'),
	q.one_spelling, q.labelled
FROM (SELECT c.relkind, pg_catalog.quote_ident(a.attname) AS name,
	b.oid AS base, pg_catalog.format_type(b.oid, -1) AS type, a.atttypid <> b.oid AS domain,
	(SELECT y.typtype = 'e' FROM pg_catalog.pg_type y WHERE y.oid = b.oid) AS labelled,
	b.oid = ANY ('{int2,int4,int8,oid,bool,uuid,date,timestamp,timestamptz,bytea,text,varchar,bpchar}'
		::pg_catalog.regtype[]::pg_catalog.oid[]) AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_collation l
		WHERE l.oid = a.attcollation AND NOT l.collisdeterministic) AS one_spelling,
	pg_catalog.array_position(k.names, a.attname::pg_catalog.text) AS place, coalesce((
	SELECT m.amopopr FROM pg_catalog.pg_index i
	CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey::pg_catalog.int2[]),
		pg_catalog.unnest(i.indclass::pg_catalog.oid[])) AS u(att, class)
	JOIN pg_catalog.pg_opclass f ON f.oid = u.class
	JOIN pg_catalog.pg_amop m ON m.amopfamily = f.opcfamily AND m.amopstrategy = 3
		AND m.amoplefttype = f.opcintype AND m.amoprighttype = f.opcintype
	WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
	AND i.indexprs IS NULL AND u.att = a.attnum AND i.indnkeyatts = (
		SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute x WHERE x.attrelid = c.oid
		AND x.attnum = ANY (i.indkey) AND x.attname = ANY (k.names))
	ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1), (
	SELECT m.amopopr FROM pg_catalog.pg_opclass f
	JOIN pg_catalog.pg_amop m ON m.amopfamily = f.opcfamily AND m.amopstrategy = 3
		AND m.amoplefttype = f.opcintype AND m.amoprighttype = f.opcintype
	JOIN pg_catalog.pg_am h ON h.oid = f.opcmethod AND h.amname = 'btree'
	WHERE f.opcdefault AND f.opcintype = b.oid)) AS equal
FROM (SELECT ?::pg_catalog.regclass AS oid, ?::pg_catalog.text[] AS names) k
JOIN pg_catalog.pg_class c ON c.oid = k.oid
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY (k.names)
CROSS JOIN LATERAL (
	WITH RECURSIVE t(oid, base) AS (
		SELECT y.oid, y.typbasetype FROM pg_catalog.pg_type y WHERE y.oid = a.atttypid
		UNION ALL SELECT y.oid, y.typbasetype FROM t JOIN pg_catalog.pg_type y ON y.oid = t.base)
	SELECT t.oid FROM t WHERE t.base = 0) b
WHERE NOT a.attisdropped) q ORDER BY q.place};

sub key_of {
	my ($db, $name, $table) = @_;
	my $sth = $db->{dbh}->prepare_cached($key_sql);
	$sth->execute($name, [@{$table->{pkey}}]);
	my $rows = $sth->fetchall_arrayref;
	die "the columns of the key of $name on database $db->{name} are not @{$table->{pkey}}\n"
		if @$rows != $table->{numpkcols};

	# Its checks are somebody's functions, and would run with our rights when a key is read.
	die "a type of the key of $name on database $db->{name} has a domain inside\n" if grep { $_->[5] } @$rows;
	return {kind => $rows->[0][0], columns => [map { {name => $_->[1], type => $_->[2],
		domain => $_->[3], equal => $_->[4], labelled => $_->[7]} } @$rows], one_spelling => !grep { !$_->[6] } @$rows};
}

# Of a table that is read: its owner may have put a view in its place, whose functions would run with our rights.
# The lock keeps the table there to the end of the run.
sub key_of_source {
	my ($db, $name, $table) = @_;
	$db->{dbh}->do("LOCK TABLE ONLY $name IN ACCESS SHARE MODE");
	my $key = key_of($db, $name, $table);
	die "$name on database $db->{name} is no table any more\n" if $key->{kind} !~ /^[rp]$/;
	return $key;
}

# The condition that finds the rows of table "bm" whose key is given, a placeholder for each column of the key.
# Equal is what the type of the column means by it, also where the key was written in another way (citext, a
# scale, a collation): the delta tables hold one of the ways.
sub key_condition {
	my ($table, $key) = @_;
	my @columns = @{$key->{columns}};
	my (@given, @equal);
	for my $i (0 .. $#columns) {
		my $c = $columns[$i];
		my $equal = $c->{equal} || 'OPERATOR(pg_catalog.=)';
		my $column = "bm.$c->{name}" . ($c->{domain} ? "::$c->{type}" : '');

		# Bucardo asks for bytes in base64, also where the column is of a domain over them.
		my $text = $table->{pkeytype}[$i] eq 'bytea';
		push @given, $text ? "pg_catalog.decode(pg_catalog.unnest(?::pg_catalog.text[]), 'base64')"
			: @columns == 1 ? "?::$c->{type}\[]" : "pg_catalog.unnest(?::$c->{type}\[])";
		push @equal, "$column $equal";
	}
	if (@columns == 1) {
		return "$equal[0] ANY (" . ($given[0] =~ /^\?/ ? $given[0] : "ARRAY(SELECT $given[0])") . ')';
	}
	return 'EXISTS (SELECT 1 FROM (SELECT ' . join(', ', map { "$given[$_] AS k$_" } 0 .. $#given)
		. ') k WHERE ' . join(' AND ', map { "$equal[$_] k.k$_" } 0 .. $#equal) . ')';
}

# The keys of a run, as lists for these placeholders; all in one when `whole`.
sub key_chunks {
	my ($table, $rows, $whole) = @_;
	my (@chunks, $count);
	for my $key (keys %$rows) {
		push @chunks, [map { [] } 1 .. $table->{numpkcols}]
			if !@chunks || (!$whole && $count % $chunk == 0);
		$count++;
		my @values = $table->{numpkcols} == 1 ? $key : split "\0", $key, -1;
		push @{$chunks[-1][$_]}, $values[$_] for 0 .. $#values;
	}
	return @chunks;
}
sub list { return ref $_[0] eq 'ARRAY' ? @{$_[0]} : $_[0] }
sub name_at {
	my ($table, $sync, $db) = @_;
	return $table->{newname}{$sync->{name} || ''}{$db->{name}};
}

# Others may take from a table that a run writes to (worker/deltas/sql/machine_share.sql): what comes here is a
# change for them. Asked once in a run of each database, and said before each table that is written to.
sub shared_tables {
	my ($sync, $db) = @_;
	return {} if $db->{dbtype} ne 'postgres' || !has_function($db, 'machine_share');
	return {map { $_ => 1 } @{$db->{dbh}->selectcol_arrayref('SELECT DISTINCT d.tablename'
		. " FROM bucardo.bucardo_delta_names d WHERE d.sync NOT IN (?, ? || ' (paused)')", undef,
		$sync->{name}, $sync->{name})}};
}
sub share {
	my ($self, $sync, $db, $name) = @_;
	my $shared = $self->{machine_shared}{$db->{name}} ||= shared_tables($sync, $db);
	return 0 if !%$shared;
	if (!$shared->{$name}) {
		$db->{dbh}->do(q{SELECT pg_catalog.set_config('bucardo_machine.shared', '', true)});
	} elsif ($shared->{$name}++ == 1) {
		$db->{dbh}->do('SELECT bucardo.machine_share(?, ?, ?)', undef, $sync->{name}, $name,
			$db->{DBGROUPNAME});
	} else {
		$db->{dbh}->do(q{SELECT pg_catalog.set_config('bucardo_machine.shared', 'on', true)});
	}
	return $shared->{$name} ? 1 : 0;
}

# A target may be a partitioned table of the same name: then all of it is meant, else never what inherits.
sub only { return $_[0] eq 'p' ? '' : 'ONLY ' }

my ($delete_rows, $push_rows, $truncate_table);
sub delete_ours {
	my ($self, $rows, $table, $sync, $targets) = @_;
	my @targets = list($targets);
	return $delete_rows->(@_) if grep { $_->{dbtype} ne 'postgres' } @targets;
	if (exists $table->{truncatewinner}) {
		@targets = grep { $self->{machine_spared}{$_->{name}}{$table->{id}} } @targets or return 0;
		$rows = rows_present($sync->{db}{$table->{truncatewinner}}, $table, $rows);
	}
	my (%statement, $count);
	share($self, $sync, $_, name_at($table, $sync, $_)) for @targets;
	for my $keys (key_chunks($table, $rows)) {
		for my $t (@targets) {
			my $name = name_at($table, $sync, $t);
			$statement{$t->{name}} ||= do {
				my $key = key_of($t, $name, $table);
				$t->{dbh}->prepare("$self->{sqlprefix}DELETE FROM " . only($key->{kind})
					. "$name AS bm WHERE " . key_condition($table, $key),
					{pg_async => 1, pg_server_prepare => 0});
			};
			$statement{$t->{name}}->execute(@$keys);
			$t->{async_active} = time;
		}
		for my $t (@targets) {
			$count += $t->{dbh}->pg_result;
			$t->{async_active} = 0;
		}
	}
	return $count || 0;
}
sub push_ours {
	my ($self, $rows, $table, $sync, $source, $targets, $mode) = @_;
	my @targets = list($targets);
	my $name = "$table->{safeschema}.$table->{safetable}";
	return $push_rows->(@_) if $mode ne 'copy' || grep { $_->{dbtype} ne 'postgres'
		|| $sync->{db}{$_->{name}}{does_makedelta}{$name} } @targets;
	my $key = key_of_source($source, $name, $table);

	# A key that waits in two spellings finds its row twice: a statement gives it once.
	my @chunks = key_chunks($table, $rows, !$key->{one_spelling}) or return 0;
	my $condition = key_condition($table, $key);
	my (%by_select, $count);
	push @{$by_select{$table->{newcols}{$sync->{name}}{$_->{name}} || 'SELECT *'}}, $_ for @targets;
	for my $select (sort keys %by_select) {
		my @to = @{$by_select{$select}};

		# Bucardo asked once, and one of the sources: they may have their columns in another order, or altered.
		my $sample = $source->{dbh}->prepare("$select FROM ONLY $name AS bm LIMIT 0", {pg_server_prepare => 0});
		$sample->execute;
		my @columns = @{$sample->{NAME}};
		$sample->finish;
		for my $t (@to) {
			share($self, $sync, $t, name_at($table, $sync, $t));
			$t->{dbh}->do("$self->{sqlprefix}COPY " . name_at($table, $sync, $t) . '('
				. join(',', map { $t->{dbh}->quote_identifier($_) } @columns)
				. ') FROM STDIN');
		}
		for my $keys (@chunks) {
			my $sth = $source->{dbh}->prepare("$self->{sqlprefix}COPY ($select FROM ONLY $name AS bm"
				. " WHERE $condition) TO STDOUT " . ($sync->{copyextra} || ''));
			$sth->execute(@$keys);
			my $row = '';
			while ($source->{dbh}->pg_getcopydata($row) >= 0) {
				$count++;
				$_->{dbh}->pg_putcopydata($row) for @to;
			}
		}
		$_->{dbh}->pg_putcopyend for @to;
	}
	return $count || 0;
}

# What of this table waits at a database that is a source too, and is not of before the truncate: two values.
sub newer { return "FROM bucardo.$_[0]{deltatable} d WHERE $_[1] d.txntime > pg_catalog.to_timestamp(?)"
	. " AND NOT EXISTS (SELECT 1 FROM bucardo.$_[0]{tracktable} t WHERE t.txntime = d.txntime AND t.target = ?)" }

# Two servers' clocks: what waits on the live side is newer than a truncate on the other, and older on that one.
sub time_of_truncate {
	my ($self, $db, $table) = @_;
	my $sides = $self->{machine_sides};
	return $sides->{live} eq $db->{name} ? 0 : 'Infinity' if $sides && $sides->{turned};
	return $self->{truncateinfo}{$table->{safeschema}}{$table->{safetable}}{maxtime};
}

# The delta tables have an enum as text (machine_key_type). No cast is asked: its owner may have made one.
sub same_key {
	my ($c) = @_;
	return "bm.$c->{name} $c->{equal} d.$c->{name}" if !$c->{labelled};
	return join ' OPERATOR(pg_catalog.=) ', map { qq{pg_catalog.format('%s', $_.$c->{name}) COLLATE pg_catalog."C"} } qw(bm d);
}

# A row that was written here after the truncate there stays, and what waits of before it is void.
sub spare_newer {
	my ($self, $db, $table, $name) = @_;
	my @values = (time_of_truncate($self, $db, $table), $db->{DBGROUPNAME});
	$db->{dbh}->do("INSERT INTO bucardo.$table->{tracktable} (txntime, target) SELECT DISTINCT d.txntime, ? "
		. newer($table, 'NOT'), undef, $values[1], @values);
	return if !$db->{dbh}->selectrow_array('SELECT 1 ' . newer($table, '') . ' LIMIT 1', undef, @values);
	my $key = key_of($db, $name, $table);
	$self->{machine_spared}{$db->{name}}{$table->{id}} = 1;
	return {values => \@values, where => ' AS bm WHERE NOT EXISTS (SELECT 1 ' . newer($table, '')
		. join('', map { ' AND ' . same_key($_) } @{$key->{columns}}) . ')'};
}

# Only what the truncated side has again goes over such a row, not what waited of a row that is gone.
sub rows_present {
	my ($db, $table, $rows) = @_;
	my $name = "$table->{safeschema}.$table->{safetable}";
	my $sth = $db->{dbh}->prepare("SELECT $table->{pklist} FROM ONLY $name AS bm WHERE "
		. key_condition($table, key_of_source($db, $name, $table)), {pg_server_prepare => 0});
	my %present;
	for my $keys (key_chunks($table, $rows)) {
		$sth->execute(@$keys);
		$present{join "\0", @$_} = 1 for main::exact_keys($sth, @{$sth->fetchall_arrayref});
	}
	return \%present;
}

# The tables that somebody truncated at another database than this one. One that a table refers to which is
# not among them cannot be truncated, whoever is asked.
sub tables_to_empty {
	my ($self, $db) = @_;
	my $sync = $self->{machine_sync};
	my %table;
	for my $t (@{$sync->{goatlist}}) {
		next if $t->{reltype} ne 'table' || ($t->{truncatewinner} || $db->{name}) eq $db->{name};
		my $name = name_at($t, $sync, $db);
		my ($oid, $kind) = $db->{dbh}->selectrow_array('SELECT oid, relkind FROM pg_catalog.pg_class'
			. ' WHERE oid = ?::pg_catalog.regclass', undef, $name);
		my $spare = $db->{role} eq 'source' && spare_newer($self, $db, $t, $name);

		# Rows that are deleted are captured for whoever else takes from it, its triggers being of any kind.
		my $shared = share($self, $sync, $db, $name);
		$table{$oid} = {name => only($kind) . $name, spare => $spare, refused => $spare || $shared,
			table => $name,
			at => "$t->{safeschema}.$t->{safetable}"};
	}
	my $references = $db->{dbh}->selectall_arrayref('SELECT confrelid, conrelid FROM pg_catalog.pg_constraint'
		. " WHERE contype = 'f' AND confrelid = ANY (?::pg_catalog.oid[])", undef, [keys %table]);
	my $more = 1;
	while ($more) {
		$more = 0;
		for my $r (@$references) {
			next if !$table{$r->[0]} || $table{$r->[0]}{refused};
			next if $table{$r->[1]} && !$table{$r->[1]}{refused};
			$more = $table{$r->[0]}{refused} = 1;
		}
	}
	return sort { $a->{name} cmp $b->{name} } values %table;
}

# All in one statement, or they refuse because of each other. Where the server refuses it still (a right is
# missing, a partition is referred to), and where it would, rows are deleted. What fails otherwise ends the run.
sub empty_tables {
	my ($self, $db) = @_;
	my $dbh = $db->{dbh};
	my @tables = tables_to_empty($self, $db);
	my $names = join ', ', map { $_->{name} } grep { !$_->{refused} } @tables;
	if ($names ne '') {
		$dbh->do('SAVEPOINT bm_truncate');
		if (!eval { $dbh->do("$self->{sqlprefix}TRUNCATE $names"); 1 }) {
			my ($why, $state) = ($@, $dbh->state);
			die $why if $state !~ /^(0A000|42501|42809)$/;
			$dbh->do('ROLLBACK TO bm_truncate');
			$_->{refused} = 1 for @tables;
		}
		$dbh->do('RELEASE bm_truncate');
	}
	for my $t (grep { $_->{refused} } @tables) {
		local $main::at = $t->{at}; # see at() in launch.pl
		my $spare = $t->{spare} || {where => '', values => []};
		share($self, $self->{machine_sync}, $db, $t->{table});
		$dbh->do("$self->{sqlprefix}DELETE FROM $t->{name}$spare->{where}", undef, @{$spare->{values}});
	}
	$self->glog("Emptied on $db->{name}: " . join(', ', map { $_->{name} } @tables), 2);
}
sub truncate_ours {
	my ($self, $db, $table) = @_;
	return $truncate_table->(@_) if $db->{dbtype} ne 'postgres' || !exists $table->{truncatewinner};
	local $SIG{__DIE__} = sub {};
	empty_tables($self, $db) if !$self->{machine_emptied}{$db->{name}}++;
	return 1;
}
sub apply_our_way {
	no warnings 'redefine';
	($delete_rows, $push_rows, $truncate_table)
		= (\&Bucardo::delete_rows, \&Bucardo::push_rows, \&Bucardo::truncate_table);
	*Bucardo::delete_rows = \&delete_ours;
	*Bucardo::push_rows = \&push_ours;
	*Bucardo::truncate_table = \&truncate_ours;
}
