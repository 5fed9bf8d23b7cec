#!/usr/bin/env bash
# Copies a server's store to another folder while the server runs: src/main/scripts/backup.sh STORE TO
#
# The log is copied first and last. What has left it by then is in the runs or trees, which are copied in between; what
# was acknowledged, made or deleted meanwhile is in the log's end. Exit code 0: TO is whole. Otherwise it is of no use.
set -eu
store=$1
to=$2
readonly TRIES=20
readonly VANISHED=24 # rsync's exit code when files were deleted while it ran

# Copies a folder as it is now; returns whether no file vanished meanwhile.
copy() {
  local code=0
  rsync -a --modify-window=-1 "$@" || code=$?
  [ $code = 0 ] || [ $code = $VANISHED ] || exit 1
  return $code
}

# Cuts the copy of the newest segment at the first byte in which it differs from the segment. The server wrote into zeros
# there while they were copied: records behind a gap would be taken for damage.
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

# The segment with the latest records in the copy.
newest() {
  (cd "$to/log" && printf '%s\n' *.wal | tail -n 1)
}

mkdir -p "$to"
for ((try = 1; try <= TRIES; try++)); do
  copy -I --delete "$store/log/" "$to/log/" || : # segments that vanish are needless
  before=$(newest)
  copy --delete "$store/runs/" "$to/runs/" || continue
  copy --delete "$store/sessions/" "$to/sessions/" || : # sessions that vanish are told of by the log's end
  copy -I --delete "$store/journal/" "$to/journal/" || : # files that vanish tell of what was deleted
  copy -I --include=/clock --exclude='*' "$store/" "$to/" || :
  copy -I --exclude='checkpoint*' "$store/log/" "$to/log/" || :
  cut_tail
  if [ -e "$store/log/$before" ]; then # so none behind it was deleted, and the copy has no gap
    sync -f "$to"
    exit 0
  fi
done
echo "backup.sh: the log moved on too fast, $TRIES times; give the server more --log-bytes" >&2
exit 1
