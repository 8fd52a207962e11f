#!/usr/bin/env bash
# Training where a command may run for minutes only: it goes on in a session of its own.
#   bash train/apart.sh start WORK ARGS...     WORK/parts has the pieces of pack_chromium.sh and, as `words`, a word list;
#                                              ARGS go to train.train; weights, log and graphs come to WORK/out
#   bash train/apart.sh wait WORK SECONDS TO   until it has ended, at most so long; shows what it said last, and copies what
#                                              is saved by then to the folder TO: the machine may be gone the next time
# A folder that is emptied between commands is no place for WORK.
set -euo pipefail
command=$1 work=$2
shift 2

alive() { kill -0 "$(cat "$work/pid")" 2>/dev/null; }

case $command in
  start)
    here=$(cd "$(dirname "$0")/.." && pwd)
    copy=$work/repository
    rm -rf "$copy" && cp -r "$here" "$copy" && cd "$copy"
    mkdir -p build/pyright && ln -sfn ../.. build/pyright/saccade
    SACCADE_CHROMIUM=$(bash train/unpack_chromium.sh "$work/parts" "$work/chromium")
    export SACCADE_CHROMIUM SACCADE_WORDS=$work/parts/words PYTHONPATH=build/pyright:. PYTHONUNBUFFERED=1
    setsid nohup "${PYTHON:-python3}" -m train.train "$@" --state "$work/state" --out "$work/out" \
      >"$work/log" 2>&1 </dev/null &
    echo $! >"$work/pid"
    ;;
  wait)
    end=$((SECONDS + $1))
    while [ $SECONDS -lt $end ] && alive; do sleep 1; done
    grep -v -i dynamo "$work/log" | tail -n 12 | cut -c1-300 || true
    if [ -n "${2:-}" ]; then find "$work/out" -type f -size -16M -exec cp {} "$2" \;; fi
    if alive; then echo "still training"; else echo "ended"; fi
    ;;
  *)
    echo "usage: bash train/apart.sh start|wait WORK ..." >&2
    exit 2
    ;;
esac
