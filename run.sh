#!/usr/bin/env bash
# Builds the jar when a source is newer than it, and runs it: ./run.sh [flags of the server]
# Or measures it: ./run.sh bench [--help] (see src/test/java/sessiontree/bench)
#
# The first run of a jar also keeps an archive of the classes that a start loads (class data sharing): it takes some
# seconds more, and every later one about half as long. What JAVA_OPTS holds is for Java, such as -Xmx1g.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
jar=$here/target/sessiontree.jar
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
archive=$here/target/classes-$(readlink -f "$(command -v "$java")" | cksum | cut -d' ' -f1).jsa # one for each Java

# Starts the server on a folder of its own, has it take in a session, and stops it.
record_classes() {
  local folder pid port path=/sessions/a/events
  local body='[{"type":"SESSION_START","timestamp":1,"session_id":"a"},{"type":"SESSION_END","timestamp":2,"session_id":"a"}]'
  folder=$(mktemp -d)
  for variable in ${!SESSIONTREE_*}; do unset "$variable"; done
  "$java" -XX:ArchiveClassesAtExit="$archive.$$" -jar "$jar" --port 0 --store "$folder/store" >"$folder/out" 2>&1 &
  pid=$!
  while kill -0 $pid && ! grep -q listening "$folder/out"; do sleep 0.05; done
  port=$(sed -n 's/.*listening on .*://p' "$folder/out")
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf 'POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %s\r\n\r\n%s' $path ${#body} "$body" >&3
  cat <&3
  kill $pid
  wait $pid
  rm -r "$folder"
  mv "$archive.$$" "$archive"
}

if [ ! -f "$jar" ] || [ -n "$(find "$here/pom.xml" "$here/src/main" -newer "$jar" -print -quit)" ]; then
  mvn -q -B -f "$here/pom.xml" -DskipTests -Dspotless.check.skip=true package >&2
fi
if [ ! "$archive" -nt "$jar" ]; then
  (record_classes) >"$archive.log" 2>&1 || true # without it the server starts as well
fi
if [ "${1:-}" = bench ]; then
  export JAVA_OPTS=${JAVA_OPTS:--Xmx1g}
fi
# shellcheck disable=SC2206 # JAVA_OPTS are words
server=("$java" -XX:SharedArchiveFile="$archive" -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off
  -XX:+ExitOnOutOfMemoryError ${JAVA_OPTS:-} -jar "$jar")

# Measures the jar; the benchmark is among the tests, which are compiled when a source is newer.
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
