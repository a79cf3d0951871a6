"""The panel of jstackmagic for JupyterLab 4 and Notebook 7: a prebuilt extension, and no Python."""


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Return the built extension, for ``jupyter labextension develop``."""
    return [{"src": "labextension", "dest": "jstackmagic-lab"}]
