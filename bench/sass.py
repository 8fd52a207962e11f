"""Does the machine code of our kernels add what it should? `python -m bench sass`; needs Triton, no GPU.

A product of tiles (wgmma) takes a 64-bit descriptor of each tile in shared memory, and its next slice the
same plus some lines. The ptxas of CUDA 12.8 sums the upper half with a register for zero that it
sometimes never sets, or sets before a loop and lets the sum itself take its place: then a slice comes
from anywhere, results are wrong and, now and then, an address is illegal. Whether it does hangs on the
shapes of tiles and on how much else is in registers, so kernels whose tiles are small are compiled here
for sm_90, for all inputs that Triton tells apart, and each sum is followed back on every way to it.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

ZERO, OTHER = "zero", "other"
NAME = re.compile(r"\.(L_x_\d+):")
LINE = re.compile(r"/\*[0-9a-f]+\*/\s+(.*?)\s*;")
GUARD = re.compile(r"^@!?U?P\w+\s+")
UPPER = re.compile(r"UIADD3\.X UR\d+, UR(\d+), -?0x[0-9a-f]{7,}, URZ, !?UP")  # a sum with half a descriptor
NOTHING = re.compile(r"UMOV(\.64)? UR\d+, URZ$")
NARROW = {"p_k", "p_q", "p_v", "p_u", "p_w", "p_o", "p_fresh", "p_states"}  # pointers to bf16


@dataclass(frozen=True)
class Code:
    lines: list[str]
    at: dict[str, int]  # label -> line

    @classmethod
    def of(cls, text: str) -> "Code":
        lines: list[str] = []
        at = {}
        for raw in text.splitlines():
            if match := NAME.match(raw.strip()):
                at[match[1]] = len(lines)
            elif match := LINE.match(raw.strip()):
                lines.append(match[1])
        return cls(lines, at)

    def next(self, i: int) -> list[int]:
        """Where it may go on after line i."""
        line = self.lines[i]
        core, guarded = GUARD.sub("", line), line.startswith("@")
        if core.startswith(("EXIT", "RET")):
            return [i + 1] if guarded else []
        target = re.search(r"L_x_\d+", core) if core.startswith("BRA") else None
        if target is None:
            return [i + 1]
        falls = guarded or re.match(r"BRA\S* !?U?P", core)
        return [self.at[target[0]], *([i + 1] if falls else [])]


def faults(text: str) -> list[str]:
    """Sums of an upper half with a register that is not zero on every way there; `text` is nvdisasm's."""
    code = Code.of(text)
    known: list[dict[int, str] | None] = [None] * (len(code.lines) + 1)
    todo: list[tuple[int, dict[int, str]]] = [(0, {})]
    while todo:
        i, state = todo.pop()
        if i >= len(code.lines):
            continue
        seen = known[i]
        merged = state if seen is None else {r: v for r, v in seen.items() if state.get(r) == v}
        if merged == seen:
            continue
        known[i] = merged
        after = dict(merged)
        for register, value in _written(code.lines[i], after):
            after[register] = value
        todo += [(j, after) for j in code.next(i)]
    return [
        line
        for line, state in zip(code.lines, known, strict=False)
        if (match := UPPER.search(line)) and (state or {}).get(int(match[1])) != ZERO
    ]


def _written(line: str, before: dict[int, str]) -> Iterator[tuple[int, str]]:
    """Uniform registers that an instruction sets, and whether to zero."""
    core = GUARD.sub("", line)
    name, _, rest = core.partition(" ")
    if not name.startswith(("U", "R2UR", "S2UR", "VOTEU", "REDUX", "LDCU")):
        return
    target = next((o for o in rest.split(", ") if not re.fullmatch(r"!?U?P(T|\d)", o)), "")
    if match := re.fullmatch(r"UR(\d+)", target):
        first = int(match[1])
        for register in (first, first + 1) if ".64" in name or ".WIDE" in name else (first,):
            is_zero = NOTHING.search(core) is not None
            kept = not line.startswith("@") or before.get(register) == ZERO
            yield register, ZERO if is_zero and kept else OTHER


