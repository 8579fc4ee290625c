# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Shared by the scripts: where things are, and how they speak.

# shellcheck disable=SC2034 # read by the scripts that source this file
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# chroot is there, which an ordinary user's path leaves out.
PATH=$PATH:/usr/sbin:/sbin
cache=${XDG_CACHE_HOME:-$HOME/.cache}/raio
series=${RAIO_SERIES:-}
suite=${RAIO_SUITE:-trixie-backports}
# What is built and booted: amd64 or arm64, and Debian's flavour of its kernel.
arch=${RAIO_ARCH:-amd64}
flavour=${RAIO_FLAVOUR:-cloud-$arch}
case $arch,$flavour in
amd64,*-amd64 | amd64,amd64 | arm64,*-arm64 | arm64,arm64) ;;
*) echo "RAIO_ARCH=$arch: no such architecture, or it has no flavour $flavour" >&2 && exit 1 ;;
esac
# What a compiler, a program and a machine are called there; and where it is built, next to
# that of this machine.
case $arch in
amd64) cpu=x86_64 cross='' loader=/lib64/ld-linux-x86-64.so.2 built=$top/build ;;
arm64) cpu=aarch64 cross=aarch64-linux-gnu- loader=/lib/ld-linux-aarch64.so.1 built=$top/build/arm64 ;;
esac
triplet=$cpu-linux-gnu
rust_target=$cpu-unknown-linux-gnu
# A kernel source tree, in place of Debian's.
ksrc=${KSRC:+$(realpath -- "$KSRC")}
log_dir=$cache/log
mkdir -p "$log_dir"

# A line in kbuild's short form.
say() { printf '  %-7s %s\n' "$1" "$2"; }
die() {
	printf '%s: error: %s\n' "${0##*/}" "$1" >&2
	shift
	[ $# -eq 0 ] || printf '    %s\n' "$@" >&2
	exit 1
}

# run_logged NAME CMD...: all output goes to a log; lines that start with
# "I: " or "  " followed by a capital (kbuild) are shown as progress.  With
# V=1 all of it is shown.
run_logged() {
	local log=$log_dir/$1.log rc
	shift
	set +e
	if [ "${V:-0}" = 1 ]; then
		"$@" </dev/null 2>&1 | tee "$log"
		rc=${PIPESTATUS[0]}
	else
		"$@" </dev/null 2>&1 | tee "$log" | progress
		rc=${PIPESTATUS[0]}
	fi
	set -e
	if [ "$rc" -ne 0 ]; then
		tail -n 25 "$log" >&2
		printf '%s: error: exit status %s; the full log: %s\n' "${0##*/}" "$rc" "$log" >&2
		return "$rc"
	fi
}

# On a terminal one line that is overwritten, else one line for each 200.
progress() {
	if [ -t 1 ]; then
		awk '{ printf "\r\033[K  %6d  %.66s", NR, $0; fflush() } END { printf "\r\033[K" }'
	else
		awk '/^I: / { print "          " substr($0, 4); fflush(); next }
		     NR % 200 == 0 { printf "          %d lines: %.60s\n", NR, $0; fflush() }'
	fi
}

# A key of the cache: what is in the files, but for comments.
key_of() { cat "$@" | sed -e '/^# CONFIG_/b' -e '/^[[:space:]]*#/d' -e '/^$/d' | sha256sum | cut -c1-12; }

# toolchain_of BUILD: the compilers that a kernel build dir is configured for, as arguments of make.
toolchain_of() {
	if grep -q '^CONFIG_CC_IS_CLANG=y' "$1/.config"; then
		echo LLVM=1
	else
		sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ ]*\).*/CC=\1/p' "$1/.config"
	fi
	! grep -q '^CONFIG_ARM64=y' "$1/.config" || printf '%s\n' ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
}

# A lock for one cache entry: two runs side by side build it once.
with_lock() {
	exec 9>"$cache/$1.lock"
	flock -n 9 || { say WAIT "another run is preparing $1"; flock 9; }
}

