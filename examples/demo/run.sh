#!/bin/sh
# Runs Pyruse safely: with an example configuration, state in a temporary directory, mails written to files there, and bans
# printed instead of applied. It reads this machine's journal, from an hour ago on; or, if there is none (or with SAMPLE=1),
# the sample journal beside this script.
set -eu
pyruse=$1
here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/tmp}/pyruse-demo.XXXXXX")
mkdir "$work/mails"
trap 'rm -rf "$work"' EXIT

# Replacements for nft and sendmail.
printf '#!/bin/sh\necho "$@" >>%s/bans\n' "$work" >"$work/nft"
# shellcheck disable=SC2016  # expanded when it runs
printf '#!/bin/sh\ncat >%s/mails/mail.$(date +%%s.%%N)\n' "$work" >"$work/sendmail"
chmod +x "$work/nft" "$work/sendmail"

journal='{}'
since='1 hour ago'
sample=${SAMPLE:-}
if [ -z "$sample" ] && [ -z "$(journalctl --quiet --system -n 1 -o cat 2>/dev/null)" ]; then
    sample=1
fi
if [ -n "$sample" ]; then
    if [ ! -x /lib/systemd/systemd-journal-remote ]; then
        echo "There is no readable journal on this machine; the sample needs systemd-journal-remote."
        "$here/../../.ci/install" sample
    fi
    mkdir "$work/journal"
    # Moves the times to the last minutes: an expired ban would not be shown.
    last=$(sed -n 's/^__REALTIME_TIMESTAMP=//p' "$here/sample.export" | tail -n 1)
    awk -F= -v OFS== -v shift="$(date +%s)" -v last="$last" \
        '$1 == "__REALTIME_TIMESTAMP" { $2 = sprintf("%.0f", $2 - last + shift * 1000000) } { print }' \
        "$here/sample.export" >"$work/sample.export"
    /lib/systemd/systemd-journal-remote --output="$work/journal/sample.journal" "$work/sample.export" 2>/dev/null
    journal="{\"directory\": \"$work/journal\"}"
    since='@0'
fi
sed -e "s|@WORK@|$work|g" -e "s|\"@JOURNAL@\"|$journal|" "$here/pyruse.json" >"$work/pyruse.json"

"$pyruse" --config "$work/pyruse.json" check
"$pyruse" --config "$work/pyruse.json" run --since "$since" &
pid=$!
trap 'kill $pid 2>/dev/null || true; wait $pid 2>/dev/null || true; rm -rf "$work"' EXIT
if [ -n "$sample" ]; then
    # Wait until all of it is read, and all deliveries are done.
    done='"behind":{[^}]*"entries":0[,}].*"waiting":0[,}]'
    tries=0
    until "$pyruse" --config "$work/pyruse.json" status --json 2>/dev/null | grep -q "$done" || [ $tries = 300 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
else
    echo "Following this machine's journal. Press Ctrl-C to stop."
    trap 'kill $pid 2>/dev/null || true' INT
fi
[ -z "$sample" ] || kill "$pid"
wait "$pid" || true
echo
echo "Bans, as commands for nft:"
if [ -s "$work/bans" ]; then sed 's/^/    /' "$work/bans"; else echo "    none"; fi
echo "Mails:"
found=
for mail in "$work"/mails/mail.*; do
    [ -e "$mail" ] || continue
    found=1
    sed 's/^/    /' "$mail"
    echo
done
[ -n "$found" ] || echo "    none"
