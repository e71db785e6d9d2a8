#!/usr/bin/env bash
# Tests and benches on a machine with an NVIDIA GPU, torch 2.11.0+cu130, pytest and NumPy, and nothing else of ours: no
# compiler, no package registry.
#
#   benches/gpu.sh pack    here, after `make build engine`: what such a machine lacks, as target/gpu/carry.tar.xz
#   benches/gpu.sh         there, in a copy of this folder with target/gpu: tests, then benches, in under 8 minutes
#
# PYTHON says which Python has torch there (python3); what was printed also goes to $OUT (target/gpu) as gpu.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
carry=target/gpu/carry.tar.xz
limit=$((64 * 1024 * 1024))

if [ "${1-}" = pack ]; then
    mkdir -p target/gpu
    packages=$(.venv/bin/python -c 'import pathlib, polars; print(pathlib.Path(polars.__file__).parent.parent)')
    # Polars' own library is most of it; its ABI is that of every CPython from 3.10 on, and so is the plugin's.
    tar --create --exclude=__pycache__ -C "$packages" $(cd "$packages" && ls -d polars _polars_runtime*) \
        -C "$PWD/python" polars_anorand | xz -T0 -6 >"$carry"
    size=$(stat -c %s "$carry")
    echo "$carry: $((size / 1024 / 1024)) MiB"
    if [ "$size" -gt "$limit" ]; then
        echo "it is too large to carry: at most $((limit / 1024 / 1024)) MiB" >&2
        exit 1
    fi
    exit
fi

python=${PYTHON:-python3}
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
tar --extract --file "$carry" -C "$site"
export PYTHONPATH="$site:$PWD:$PWD/tests" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
out=${OUT:-target/gpu}
mkdir -p "$out"
{
    "$python" -c 'import polars_anorand as anorand; [print(*row, sep="  ") for row in anorand.devices().rows()]'
    # Not the repository's own settings, whose warnings-are-errors would also judge the machine's other packages.
    timeout 240 "$python" -m pytest -c /dev/null --rootdir "$PWD" -p no:cacheprovider -q -rs tests/devices/test_gpu.py || echo "TESTS FAILED: $?"
    timeout 240 "$python" -m benches.speed gpu || echo "BENCHES FAILED: $?"
} 2>&1 | tee "$out/gpu.txt"
! grep -q FAILED "$out/gpu.txt"
