#!/bin/sh
# Where tests keep their servers' files: in memory where there is room for it, else where temporary files go.
# Each test makes and removes thousands of files; a disk's file system takes more of a processor for that than the
# servers do for the tests.
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
