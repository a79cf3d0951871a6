"""Modules that no package brings: parts of Python, of another system, or of another product."""

from __future__ import annotations

_NOTHING = "there is no successor"

REMOVED = {
    # module: (the first Python without it, what to use)
    "aifc": ("3.13", "there is no successor; the soundfile package reads AIFF"),
    "asynchat": ("3.12", "asyncio"),
    "asyncore": ("3.12", "asyncio"),
    "audioop": ("3.13", "the audioop-lts package is the same code"),
    "binhex": ("3.11", "binascii"),
    "cgi": ("3.13", "urllib.parse.parse_qs and email.message; legacy-cgi is the same code"),
    "cgitb": ("3.13", "traceback, or logging.exception"),
    "crypt": ("3.13", "hashlib.scrypt, or the bcrypt package"),
    "distutils": ("3.12", "setuptools, sysconfig, shutil.which and packaging.version"),
    "dummy_threading": ("3.9", "threading"),
    "imghdr": ("3.13", "the filetype or puremagic package"),
    "imp": ("3.12", "importlib: import_module, reload, util.find_spec"),
    "lib2to3": ("3.13", "the libcst or parso package"),
    "macpath": ("3.8", "posixpath"),
    "mailcap": ("3.13", "mimetypes"),
    "ossaudiodev": ("3.13", "the sounddevice package"),
    "parser": ("3.10", "ast"),
    "pipes": ("3.13", "subprocess; for pipes.quote, shlex.quote"),
    "smtpd": ("3.12", "the aiosmtpd package"),
    "sndhdr": ("3.13", "the filetype or puremagic package"),
    "symbol": ("3.10", "ast"),
    "telnetlib": ("3.13", "the telnetlib3 package"),
    "uu": ("3.13", "base64"),
    "xdrlib": ("3.13", "struct"),
    **dict.fromkeys(("chunk", "msilib", "nis", "nntplib", "spwd", "sunau"), ("3.13", _NOTHING)),
    "formatter": ("3.10", _NOTHING),
}
"""Python's own "Removed" lists ("What's New" of 3.8 to 3.13, PEP 594)."""

PYTHON_2 = {
    **dict.fromkeys(("BaseHTTPServer", "SimpleHTTPServer"), "http.server"),
    **dict.fromkeys(("StringIO", "cStringIO"), "io.StringIO"),
    **dict.fromkeys(("dummy_thread", "thread"), "threading"),
    **dict.fromkeys(("md5", "sha"), "hashlib"),
    "ConfigParser": "configparser", "Cookie": "http.cookies", "HTMLParser": "html.parser",
    "Queue": "queue", "SocketServer": "socketserver", "Tkinter": "tkinter",
    "UserDict": "collections.UserDict", "__builtin__": "builtins", "cPickle": "pickle",
    "commands": "subprocess", "cookielib": "http.cookiejar", "copy_reg": "copyreg",
    "htmlentitydefs": "html.entities", "httplib": "http.client",
    "robotparser": "urllib.robotparser", "sets": "the built-in set",
    "tkFileDialog": "tkinter.filedialog", "tkMessageBox": "tkinter.messagebox",
    "ttk": "tkinter.ttk", "urllib2": "urllib.request", "urlparse": "urllib.parse",
    "xmlrpclib": "xmlrpc.client",
}  # fmt: skip
"""The standard library's reorganisation for Python 3 (PEP 3108)."""

ELSEWHERE = {
    **dict.fromkeys(("winreg", "_winreg", "_winapi", "msvcrt", "nt", "winsound"), "Windows"),
    "_scproxy": "macOS",
    "google.colab": "Google Colab",
    **dict.fromkeys(("kaggle_datasets", "kaggle_secrets"), "Kaggle's notebooks"),
    "dbutils": "Databricks' notebooks",
    "notebookutils": "Microsoft Fabric",
    "mssparkutils": "Azure Synapse",
    **dict.fromkeys(("js", "pyodide", "pyodide_js", "micropip"), "Pyodide, in a browser"),
    "machine": "MicroPython",
    "arcpy": "ArcGIS",
    "hou": "Houdini",
    "nuke": "Nuke",
    "unreal": "the Unreal Engine",
}
"""Modules of other systems or products only."""

ONE_SYSTEM = {
    # pattern of a package's name: system, and what sys.platform is there
    "pyobjc(-.+)?": ("macOS", "darwin"),
    "pywin32|pywinpty|winrt-.+": ("Windows", "win32"),
}
"""Packages whose wheels are for one system alone."""

OPTIONAL = {
    # module: (Debian's package for the system's Python, conda's package)
    **dict.fromkeys(("tkinter", "_tkinter", "turtle"), ("python3-tk", "tk")),
    "idlelib": ("idle", ""),
    **dict.fromkeys(("venv", "ensurepip"), ("python3-venv", "")),
    "lib2to3": ("python3-lib2to3", ""),
    "distutils": ("python3-distutils", ""),
    "_dbm": ("", ""),
    **dict.fromkeys(("_gdbm", "dbm.gnu"), ("python3-gdbm", "")),
}
"""Parts of Python that a distributor packs apart."""

BUILT_WITH = {
    # C parts that a Python built from source lacks where a library's headers were not there
    "_bz2": "libbz2-dev", "_ctypes": "libffi-dev", "_curses": "libncurses-dev",
    "_dbm": "libgdbm-compat-dev", "_hashlib": "libssl-dev", "_lzma": "liblzma-dev",
    "_sqlite3": "libsqlite3-dev", "_ssl": "libssl-dev", "_uuid": "uuid-dev",
    "readline": "libreadline-dev", "zlib": "zlib1g-dev",
}  # fmt: skip

DEBIAN_PYTHON = {
    **dict.fromkeys(("apt", "apt_pkg", "aptsources"), "python3-apt"),
    **{name: f"python3-{name}" for name in ("debconf", "rpm", "selinux", "systemd")},
}
"""Modules for the system's own Python alone, useless in another."""

CONDA_ONLY = {
    "ROOT": "root",
    "graph_tool": "graph-tool",
    "dolfin": "fenics",
    **{name: name for name in ("sage", "conda", "mamba", "libmambapy", "openmm")},
}
"""Import name → conda-forge's package, for modules that no wheel has."""

MOVED = {
    "sklearn.externals.joblib": "joblib is a package of its own now: import joblib",
    "sklearn.externals.six": "six is a package of its own: import six",
    "sklearn.cross_validation": "it is sklearn.model_selection since scikit-learn 0.20",
    "sklearn.grid_search": "it is sklearn.model_selection since scikit-learn 0.20",
    "tensorflow.contrib": "TensorFlow 2 has no contrib; much of it is in tensorflow_addons",
    "tensorflow.examples": "TensorFlow 2 has no examples; tensorflow_datasets has the data",
    "pandas.io.data": "it is the package pandas-datareader: import pandas_datareader",
    "scipy.misc.pilutil": "imageio reads and writes images: import imageio",
    "keras.utils.np_utils": "to_categorical is in keras.utils itself",
    "numpy.testing.decorators": "pytest.mark does what they did",
    "matplotlib.finance": "it is the package mplfinance",
    "django.utils.six": "six is a package of its own: import six",
    "jinja2.utils.Markup": "it is in the package markupsafe",
    "IPython.html": "it is the packages notebook and ipywidgets since IPython 4",
    "IPython.nbformat": "it is the package nbformat since IPython 4",
    "IPython.parallel": "it is the package ipyparallel since IPython 4",
}
"""Well-known modules that have moved."""
