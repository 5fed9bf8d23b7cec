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

# The newest segment has zeros where the server writes next, which it did while that was copied: what the copy has behind
# such zeros may be newer than what is there now in their place.
cut_tail() {
  local last byte rest
  last=$(newest)
  if read -r byte rest < <(cmp -l "$to/log/$last" "$store/log/$last" 2>/dev/null); then
    truncate -s $((byte - 1)) "$to/log/$last"
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
