#!/usr/bin/env bash
# Builds the jar if a source is newer, and runs it: ./run.sh [flags of the server]
# Or benchmarks it: ./run.sh bench [--help] (see src/bench/java)
#
# The first run of a jar also writes an archive of the classes that a start loads (class data sharing), which takes some
# seconds; later starts take about half as long. JAVA_OPTS are options for Java, such as -Xmx1g.
set -eu

# Each external program delays the start: once there is an archive, only find is called.
from=$PWD
case ${BASH_SOURCE[0]} in
  */*) cd "${BASH_SOURCE[0]%/*}/" ;;
esac
here=$PWD
cd "$from"
jar=$here/target/sessiontree.jar
java=$(command -v "${JAVA_HOME:+$JAVA_HOME/bin/}java") || { echo "run.sh: there is no Java" >&2 && exit 1; }
archive=$here/target/classes${java//\//-}.jsa # one for each Java, with a link beside it to that Java

# Records the archive: starts the server on its own folder, sends it a session over HTTP and WebSocket, and stops it.
record_classes() {
  local folder pid port
  local start='[{"type":"SESSION_START","timestamp":1,"session_id":"a"}]'
  local end='[{"type":"SESSION_END","timestamp":2,"session_id":"a"}]'
  local upgrade='Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' bits
  upgrade+='Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  folder=$(mktemp -d)
  for variable in ${!SESSIONTREE_*}; do unset "$variable"; done
  "$java" -XX:ArchiveClassesAtExit="$archive.$$" "${flags[@]}" -jar "$jar" \
    --port 0 --store "$folder/store" >"$folder/out" 2>&1 &
  pid=$!
  while kill -0 $pid && ! grep -q listening "$folder/out"; do sleep 0.05; done
  port=$(sed -n 's/.*listening on .*://p' "$folder/out")
  ask "POST /sessions/a/events" 'Connection: close\r\nContent-Length: %s\r\n\r\n%s' ${#start} "$start"
  # A masking key of zeros leaves the frames' payloads unchanged. The second frame closes the connection.
  printf -v bits '\\x%x' $((128 + ${#end}))
  ask "GET /sessions/a/stream" "$upgrade\x81$bits\0\0\0\0%s\x88\x82\0\0\0\0\x03\xe8" "$end"
  ask "GET /sessions/a" 'Connection: close\r\n\r\n'
  ask "GET /health" 'Connection: close\r\n\r\n'
  kill $pid
  wait $pid
  rm -r "$folder"
  ln -sfn "$(readlink -f "$java")" "$archive.java"
  mv "$archive.$$" "$archive"
}

# Sends a request and prints the response. Arguments: method and path; printf's format and arguments for the rest.
ask() {
  local request=$1
  shift
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  {
    printf '%s HTTP/1.1\r\nHost: localhost\r\n' "$request"
    # shellcheck disable=SC2059 # the format is an argument
    printf "$@"
  } >&3
  cat <&3
  echo
}

if [ ! -f "$jar" ] || [ -n "$(find "$here/pom.xml" "$here/src/main" -newer "$jar" -print -quit)" ]; then
  echo "run.sh: building; a minute, or some more the first time, while Maven downloads libraries" >&2
  mvn -q -B -f "$here/pom.xml" -DskipTests -Dspotless.check.skip=true package >&2
fi
flags=(
  -XX:+ExitOnOutOfMemoryError # a server out of memory must not stay half alive
  -Xms8m # an idle server touches no more of the heap than it needs
)
case ${JAVA_OPTS:-} in
  *-XX:+Use*GC*) ;;
  # The serial collector needs no threads or tables of its own: least memory, fastest start. Events outlive the young
  # generation, and copying them in it stops all threads: so it is small. Each time the heap grows, all of it is
  # collected: so it grows in larger steps.
  *) flags+=(-XX:+UseSerialGC -XX:MaxNewSize=32m -XX:MinHeapDeltaBytes=64m) ;;
esac
if [ ! "$archive" -nt "$jar" ] || [ ! "$java" -ef "$archive.java" ]; then
  (record_classes) >"$archive.log" 2>&1 || true # the server starts without an archive, too
fi
if [ "${1:-}" = bench ]; then
  export JAVA_OPTS=${JAVA_OPTS:--Xmx1g}
fi
# shellcheck disable=SC2206 # JAVA_OPTS is split into words
server=("$java" -XX:SharedArchiveFile="$archive" -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off
  "${flags[@]}" ${JAVA_OPTS:-} -jar "$jar")

# Benchmarks the jar with src/bench, which is compiled with the tests if a source is newer.
bench() {
  local libraries=$here/target/bench.classpath compiled=$here/target/bench.compiled
  if [ ! "$libraries" -nt "$here/pom.xml" ]; then
    mvn -q -B -f "$here/pom.xml" dependency:build-classpath -Dmdep.outputFile="$libraries" >&2
  fi
  if [ ! -f "$compiled" ] || [ -n "$(find "$here/pom.xml" "$here/src" -newer "$compiled" -print -quit)" ]; then
    mvn -q -B -f "$here/pom.xml" -Dspotless.check.skip=true test-compile >&2
    touch "$compiled"
  fi
  exec "$java" -Xmx512m -XX:MaxDirectMemorySize=2g -XX:+UseSerialGC -Dbench.script="$here/run.sh" \
    -Dbench.command="$(printf '%s\n' "${server[@]}")" \
    -cp "$here/target/test-classes:$(cat "$libraries")" sessiontree.bench.Bench "$@"
}

if [ "${1:-}" = bench ]; then
  shift
  bench "$@"
fi
exec "${server[@]}" "$@"
