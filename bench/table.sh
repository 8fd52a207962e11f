#!/bin/sh
# The table of targets on a GPU: ours first, in about four minutes, then peers; an interrupt prints what there is.
# Environment as for gpu.sh; options go to `python -m bench gpu`, in place of the parts below.
# prompts, image, agent, start and memory need the package's own requirements, peers transformers as well.
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/pyright && ln -sfn ../.. build/pyright/saccade
export PYTHONPATH="build/pyright:build/peers:."
export PYTHONUNBUFFERED=1
python="${PYTHON:-python}"
[ $# -gt 0 ] || set -- --only decode --only rows --only long --only prompts --only image --only agent \
    --only start --only memory --only peers
timeout -s INT -k 10 "${SECONDS_AT_MOST:-420}" "$python" -m bench gpu "$@"
