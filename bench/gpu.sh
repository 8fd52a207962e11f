#!/bin/sh
# All that a GPU can say of this repository, tests first, then numbers; stops after four minutes at the latest.
# Needs torch, triton, pytest and rich in $PYTHON; writes to build/ and bench/results/ alone.
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/pyright && ln -sfn ../.. build/pyright/saccade
export PYTHONPATH="build/pyright:build/peers:."
export PYTHONUNBUFFERED=1
python="${PYTHON:-python}"
# Narrow weights compile for too long here: `python -m bench gpu --weights fp8 int8 int4` checks the same cases.
timeout 105 "$python" -m pytest -q -p no:cacheprovider -k "not (fp8 or int8 or int4)" \
    tests/model/test_steps.py tests/model/test_stepping.py tests/model/test_delta_chunks.py tests/model/test_moe.py \
    tests/model/test_mix_many.py tests/model/test_experts_prompt.py tests/model/test_tower.py tests/model/test_cuda.py \
    tests/model/test_prompt_graphs.py
tested=$?
timeout 125 "$python" -m bench gpu --quick "$@" && exit $tested
