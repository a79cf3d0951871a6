# Upstream's settings: every address of the container is listened on, and no browser is opened.
c = get_config()  # noqa: F821
c.ServerApp.ip = "0.0.0.0"
c.ServerApp.open_browser = False
