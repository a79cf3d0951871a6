#!/bin/bash
# Starts what DOCKER_STACKS_JUPYTER_CMD names; upstream's default is lab, which is not in here.
set -e
# shellcheck disable=SC2086
exec jupyter "${DOCKER_STACKS_JUPYTER_CMD:-server}" ${NOTEBOOK_ARGS} "$@"
