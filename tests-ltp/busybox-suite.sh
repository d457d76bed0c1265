#!/bin/sh
# Runs busybox's own tests as its `runtest` and its shell's `run-all` do, but each under a time limit, and
# without making a thousand links first. Each part is run ROUNDS times, with `lost` only until one of its cases fails.
# Usage: busybox-suite.sh SECONDS ROUNDS never|lost [APPLET | ash-FOLDER | ash-FOLDER/CASE]…
limit=$1 rounds=$2 stop=$3
shift 3
bindir=/run/nos/busybox
tsdir=$bindir/testsuite
links=$bindir/runtest-tempdir-links
export bindir tsdir VERBOSE=1
cd "$tsdir" || exit 2
mkdir -p "$links"
for path in /bin/* /sbin/* /usr/bin/* /usr/sbin/*; do
	[ -e "$links/${path##*/}" ] || ln -s "$path" "$links/${path##*/}"
done
OPTIONFLAGS=:$(sed -nr 's/^CONFIG_//p' "$bindir/.config" | sed 's/=.*//' | tr '\n' ':')
export OPTIONFLAGS
. ./testing.sh
unset SKIP
export SKIP

# Runs a command for at most $limit seconds, in a session of its own: some tests signal their process group.
limited() {
	setsid timeout -k 5 "$limit" "$@" </dev/null
}

enabled() {
	! grep -q "^# $1 is not set\$" "$bindir/.config"
}

# One test of the old kind: a script that must end with 0.
old_style() {
	applet=$1 script=$2 name=${2##*/}
	enabled "CONFIG_$(echo "$applet" | tr a-z A-Z)" || { echo "UNTESTED: $name"; return; }
	for feature in $(sed -ne 's/^# FEATURE: //p' "$script"); do
		enabled "$feature" || { echo "UNTESTED: $name"; return; }
	done
	rm -rf ".tmpdir.$applet"
	mkdir ".tmpdir.$applet"
	if (
		cd ".tmpdir.$applet" || exit
		d=$tsdir PATH=$bindir:$PATH
		export d PATH
		limited sh -x -e "$script" >../.old-style.txt 2>&1
	)
	then
		echo "PASS: $name"
	else
		echo "FAIL: $name"
		cat .old-style.txt
	fi
	rm -rf ".tmpdir.$applet"
}

# A folder of the shell's tests, or one of them ($2): scripts with the output that they must have.
shell_tests() {
	(
	cd "$bindir/ash_test/$1" || exit
	eval "$(sed -e '/^#/d' -e '/^$/d' -e 's:^:export :' "$bindir/.config")"
	PATH=$bindir/ash_test:$PATH THIS_SH=$bindir/ash_test/ash
	export PATH THIS_SH
	for script in ${2:-*}.tests; do
		name=${script%.tests}
		[ -x "$script" ] && [ -f "$name.right" ] || continue
		limited "$THIS_SH" "./$script" >"$name.xx" 2>&1
		status=$?
		sed -i -e "/: invalid option /s:'::g" "$name.xx"
		if [ $status = 77 ]; then
			echo "SKIPPED: $name"
		elif diff -u "$name.xx" "$name.right"; then
			echo "PASS: $name"
		else
			echo "FAIL: $name"
		fi
	done
	)
}

# A part of the suite: the tests of an applet, a folder of the shell's tests or one of them.
part() {
	applet=$1
	# What the tests before left running would only slow these down.
	kill -9 -1 2>/dev/null
	case $applet in
	ash-*)
		case $applet in
		*/*) folder=${applet%/*} case=${applet#*/} ;;
		*) folder=$applet case= ;;
		esac
		echo "APPLET: $folder"
		shell_tests "$folder" "$case"
		return
	esac
	for script in "$tsdir/$applet"/*; do
		[ -f "$script" ] && { echo "APPLET: $applet"; old_style "$applet" "$script"; }
	done
	if [ -f "$applet.tests" ]; then
		echo "APPLET: $applet"
		(PATH=$links:$tsdir:$bindir:$PATH; limited "$tsdir/$applet.tests" 2>&1)
		[ $? -lt 124 ] || echo "TIMEOUT: $applet"
	fi
}

[ $# -gt 0 ] || set -- $(busybox --list) $(cd "$bindir/ash_test" && echo ash-*)
ln -sf /bin/busybox "$bindir/ash_test/ash"
for each; do
	round=0
	while [ $round -lt "$rounds" ]; do
		part "$each" >"$tsdir/.part.txt"
		cat "$tsdir/.part.txt"
		[ "$stop" = lost ] && grep -q '^FAIL: ' "$tsdir/.part.txt" && break
		round=$((round + 1))
	done
done
echo "APPLET: end"