class Kernel(NamedTuple):
    name: str
    fixed: dict[str, Any]
    aligned: tuple[str, ...]  # sizes that are multiples of 16
    options: dict[str, int]

    def __str__(self) -> str:
        sizes = ", ".join(f"{k} {v}" for k, v in self.fixed.items() if k in "K V N tokens p_count".split())
        return f"{self.name}: {sizes}; multiples of 16: {', '.join(self.aligned)}"


def kernels(quick: bool) -> list[Kernel]:
    """Those of `delta_prompt`: dims of keys and values, lengths as Triton tells them apart (1 becomes a
    constant, multiples of 16 are told), with a state kept on the way and without."""
    from saccade.model.kernels import delta_prompt as tiles

    found, staged = [], {"num_stages": tiles.STAGES}
    for key_dim, value_dim in product(tiles.DIMS, tiles.DIMS):
        if quick and min(key_dim, value_dim) < max(tiles.DIMS):
            continue
        sizes = {"GROUP": 2, "C": tiles.C, "K": key_dim, "V": value_dim, "EXACT": False}
        carried = {**sizes, "BLOCK_V": min(value_dim, tiles.CARRIED)}
        read = {**sizes, "BLOCK_V": min(value_dim, tiles.READ)}
        lengths: list[tuple[dict[str, int], tuple[str, ...]]] = [({}, ()), ({}, ("tokens", "N"))]
        lengths += [] if quick else [({"N": 1}, ()), ({"N": 1, "tokens": 1}, ())]
        for one, aligned in lengths:
            in_walk, told = {k: v for k, v in one.items() if k != "N"}, tuple(n for n in aligned if n != "N")
            found += [
                Kernel("_solve", {**sizes, **one}, aligned, {}),
                Kernel("_walk", {**carried, **in_walk, "p_count": None}, told, staged),
                Kernel("_walk", {**carried, **in_walk}, told, staged),
                Kernel("_read", {**read, **one}, aligned, {}),
                Kernel("_keep", {**carried, **one}, aligned, staged),
            ]
    return found


def machine_code(kernel: Kernel) -> str:
    import triton
    from saccade.model.kernels import delta_prompt as tiles
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    function = getattr(tiles, kernel.name)
    signature, told = {}, {}
    for i, name in enumerate(function.arg_names):
        if name in kernel.fixed:
            signature[name] = "constexpr"
            continue
        pointer = {"p_count": "*i64"}.get(name, "*bf16" if name in NARROW else "*fp32")
        signature[name] = pointer if name.startswith("p_") else "fp32" if name == "scale" else "i32"
        if name.startswith(("p_", "s_")) or name in ("heads", *kernel.aligned):
            told[i,] = [["tt.divisibility", 16]]
    fixed = {(function.arg_names.index(name),): value for name, value in kernel.fixed.items()}
    source = ASTSource(function, signature, constexprs=fixed, attrs=told)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=kernel.options)
    disassembler = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "nvdisasm"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(made.asm["cubin"])
        file.flush()
        return subprocess.run(
            [disassembler, "-c", file.name], capture_output=True, text=True, check=True
        ).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="heads of 128 dims, lengths above 1")
    args = parser.parse_args()
    if os.environ.get("TRITON_INTERPRET", "0") != "0":
        raise SystemExit("TRITON_INTERPRET is set: nothing is compiled then")
    found, chosen = {}, kernels(args.quick)
    for kernel in chosen:
        if wrong := faults(machine_code(kernel)):
            found[str(kernel)] = wrong
        print(f"{'FAULT' if str(kernel) in found else 'right'}  {kernel}", flush=True)
    print(json.dumps({"kernels": len(chosen), "faults": found}))
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
