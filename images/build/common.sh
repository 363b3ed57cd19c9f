# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the scripts that source this
# What the build scripts share: where things are, and how to say what goes on. Sourced.
set -euo pipefail

images=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
source_root=$(dirname "$images")
target_dir=$(readlink -m "${CARGO_TARGET_DIR:-$source_root/target}")
# What takes minutes and changes rarely: the toolbox, the base system. Keyed by what they are made from; safe to delete.
cache=$(readlink -m "${MICROKERNEL_CACHE:-$HOME/.cache/microkernel}")
machine=${MACHINE:-virtual}
out=$target_dir/image/$machine

say() { printf '\033[1m%s\033[0m %s\n' "[$((SECONDS / 60))m$(printf %02d $((SECONDS % 60)))s]" "$*" >&2; }
fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Whoever makes something in the cache holds its lock until the script ends; others wait, and then find it made.
lock() {
	mkdir -p "$cache"
	exec 9>"$1.lock"
	flock 9
}

need_version() {
	[[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+([-+.][0-9A-Za-z.-]+)?$ ]] || fail "\"$1\" is no version: expected for example 1.0.1"
}

# A root filesystem belongs to root.
need_root() { [ "$(id -u)" = 0 ] || fail "run it as root: sudo --preserve-env=HOME,PATH make …, or in a container"; }

# The Debian archive that this machine uses itself: a mirror near by, or a fixed snapshot.
mirror() {
	local from
	# shellcheck disable=SC2016 # apt expands it
	from=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -E 'debian/?$' | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')
	echo "${MICROKERNEL_MIRROR:-${from:-http://deb.debian.org/debian}}"
}

# Installs packages on this machine that are not there yet, and says so first.
need() {
	local suite=() missing=() package
	if [ "$1" = --suite ]; then
		suite=(-t "$2")
		shift 2
	fi
	for package; do
		dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing on this machine: ${missing[*]}"
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${suite[@]}" "${missing[@]}" >/dev/null ||
		fail "apt-get can't install ${missing[*]}; run apt-get update, or install them by hand"
}
