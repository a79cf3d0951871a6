"""Modules that no package brings: parts of Python, of another system, or of another product."""

from __future__ import annotations

REMOVED = {
    # module: (the first Python without it, what to use)
    "aifc": ("3.13", "there is no successor; the soundfile package reads AIFF"),
    "asynchat": ("3.12", "asyncio"),
    "asyncore": ("3.12", "asyncio"),
    "audioop": ("3.13", "the audioop-lts package is the same code"),
    "binhex": ("3.11", "binascii"),
    "cgi": ("3.13", "urllib.parse.parse_qs and email.message; legacy-cgi is the same code"),
    "cgitb": ("3.13", "traceback, or logging.exception"),
    "chunk": ("3.13", "there is no successor"),
    "crypt": ("3.13", "hashlib.scrypt, or the bcrypt package"),
    "distutils": ("3.12", "setuptools, sysconfig, shutil.which and packaging.version"),
    "dummy_threading": ("3.9", "threading"),
    "formatter": ("3.10", "there is no successor"),
    "imghdr": ("3.13", "the filetype or puremagic package"),
    "imp": ("3.12", "importlib: import_module, reload, util.find_spec"),
    "lib2to3": ("3.13", "the libcst or parso package"),
    "macpath": ("3.8", "posixpath"),
    "mailcap": ("3.13", "mimetypes"),
    "msilib": ("3.13", "there is no successor"),
    "nis": ("3.13", "there is no successor"),
    "nntplib": ("3.13", "there is no successor"),
    "ossaudiodev": ("3.13", "the sounddevice package"),
    "parser": ("3.10", "ast"),
    "pipes": ("3.13", "subprocess; for pipes.quote, shlex.quote"),
    "smtpd": ("3.12", "the aiosmtpd package"),
    "sndhdr": ("3.13", "the filetype or puremagic package"),
    "spwd": ("3.13", "there is no successor"),
    "sunau": ("3.13", "there is no successor"),
    "symbol": ("3.10", "ast"),
    "telnetlib": ("3.13", "the telnetlib3 package"),
    "uu": ("3.13", "base64"),
    "xdrlib": ("3.13", "struct"),
}
"""Python's own "Removed" lists ("What's New" of 3.8 to 3.13, PEP 594)."""

PYTHON_2 = {
    "BaseHTTPServer": "http.server",
    "ConfigParser": "configparser",
    "Cookie": "http.cookies",
    "HTMLParser": "html.parser",
    "Queue": "queue",
    "SimpleHTTPServer": "http.server",
    "SocketServer": "socketserver",
    "StringIO": "io.StringIO",
    "Tkinter": "tkinter",
    "UserDict": "collections.UserDict",
    "__builtin__": "builtins",
    "cPickle": "pickle",
    "cStringIO": "io.StringIO",
    "commands": "subprocess",
    "cookielib": "http.cookiejar",
    "copy_reg": "copyreg",
    "dummy_thread": "threading",
    "htmlentitydefs": "html.entities",
    "httplib": "http.client",
    "md5": "hashlib",
    "robotparser": "urllib.robotparser",
    "sets": "the built-in set",
    "sha": "hashlib",
    "tkFileDialog": "tkinter.filedialog",
    "tkMessageBox": "tkinter.messagebox",
    "thread": "threading",
    "ttk": "tkinter.ttk",
    "urllib2": "urllib.request",
    "urlparse": "urllib.parse",
    "xmlrpclib": "xmlrpc.client",
}
"""The standard library's reorganisation for Python 3 (PEP 3108)."""

ELSEWHERE = {
    "winreg": "Windows",
    "_winreg": "Windows",
    "_winapi": "Windows",
    "msvcrt": "Windows",
    "nt": "Windows",
    "winsound": "Windows",
    "_scproxy": "macOS",
    "google.colab": "Google Colab",
    "kaggle_datasets": "Kaggle's notebooks",
    "kaggle_secrets": "Kaggle's notebooks",
    "dbutils": "Databricks' notebooks",
    "notebookutils": "Microsoft Fabric",
    "mssparkutils": "Azure Synapse",
    "js": "Pyodide, in a browser",
    "pyodide": "Pyodide, in a browser",
    "pyodide_js": "Pyodide, in a browser",
    "micropip": "Pyodide, in a browser",
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
    "tkinter": ("python3-tk", "tk"),
    "_tkinter": ("python3-tk", "tk"),
    "turtle": ("python3-tk", "tk"),
    "idlelib": ("idle", ""),
    "venv": ("python3-venv", ""),
    "ensurepip": ("python3-venv", ""),
    "lib2to3": ("python3-lib2to3", ""),
    "distutils": ("python3-distutils", ""),
    "_dbm": ("", ""),
    "_gdbm": ("python3-gdbm", ""),
    "dbm.gnu": ("python3-gdbm", ""),
}
"""Parts of Python that a distributor packs apart."""

BUILT_WITH = {
    # C parts that a Python built from source lacks where a library's headers were not there
    "_bz2": "libbz2-dev",
    "_ctypes": "libffi-dev",
    "_curses": "libncurses-dev",
    "_dbm": "libgdbm-compat-dev",
    "_hashlib": "libssl-dev",
    "_lzma": "liblzma-dev",
    "_sqlite3": "libsqlite3-dev",
    "_ssl": "libssl-dev",
    "_uuid": "uuid-dev",
    "readline": "libreadline-dev",
    "zlib": "zlib1g-dev",
}

DEBIAN_PYTHON = {
    "apt": "python3-apt",
    "apt_pkg": "python3-apt",
    "aptsources": "python3-apt",
    "debconf": "python3-debconf",
    "rpm": "python3-rpm",
    "selinux": "python3-selinux",
    "systemd": "python3-systemd",
}
"""Modules for the system's own Python alone, useless in another."""

CONDA_ONLY = {
    "ROOT": "root",
    "graph_tool": "graph-tool",
    "dolfin": "fenics",
    "sage": "sage",
    "conda": "conda",
    "mamba": "mamba",
    "libmambapy": "libmambapy",
    "openmm": "openmm",
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

SEVERAL = {"twitter": ("twitter", "python-twitter")}
"""Imports that several packages of PyPI bring, not the same library: that of the name first."""
