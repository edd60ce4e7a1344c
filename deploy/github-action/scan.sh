#!/bin/sh
# What the action runs. Inputs come as variables, never as text of this script, so that a branch's name cannot become a command.
set -eu
aiva=${AIVA:-"$RUNNER_TEMP/aiva/bin/aiva"}
if [ -n "${AIVA_SCAN_ADVISORIES:-}" ]; then
    "$aiva" advisories update --quiet --from "$AIVA_SCAN_ADVISORIES"
elif [ -z "${AIVA_SCAN_OFFLINE:-}" ]; then
    "$aiva" advisories update --quiet
fi
set -- "${AIVA_SCAN_PATH:-.}"
if [ -n "${AIVA_SCAN_BASELINE:-}" ]; then
    set -- "$@" --baseline "$AIVA_SCAN_BASELINE"
fi
while IFS= read -r file; do
    if [ -n "$file" ]; then
        set -- "$@" --vex "$file"
    fi
done <<EOF
${AIVA_SCAN_VEX:-}
EOF
# Only the last run decides: a report is written also of what fails.
report() {
    "$aiva" scan --quiet --fail-on none "$@" || {
        status=$?
        [ "$status" -eq 3 ] || exit "$status"
    }
}
if [ -n "${AIVA_SCAN_SARIF:-}" ]; then
    report "$@" --format sarif --output "$AIVA_SCAN_SARIF"
fi
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    report "$@" --format markdown >>"$GITHUB_STEP_SUMMARY"
fi
status=0
"$aiva" scan "$@" --format github --fail-on "${AIVA_SCAN_FAIL_ON:-low}" || status=$?
# Done, but some inputs could not be read or judged: the annotations say which.
if [ "$status" -eq 3 ]; then
    status=0
fi
exit "$status"
