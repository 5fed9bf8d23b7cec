#!/usr/bin/env bash
# Builds the jar when a source is newer than it, and runs it: ./run.sh [flags of the server]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
jar=$here/target/sessiontree.jar
if [ ! -f "$jar" ] || [ -n "$(find "$here/pom.xml" "$here/src/main" -newer "$jar" -print -quit)" ]; then
  mvn -q -B -f "$here/pom.xml" -DskipTests -Dspotless.check.skip=true package >&2
fi
exec java -jar "$jar" "$@"
