#!/bin/bash
# The entry point: runs the hooks and the command. Started as root it refits the user to NB_USER,
# NB_UID and NB_GID, grants sudo where GRANT_SUDO asks for it, and runs the command as that user.
set -e
if (($# == 0)); then set -- bash; fi

hooks() { set +e; source /usr/local/bin/run-hooks.sh "/usr/local/bin/$1"; set -e; }

hooks start-notebook.d
if [[ $(id -u) != 0 ]]; then
    if [[ ${GRANT_SUDO} == 1 || ${GRANT_SUDO} == yes ]]; then
        echo "container must be started as root to grant sudo permissions!" >&2
    fi
    hooks before-notebook.d
    exec "$@"
fi

if [[ ${NB_USER} != jovyan ]] && id jovyan &>/dev/null; then
    usermod --home "/home/${NB_USER}" --login "${NB_USER}" jovyan
    [[ -e /home/${NB_USER} ]] || cp --archive /home/jovyan "/home/${NB_USER}"
    [[ ${PWD}/ != /home/jovyan/* ]] || cd "/home/${NB_USER}/${PWD:13}"
fi
if [[ ${NB_UID} != "$(id -u "${NB_USER}")" || ${NB_GID} != "$(id -g "${NB_USER}")" ]]; then
    groupadd --force --gid "${NB_GID}" --non-unique "${NB_GROUP:-${NB_USER}}"
    userdel "${NB_USER}"
    useradd --no-log-init --home "/home/${NB_USER}" --shell /bin/bash --uid "${NB_UID}" \
        --gid "${NB_GID}" --groups 100 "${NB_USER}"
fi
if [[ ${CHOWN_HOME} == 1 || ${CHOWN_HOME} == yes ]]; then
    # shellcheck disable=SC2086
    chown ${CHOWN_HOME_OPTS} "${NB_UID}:${NB_GID}" "/home/${NB_USER}"
fi
sed -nE "s#^(Defaults\s+secure_path=)\"?([^\"]+)\"?#\1\"${CONDA_DIR}/bin:\2\"#p" /etc/sudoers \
    > /etc/sudoers.d/path
if [[ ${GRANT_SUDO} == 1 || ${GRANT_SUDO} == yes ]]; then
    echo "${NB_USER} ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/added-by-start-script
fi
hooks before-notebook.d
exec sudo --preserve-env --set-home --user "${NB_USER}" \
    LD_LIBRARY_PATH="${LD_LIBRARY_PATH}" PATH="${PATH}" PYTHONPATH="${PYTHONPATH:-}" "$@"
