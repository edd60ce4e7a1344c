#!/bin/bash
# Measures the advisory index; see INDEX.md.
#   index.sh BENCH EXPORTS [RECORDS]
# BENCH is the index_bench example, built with --release; EXPORTS a folder of <ecosystem>/all.zip.
set -euo pipefail
bench=${1:?path of the index_bench example, built with --release}
exports=${2:?folder of <ecosystem>/all.zip for npm, PyPI, Go and crates.io}
records=${3:-500000}
rounds=${ROUNDS:-3}
work=${WORK:-/tmp/aiva-index-bench}
sources=$work/sources-$records
dir=$work/index
mkdir -p "$work"
if [ ! -f "$sources/names" ]; then
    mkdir -p "$sources"
    "$bench" generate "$exports" "$sources" "$records"
fi
for _ in $(seq "$rounds"); do
    rm -rf "$dir"
    "$bench" build "$sources" "$dir"
done
"$bench" size "$dir"
for _ in $(seq "$rounds"); do
    # What dd is asked to forget is read from the disk again.
    for file in "$dir"/advisories.*; do dd if="$file" iflag=nocache count=0 status=none; done
    "$bench" open "$dir"
done
"$bench" look "$sources/names" "$dir"
for round in $(seq "$rounds"); do
    "$bench" update "$sources/names" "$dir" 1000 "$round"
done
"$bench" open "$dir"
"$bench" look "$sources/names" "$dir"
"$bench" fold "$dir"
