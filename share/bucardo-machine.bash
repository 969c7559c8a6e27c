# Completion of bucardo-machine for bash: the words come from `bucardo-machine help`, so that
# there is one list of commands; names of units come from the machine that runs.
_bucardo_machine() {
	local current=${COMP_WORDS[COMP_CWORD]} first=${COMP_WORDS[1]} possible=""
	if [[ $current == -* ]]; then
		[[ ${COMP_WORDS[2]:--} != -* ]] && ((COMP_CWORD > 2)) && first+=" ${COMP_WORDS[2]}"
		# shellcheck disable=SC2086 # two words
		possible=$({ bucardo-machine help $first || bucardo-machine help "${first% *}"; } 2>/dev/null |
			grep -oE -- '--[a-z-]+' | sort -u)
	elif ((COMP_CWORD == 1)); then
		possible=$(bucardo-machine help | awk '/^  [a-z]/ { print $1 }' | sort -u)
	elif ((COMP_CWORD == 2)); then
		possible=$(bucardo-machine help | awk -v first="$first" '
			/^  [a-z]/ && $1 == first && substr($0, 28) != "" {
				split(substr($0, 3, 25), words, " ")
				if (words[2] ~ /^[a-z|]+$/) { gsub(/\|/, "\n", words[2]); print words[2] } }')
	elif [[ $first == service ]]; then
		possible=$(bucardo-machine service list 2>/dev/null | awk 'NR > 1 && /^[a-z]/ { print $1 }')
	fi
	mapfile -t COMPREPLY < <(compgen -W "$possible" -- "$current")
}
complete -o default -F _bucardo_machine bucardo-machine
