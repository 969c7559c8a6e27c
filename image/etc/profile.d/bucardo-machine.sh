# What a login shell in the machine's container needs: `kubectl exec -i -t POD -- bash -l`.
#
# Prints nothing and changes nothing but PATH unless a person sits at a terminal. HOME is on the
# volume and may be empty or unreadable, so everything stands here, in the image.

# /etc/profile has just replaced the image's PATH.
PATH=/usr/local/bin:/usr/lib/postgresql/17/bin:/usr/bin:/bin

# An interactive shell runs inside `bucardo-machine session`, a terminal of its own that keeps an
# idle connection alive and hangs up what was started here when the client is gone. It starts this
# shell again, with the variable set. Exit code 125: it could not; go on without.
if [[ $- == *i* && -t 0 && -t 1 && -z ${BASH_EXECUTION_STRING+set} && -z ${BUCARDO_MACHINE_SESSION-} ]]; then
	bucardo-machine session -- bash -l
	_bm_code=$?
	[[ $_bm_code -eq 125 ]] || exit "$_bm_code"
	unset _bm_code
fi

if [[ $- == *i* && -t 1 ]]; then
	cd 2>/dev/null || cd /
	PS1='\h:\w\$ '
	# The Tab key: commands, options, names of migrations and units.
	. /usr/local/share/bash-completion/completions/bucardo-machine 2>/dev/null
	cat <<-'EOF'
		The bucardo machine. Type as in the README:
		  bucardo-machine status      what runs, what replicates, what to do next
		  bucardo-machine help        the other commands; Tab completes them
		  bucardo status, pg_dump, ...; psql alone says how to name a database
	EOF
fi
