#!/bin/sh
# Prints the folder for the files of the tests' servers: in memory if there is enough, and the temporary folder otherwise.
# Each test creates and deletes thousands of files. On a disk, the file system needs more processor time for that than the
# servers need for the tests.
set -eu
memory=/dev/shm
wanted_kb=$((6 * 1024 * 1024))
free_kb=$(df --output=avail -k "$memory" 2>/dev/null | tail -n 1 || echo 0)
unused_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
if [ -w "$memory" ] && [ "${free_kb:-0}" -gt "$wanted_kb" ] && [ "${unused_kb:-0}" -gt "$wanted_kb" ] &&
    ! grep -q " $memory .*noexec" /proc/mounts; then
    echo "$memory"
else
    echo "${TMPDIR:-/tmp}"
fi