# The command that gives root's view in a user namespace where we are not root.
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	as_root=(unshare --user --map-auto --map-root-user)
fi
need_userns() {
	[ "$(id -u)" -eq 0 ] && return
	local missing=()
	command -v newuidmap >/dev/null || missing+=("the package uidmap (apt-get install uidmap)")
	grep -q "^$(id -un):" /etc/subuid 2>/dev/null ||
		missing+=("a line for $(id -un) in /etc/subuid and /etc/subgid (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un))")
	if [ ${#missing[@]} -eq 0 ] && ! "${as_root[@]}" --mount true 2>/dev/null; then
		missing+=("user namespaces (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)")
	fi
	[ ${#missing[@]} -eq 0 ] ||
		die "not root, and a user namespace is not to be had; run as root, or provide:" "${missing[@]}"
}

# mmdebstrap makes Debian roots: from the net if it is missing and we may.
# In namespaces of its own, so that neither mounts nor processes outlive it,
# however it ends.  Its own namespaces, for who is not root, have none that is the user: a
# home directory that is closed to others would be closed to it.
mmdebstrap=("${as_root[@]}" unshare --mount --pid --fork --kill-child mmdebstrap --mode=root)
need_mmdebstrap() {
	! command -v mmdebstrap >/dev/null || return 0
	[ "$(id -u)" -eq 0 ] || die "mmdebstrap is missing" "as root: apt-get install mmdebstrap"
	say APT mmdebstrap
	run_logged apt sh -c 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap' ||
		die "mmdebstrap could not be installed" "see the log above; apt-get install mmdebstrap"
}

# The mirror is apt's own of this host: the one that has Debian's main archive.
debian_mirror() {
	local mirror=${RAIO_MIRROR:-}
	if [ -z "$mirror" ]; then
		# shellcheck disable=SC2016 # apt's own names
		mirror=$(apt-get indextargets --format '$(SITE)|$(ORIGIN)|$(LABEL)' 'Created-By: Packages' |
			awk -F'|' '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
		# Before the first apt-get update the index files do not exist.
		[ -n "$mirror" ] || mirror=$(sed -n -E -e 's/^URIs: *([^ ]+).*/\1/p' -e 's/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' \
			/etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -m1 '/debian/\?$' || true)
	fi
	[ -n "$mirror" ] || die "apt on this host names no Debian mirror" "set RAIO_MIRROR=URL"
	echo "$mirror"
}

# libraio_libraries DIR [--tests]: builds libraio, and puts what programs load into DIR, which
# is made anew.
libraio_libraries() {
	"$top/scripts/libraio" "${@:2}"
	rm -rf "$1"
	mkdir -p "$1"
	cp -a "$built"/libraio/libraio "$built"/libraio/*.so "$built"/libraio/*.so.1 "$1/"
}

# libraio_programs DIR: the tests of libraio, which are dynamic programs, and what they need in
# a guest.
libraio_programs() {
	libraio_libraries "$1" --tests
	# root/ is what to copy to the guest's.
	# shellcheck disable=SC2016 # expanded by the inner shell
	"$top/scripts/in-sysroot" sh -euc '
		mkdir -p "$2/root${4%/*}" "$2/root/usr/lib/$5"
		cp -a "$1"/user-* "$1"/extension* "$1"/mixed* "$1"/plugin.so "$1"/counted "$3" "$2/"
		cp -L "$4" "$2/root$4"
		cp -L "/lib/$5/libc.so.6" "/lib/$5/libaio.so.1t64" "$2/root/usr/lib/$5/"
	' - "$built/ways" "$1" "$top/lib/libraio/tests/ways" "${loader/#\/lib\//\/usr\/lib\/}" "$triplet"
}

# copy_fio DIR: fio of Debian, and in DIR/lib all its libraries, for a guest that has none.
copy_fio() {
	local root
	root=$("$top/scripts/guestroot" | tail -n 1)
	mkdir -p "$1/lib"
	# shellcheck disable=SC2016 # expanded by the inner shell
	run_logged copy-fio "$top/scripts/in-sysroot" sh -euc '
		libs=$1/usr/lib/x86_64-linux-gnu
		cp "$1/usr/bin/fio" "$2/"
		cp -L "$1/lib64/ld-linux-x86-64.so.2" "$2/lib/"
		"$2/lib/ld-linux-x86-64.so.2" --library-path "$libs:$libs/ceph" --list "$2/fio" >"$2/list"
		! grep "not found" "$2/list" || exit 1
		sed -n "/ld-linux/!s/.* => \(\/.*\) (0x.*/\1/p" "$2/list" | xargs cp -L -t "$2/lib"
	' - "$root" "$1" || die "fio could not be copied from $root"
}
