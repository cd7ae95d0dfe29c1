# shellcheck shell=bash
# For suites in bash: checks in TAP. Sourced; "1..$number" and the status, by $failed, are the suite's own.

number=0 failed=0

# tried COMMAND...: sets $said and $status. There is nothing for it to read.
tried() {
	said=$("$@" 2>&1 </dev/null)
	status=$?
}

# verdict TEXT GOOD [WANTED]: of what was tried last. GOOD is empty if it is not what was wanted.
verdict() {
	local text=${1//$'\n'/\\n}
	number=$((number + 1))
	if [ -n "$2" ]; then
		echo "ok $number - ${text//#/\\#}"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $number - ${text//#/\\#}"
	echo "# status $status${3:+, wanted $3}, and:"
	tail -n 5 <<<"$said" | sed 's/^/# /'
}

# is TEXT COMMAND...: its status is 0. It reads what it is given.
is() {
	local text=$1 good=''
	shift
	said=$("$@" 2>&1)
	status=$?
	[ "$status" -ne 0 ] || good=1
	verdict "$text" "$good"
}

# skip TEXT REASON
skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}
