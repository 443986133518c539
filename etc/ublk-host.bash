# SPDX-License-Identifier: MIT
# Completion of ublk-host for bash. Verbs and options come from the program's own --help, so that
# they cannot be out of date; plugins and devices from its lists.

_ublk_host_options()
{
	"$1" "$2" --help 2>/dev/null | sed -n 's/^ .* \(--[a-z-]*\) .*/\1/p'
}

_ublk_host_verbs()
{
	"$1" --help 2>/dev/null | sed -n '/^Verbs:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

# Names in the first column of a list, under its headings.
_ublk_host_plugins()
{
	"$@" plugins 2>/dev/null | awk 'NR > 1 && $1 ~ /^[a-z0-9][a-z0-9-]*$/ { print $1 }'
}

_ublk_host_devices()
{
	"$1" list 2>/dev/null | awk 'NR > 1 { print $1; if ($2 != "-") print $2 }'
}

_ublk_host_paths()
{
	"$1" features 2>/dev/null | sed -n '/^Data paths:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

_ublk_host()
{
	local program=${COMP_WORDS[0]} verb=run cur prev words
	local IFS=$' \t\n'

	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	case ${COMP_WORDS[1]} in
	-* | '') ;;
	*) verb=${COMP_WORDS[1]} ;;
	esac
	if ((COMP_CWORD == 1)) && [[ $cur != -* ]]; then
		words=$(_ublk_host_verbs "$program")
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	case $prev in
	--plugin)
		if [[ $cur == */* ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			compopt -o filenames
		else
			words=$(_ublk_host_plugins "$program")
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		fi
		return
		;;
	--plugin-dir | --directory)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		compopt -o filenames
		return
		;;
	--manifest | --log-file | --shared-memory | --dump-plugin)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		return
		;;
	--cpus)
		mapfile -t COMPREPLY < <(compgen -W "auto none" -- "$cur")
		return
		;;
	--poll-us)
		mapfile -t COMPREPLY < <(compgen -W "auto" -- "$cur")
		return
		;;
	--profile)
		mapfile -t COMPREPLY < <(compgen -W "map call async" -- "$cur")
		return
		;;
	--sandbox)
		mapfile -t COMPREPLY < <(compgen -W "full off" -- "$cur")
		return
		;;
	--user)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		return
		;;
	--latency)
		mapfile -t COMPREPLY < <(compgen -W "on off" -- "$cur")
		return
		;;
	--under)
		mapfile -t COMPREPLY < <(compgen -W "valgrind asan" -- "$cur")
		return
		;;
	--only | --skip)
		words=$("$program" check --list 2>/dev/null | awk '{ print $1 }')
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
		;;
	--data-path)
		words="auto $(_ublk_host_paths "$program")"
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
		;;
	--opt | --name | --id | --queues | --depth | --max-io | --logical-block | \
		--physical-block | --io-timeout | --plugin-timeout | --threads-per-queue | --timeout | \
		--seed | --interval | --count | --restart-limit | --restart-window)
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		words=$(_ublk_host_options "$program" "$verb")
		((COMP_CWORD > 1)) || words+=" --dump-plugin --version"
	else
		case $verb in
		down | export | info | recover | resize | stats | upgrade) words=$(_ublk_host_devices "$program") ;;
		check | plugins)
			if [[ $cur == */* ]]; then
				mapfile -t COMPREPLY < <(compgen -f -- "$cur")
				compopt -o filenames
				return
			fi
			words=$(_ublk_host_plugins "$program")
			;;
		help) words=$(_ublk_host_verbs "$program") ;;
		apply | diff | serve)
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
			compopt -o filenames
			return
			;;
		*) words= ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _ublk_host ublk-host
