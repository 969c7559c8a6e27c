# How the master comes to serve a sync. It is told so by name, `activate_sync_NAME`; Bucardo knows only the names that
# it has read at its start, and a reload, which reads them anew, ends all others and begins again with the first: with
# 40 migrations, each of which needs one, none was served for minutes. Here a name is looked up when it is told.
use strict; use warnings;

# Names that wait for their turn, what was said of them and while it was deaf, and how long the last one took.
my (@queue, %kept);
my $took = 1;
our $is_validating;

# A sync is validated in some hundredths of a second, on a slow host in ten: an iteration of the main loop activates as many
# as half a second has room for. Then it starts their controllers, kicks the others and answers, before the next.
sub take_iteration {
	my ($self, $said) = @_;
	%$said = (%kept, %$said);
	%kept = ();
	separate_off_and_on($said);
	for my $word (sort keys %$said) {
		my ($verb, $name) = $word =~ /^(activate|deactivate)_sync_(.+)/s or next;
		my $waits = grep { $_ eq $name } @queue;
		push @queue, $name if $verb eq 'activate' && !$waits;
		delete $said->{$word} if $verb eq 'activate';
		call_off($self, $name) if $verb eq 'deactivate';
	}
	return if !@queue;
	my @names = splice @queue, 0, $took < 0.05 ? 8 : $took < 0.25 ? int(0.5 / $took) : 1;
	my %waits = map { ($_ => 1) } @queue;

# What is said of one that waits is heard after its activation.
	for my $word (keys %$said) {
		$kept{$word} = delete $said->{$word}
			if $word =~ /^(?:kick|reload|pause|resume)_sync_(.+)/s && $waits{$1};
	}
	learn($self, $_) for @names;
	$said->{"activate_sync_$_"} = {count => 1, firstpid => 0, pid => {}} for @names;
	report_queue(@names);
}

# Bucardo calls one that is not active deactivated already, and leaves what the table says: the next start would run it.
sub call_off {
	my ($self, $name) = @_;
	@queue = grep { $_ ne $name } @queue;
	return if !$self->{sync}{$name} || $self->{sync}{$name}{mcp_active};
	$self->{masterdbh}->do(q{UPDATE bucardo.sync SET status = 'inactive' WHERE name = ? AND status = 'active'}, undef, $name);
	$self->{masterdbh}->commit;
}

# The machine reads this line (master.c).
sub report_queue {
	printf STDERR "bucardo-machine: the master activates one sync after the other, %d wait for %s\n",
		scalar @queue, join ', ', @_;
}

# One that runs is left as it is; of any other the row in the control database counts.
sub learn {
	my ($self, $name) = @_;
	my $known = $self->{sync}{$name};
	return if $known && $known->{mcp_active}
		&& ($known->{status} ne 'stalled' || $known->{controller} && kill 0 => $known->{controller});
	my $row = $self->get_syncs()->{$name} or return;
	@$row{qw(mcp_changed mcp_active kick_on_startup controller)} = (1, 0, 0, 0);
	$self->{sync}{$name} = $row;
	Bucardo::db_listen($self, $self->{masterdbh}, $_, '', 1) for "activate_sync_$name", "reload_sync_$name";
	$self->{masterdbh}->commit;
}

# While it validates it looks for a ping, answers in the wrong way, and drops the rest.
sub keep {
	my ($self, $said) = @_;
	for my $word (grep { !/^mcp_(?:ping|fullstop)$/ } keys %$said) {
		my $heard = delete $said->{$word};
		$kept{$word} = $heard if $heard->{firstpid} != $self->{mcp_backend};
	}
	$self->db_notify($self->{masterdbh}, 'mcp_pong', 1) if delete $said->{mcp_ping};
}

# As Bucardo gathers what was said, and the place of each word: of "deactivate" and "activate" that come at once, the later
# one counts.
my $place = 0;
sub read_in_order {
	my ($dbh) = @_;
	my %said;
	while (my $one = $dbh->func('pg_notifies')) {
		my ($word, $pid, $payload) = @$one;
		$word = $payload ? $payload : $word =~ s/^bucardo_//r;
		my $heard = $said{$word} ||= {count => 0, firstpid => $pid, pid => {}};
		$heard->{count}++;
		$heard->{pid}{$pid}++;
		$heard->{place} = ++$place;
	}
	return \%said;
}

# One that is switched off and on at once is switched off now, and on in the next iteration.
sub separate_off_and_on {
	my ($said) = @_;
	for my $name (map { /^activate_sync_(.+)/s ? $1 : () } keys %$said) {
		my ($on, $off) = @$said{"activate_sync_$name", "deactivate_sync_$name"};
		next if !$off;
		$kept{"activate_sync_$name"} = $on if $on->{place} > $off->{place};
		delete $said->{"activate_sync_$name"};
	}
}

sub serve_our_way {
	no warnings qw(redefine once);
	my $hear = \&Bucardo::db_get_notices;
	*Bucardo::db_get_notices = sub {
		my ($self, $dbh) = @_;
		return $hear->(@_) if $self->{logprefix} ne 'MCP' || $dbh != $self->{masterdbh};
		forget_removed($self) if !$is_validating;
		my $said = read_in_order($dbh);
		$is_validating ? keep($self, $said) : take_iteration($self, $said);
		return $said;
	};
	my $validate = \&Bucardo::validate_sync;
	*Bucardo::validate_sync = sub {
		local $is_validating = 1;
		return $validate->(@_);
	};

# A master without syncs listens to no channel on which it would hear of the first.
	my $listeners = \&Bucardo::reset_mcp_listeners;
	*Bucardo::reset_mcp_listeners = sub {
		my ($self) = @_;
		my $done = $listeners->(@_);
		$self->db_listen($self->{masterdbh}, 'syncdone');
		$self->{masterdbh}->commit;
		return $done;
	};
	my $activate = \&Bucardo::activate_sync;
	*Bucardo::activate_sync = sub {
		my ($self, $sync) = @_;
		local $main::is_reloading = $main::is_reloading || @queue > 0; # one session validates for all of them
		my $began = Time::HiRes::time();
		my $done = $activate->(@_);
		$took = Time::HiRes::time() - $began;
		if ($self->{mcp_loop_started}) {
			needs_purge($self, $sync) if $done;
			renew_vac($self) if !@queue;
		}
		return $done;
	};
}

# start_mcp() looks for work for the VAC, once; later there may be more.
sub needs_purge {
	my ($self, $sync) = @_;
	my @dbs = grep { $_->{dbtype} eq 'postgres' } values %{$sync->{db}};
	my @sources = grep { $_->{role} eq 'source' } @dbs;
	return if @sources < 2 && !grep { $_->{role} eq 'target' } @dbs;
	$self->{sdb}{$_->{name}}{needsvac} = 2 for @sources;
	$self->{needsvac} = 1 if @sources;
}

# One VAC serves the databases that it knew at its start. The working folder is the piddir; the master starts another
# soon.
sub renew_vac {
	my ($self) = @_;
	my $purged = join ',', sort grep { $self->{sdb}{$_}{needsvac} } keys %{$self->{sdb}};
	kill USR1 => $self->{vacpid} if $self->{vacpid} && -e 'bucardo.vac.pid'
		&& defined $self->{machine_purged} && $self->{machine_purged} ne $purged;
	$self->{machine_purged} = $purged;
}
