#!/usr/bin/env bash
# Copies a server's store to another folder while the server runs: src/main/scripts/backup.sh STORE TO
#
# The log is copied first and last, runs and trees in between: they hold the records that had already left the log. The
# log's end has what was acknowledged, created or deleted meanwhile. Exit code 0: TO is complete; else it is useless.
set -eu
store=$1
to=$2
readonly TRIES=20
readonly VANISHED=24 # rsync's exit code when files were deleted while it ran

# Copies a folder as it is now; fails if a file vanished meanwhile.
copy() {
  local code=0
  rsync -a --modify-window=-1 "$@" || code=$?
  [ $code = 0 ] || [ $code = $VANISHED ] || exit 1
  return $code
}

# Cuts the copy of the newest segment at the first byte that differs from the original: the server overwrote zeros there
# during the copy, and records after a gap would be taken for damage.
cut_tail() {
  local last differ code=0
  last=$(newest)
  differ=$(LC_ALL=C cmp "$to/log/$last" "$store/log/$last" 2>/dev/null) || code=$?
  if [[ $differ =~ differ:\ (byte|char)\ ([0-9]+) ]]; then
    truncate -s $((BASH_REMATCH[2] - 1)) "$to/log/$last"
  elif [ $code -gt 1 ] && [ -e "$store/log/$last" ]; then
    echo "backup.sh: the log cannot be compared by cmp, exit code $code" >&2
    exit 1
  fi
}

# Prints the name of the copy's newest segment.
newest() {
  (cd "$to/log" && printf '%s\n' *.wal | tail -n 1)
}

mkdir -p "$to"
for ((try = 1; try <= TRIES; try++)); do
  copy -I --delete "$store/log/" "$to/log/" || : # segments that vanish are not needed
  before=$(newest)
  copy --delete "$store/runs/" "$to/runs/" || continue
  copy --delete "$store/sessions/" "$to/sessions/" || : # sessions that vanish have tombstones in the log's end
  copy -I --delete "$store/journal/" "$to/journal/" || : # files that vanish had only lines of deleted sessions
  copy -I --include=/clock --exclude='*' "$store/" "$to/" || :
  copy -I --exclude='checkpoint*' "$store/log/" "$to/log/" || :
  cut_tail
  if [ -e "$store/log/$before" ]; then # then no later one was deleted, and the copy has no gap
    sync -f "$to"
    exit 0
  fi
done
echo "backup.sh: the log moved on too fast, $TRIES times; give the server more --log-bytes" >&2
exit 1
