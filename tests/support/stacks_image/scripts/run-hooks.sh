#!/bin/bash
# Sources the *.sh files of a folder and runs its executables; a failing one is only reported.
for hook in "$1"/*; do
    [[ -e ${hook} ]] || continue
    if [[ ${hook} == *.sh ]]; then
        # shellcheck disable=SC1090
        source "${hook}" || echo "${hook} has failed, continuing execution" >&2
    elif [[ -x ${hook} ]]; then
        "${hook}" || echo "${hook} has failed, continuing execution" >&2
    fi
done
