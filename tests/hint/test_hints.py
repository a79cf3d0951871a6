"""What a failed import is told: which line to type, or why none would help."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import pytest

from jstackmagic import names
from jstackmagic.hint import missing
from jstackmagic.names import standard

SOURCE = Path(missing.__file__).parent.parent.parent

# statement, what to type in a pip environment, and in a conda environment where that differs
HELPED = (
    ("import cv2", "opencv-python", "opencv"),
    ("import sklearn.linear_model", "scikit-learn"),
    ("from PIL import Image", "pillow"),
    ("import yaml", "pyyaml"),
    ("from bs4 import BeautifulSoup", "beautifulsoup4"),
    ("from dotenv import load_dotenv", "python-dotenv"),
    ("import Bio.Seq", "biopython"),
    ("from skimage import io", "scikit-image"),
    ("import serial", "pyserial"),
    ("import usb.core", "pyusb"),
    ("import fitz", "pymupdf"),
    ("import git", "gitpython"),
    ("import jwt", "pyjwt"),
    ("import OpenSSL", "pyopenssl"),
    ("from google.cloud import storage", "google-cloud-storage"),
    ("from google.cloud import bigquery_storage", "google-cloud-bigquery-storage"),
    ("import google.cloud.pubsub_v1", "google-cloud-pubsub"),
    ("from google.protobuf import message", "protobuf"),
    ("import google.auth", "google-auth"),
    ("import googleapiclient.discovery", "google-api-python-client"),
    ("from mpl_toolkits.mplot3d import Axes3D", "matplotlib"),
    ("from mpl_toolkits.basemap import Basemap", "basemap"),
    ("from azure.storage.blob import BlobServiceClient", "azure-storage-blob"),
    ("import azure.identity", "azure-identity"),
    ("from ruamel.yaml import YAML", "ruamel-yaml", "ruamel.yaml"),
    ("import zope.interface", "zope-interface", "zope.interface"),
    ("import opentelemetry.sdk.trace", "opentelemetry-sdk"),
    ("import pymongo", "pymongo"),
    ("import bson", "pymongo"),
    ("import numpy as np", "numpy"),
    ("import pandas as pd", "pandas"),
    ("import matplotlib.pyplot as plt", "matplotlib"),
    ("import seaborn", "seaborn"),
    ("import torch", "torch", "pytorch"),
    ("import tensorflow as tf", "tensorflow"),
    ("import dask.dataframe", "dask"),
    ("import zmq", "pyzmq"),
    ("import psycopg2", "psycopg2-binary", "psycopg2"),
    ("import MySQLdb", "mysqlclient"),
    ("from Crypto.Cipher import AES", "pycryptodome"),
    ("import dateutil.parser", "python-dateutil"),
    ("import attr", "attrs"),
    ("import docx", "python-docx"),
    ("import pptx", "python-pptx"),
    ("import magic", "python-magic"),
    ("import slugify", "python-slugify"),
    ("import websocket", "websocket-client"),
    ("import dns.resolver", "dnspython"),
    ("import nacl", "pynacl"),
    ("import grpc", "grpcio"),
    ("import umap", "umap-learn"),
    ("import imblearn", "imbalanced-learn"),
    ("import igraph", "igraph", "python-igraph"),
    ("import graphviz", "graphviz", "python-graphviz"),
    ("import tables", "tables", "pytables"),
    ("import redis", "redis", "redis-py"),
    ("import docker", "docker", "docker-py"),
    ("import msgpack", "msgpack", "msgpack-python"),
    ("import xxhash", "xxhash", "python-xxhash"),
    ("import IPython.display", "ipython"),
    ("import rest_framework", "djangorestframework"),
    ("import telegram", "python-telegram-bot"),
    ("import twitter", "twitter"),
    ("import kafka", "kafka-python"),
)

# statement, a word of what is said instead
NOT_HELPED = (
    ("import urllib2", "urllib.request"),
    ("import ConfigParser", "configparser"),
    ("import cPickle", "pickle"),
    ("import StringIO", "io.StringIO"),
    ("import Tkinter", "tkinter"),
    ("import httplib", "http.client"),
    ("import urlparse", "urllib.parse"),
    ("import Queue", "queue"),
    ("import cookielib", "http.cookiejar"),
    ("import parser", "ast"),
    ("import symbol", "ast"),
    ("import formatter", "no successor"),
    ("import winreg", "Windows"),
    ("import msvcrt", "Windows"),
    ("import winsound", "Windows"),
    ("import win32api", "Windows"),
    ("import win32com.client", "Windows"),
    ("import pythoncom", "Windows"),
    ("from AppKit import NSWorkspace", "macOS"),
    ("import Quartz", "macOS"),
    ("from google.colab import drive", "Google Colab"),
    ("import kaggle_secrets", "Kaggle"),
    ("import pyodide", "Pyodide"),
    ("import arcpy", "ArcGIS"),
    ("import machine", "MicroPython"),
    ("import google", "Which one is meant"),
    ("import azure", "Which one is meant"),
    ("import sphinxcontrib", "Which one is meant"),
    ("import nunpy", "Did you mean numpy"),
    ("import pandsa", "Did you mean pandas"),
    ("import matplotlb.pyplot", "Did you mean matplotlib"),
    ("import reqeusts", "Did you mean requests"),
    ("import skleanr", "Did you mean sklearn"),
    ("import jsno", "Did you mean json"),
    ("import json.decode", "Did you mean json.decoder"),
    ("import xml.etre", "Did you mean xml.etree"),
    ("import email.mine.text", "Did you mean email.mime"),
    ("import os.pathh", "os has no module pathh"),
    ("import utils", "your own"),
    ("from helpers import load", "your own"),
    ("import config", "your own"),
    ("import analysis_steps", "sys.path"),
    ("import zzqq_nothing_of_the_kind", "No known package"),
    ("from . import sibling", "leading dot"),
    ("import Report", "case counts"),
    ("import exploration", "%run"),
)

_ASK = """
import json, linecache, sys
sys.path.append(sys.argv[1])
from jstackmagic.hint.missing import explain
found = []
for number, statement in enumerate(json.loads(sys.stdin.read())):
    file = f"<cell {number}>"
    linecache.cache[file] = (len(statement), None, [statement + "\\n"], file)
    try:
        exec(compile(statement, file, "exec"), {"__name__": "__main__"})
    except ImportError as error:
        hints = [explain(error, conda=conda) for conda in (False, True)]
        found.append([[hint.text, hint.line] if hint else None for hint in hints])
    else:
        found.append("imported")
print(json.dumps(found))
"""


@cache
def told() -> dict[str, list[list[str] | None]]:
    """What each statement is told, in a pip and in a conda environment, by really failing there: in
    a Python without site-packages, in a project with files of the user's own."""
    statements = [row[0] for row in (*HELPED, *NOT_HELPED)]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "src").mkdir()
        (project / "src/analysis_steps.py").touch()
        (project / "report.py").touch()
        (project / "exploration.ipynb").touch()
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-W", "ignore", "-c", _ASK, str(SOURCE)],
            input=json.dumps(statements),
            capture_output=True,
            text=True,
            check=True,
            cwd=project,
        )
    return dict(zip(statements, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("row", HELPED, ids=[row[0] for row in HELPED])
def test_the_line_to_type(row: tuple[str, ...]) -> None:
    statement, pip, conda = row[0], row[1], row[-1]
    in_pip, in_conda = told()[statement]
    assert in_pip is not None
    assert in_conda is not None
    assert (in_pip[1], in_conda[1]) == (f"%envinstall {pip}", f"%envinstall {conda}")


@pytest.mark.parametrize(
    ("statement", "first", "other"),
    [
        ("import twitter", "twitter", "python-twitter"),
        ("import jwt", "jwt", "pyjwt"),
        ("import kafka", "kafka", "kafka-python"),
    ],
)
def test_of_several_packages_that_of_the_very_name_comes_first(
    statement: str, first: str, other: str
) -> None:
    for hint in told()[statement]:
        assert hint is not None
        assert f"the packages {first} and {other}, which are not the same" in hint[0]


@pytest.mark.parametrize("statement", ["from bs4 import BeautifulSoup", "import docx"])
def test_a_package_of_the_name_that_brings_nothing_is_not_named(statement: str) -> None:
    for hint in told()[statement]:
        assert hint is not None
        assert "packages" not in hint[0]


@pytest.mark.parametrize("row", NOT_HELPED, ids=[row[0] for row in NOT_HELPED])
def test_where_no_install_would_help_it_says_what_does(row: tuple[str, str]) -> None:
    for hint in told()[row[0]]:
        assert hint is not None
        assert row[1] in hint[0]
        assert hint[1] == ""


def test_there_are_as_many_as_were_promised() -> None:
    assert len(HELPED) >= 60
    assert len(NOT_HELPED) >= 40


@pytest.mark.parametrize("module", sorted(standard.REMOVED))
def test_what_newer_pythons_removed_is_named_with_what_replaces_it(
    module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0, "final", 0))
    hint = missing.explain_module(module, conda=False, folder=str(tmp_path))
    assert hint is not None
    assert standard.REMOVED[module][1] in hint.text
    assert not hint.spec


def test_parts_of_python_that_distributors_pack_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def line(module: str, *, conda: bool) -> str:
        hint = missing.explain_module(module, conda=conda, folder=str(tmp_path))
        assert hint is not None
        return hint.line

    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    assert line("tkinter", conda=True) == "%envinstall tk"
    assert line("tkinter", conda=False) == ""
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert line("tkinter", conda=False) == "%envinstall apt:python3-tk"
    assert line("apt_pkg", conda=False) == "%envinstall apt:python3-apt"


# The data


def test_the_data_says_where_it_comes_from_and_is_large() -> None:
    data = names.names()
    assert len(data.imports) >= 1500
    assert len(data.made) == len("2026-11-24")
    notice = (SOURCE / "jstackmagic/names/NOTICE.txt").read_text()
    for source in ("conda-pypi", "pigar", "guarddog"):
        assert source in notice
    assert names.libraries().source.startswith("Debian")


def test_the_documentation_gives_the_datas_own_numbers() -> None:
    page = SOURCE.parent / "docs/hints.md"
    if not page.exists():  # installed, not in a clone
        pytest.skip("the documentation is not here")
    text, data = page.read_text(), names.names()
    for number in (len(data.imports), len(data.conda), len(data.known), data.ranked, names.POPULAR):
        assert f"{number:,}" in text
    assert f"{len(names.libraries().packages):,}" in text


def test_names_agree_with_what_is_installed_here() -> None:
    """For each distribution of the test environment, its own modules lead back to it."""
    wrong = {}
    checked = 0
    for found in distributions():
        name = names.normalise(found.metadata["Name"])
        files = {file.parts[0] for file in found.files or () if file.suffix in (".py", ".so")}
        for top in {file.partition(".")[0] for file in files}:
            if not top.isidentifier() or top.startswith("_") or top in names.names().own:
                continue
            checked += 1
            package = names.package_of(top)
            if package is not None and package != name:
                wrong[top] = (package, name)
    assert checked > 50
    # "jupyter" is in jupyter-core and, as a package of nothing else, in jupyter
    assert not {key: value for key, value in wrong.items() if key != "jupyter"}


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libGL.so.1", "libgl1"),
        ("libgthread-2.0.so.0", "libglib2.0-0"),
        ("libSM.so.6", "libsm6"),
        ("libXext.so.6", "libxext6"),
        ("libsndfile.so.1", "libsndfile1"),
        ("libportaudio.so.2", "libportaudio2"),
        ("libOpenCL.so.1", "ocl-icd-libopencl1"),
        ("libnss3.so", "libnss3"),
        ("libno-such-thing.so.9", None),
    ],
)
def test_libraries(library: str, package: str | None) -> None:
    text = f"{library}: cannot open shared object file: No such file or directory"
    hint = missing.explain(ImportError(text), conda=False)
    assert (hint.line if hint else None) == (f"%envinstall apt:{package}" if package else None)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("reqeusts", "requests"),
        ("pandsa", "pandas"),
        ("numpyy", "numpy"),
        ("scikit-lern", "scikit-learn"),
        ("djang0", "django"),
        ("pandas", None),
        ("six", None),
        ("acme-tools", None),
        ("python-dateutil", None),
    ],
)
def test_a_slip(name: str, meant: str | None) -> None:
    assert names.slip_of(name) == meant


def test_no_known_package_is_taken_for_a_slip() -> None:
    assert not [name for name in names.names().known if names.slip_of(name)]


# Errors as they really come


def failing(code: str) -> BaseException:
    with pytest.raises((ImportError, OSError)) as caught:
        exec(code, {"__name__": "__main__"})
    return caught.value


def test_a_module_whose_own_import_fails_names_the_one_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outer.py").write_text("import inner_of_outer")
    (tmp_path / "inner_of_outer.py").write_text("def f():\n    import cv2\nf()")
    monkeypatch.syspath_prepend(str(tmp_path))
    hint = missing.explain(failing("import outer"), conda=False, folder=str(tmp_path))
    assert hint is not None
    assert hint.line == "%envinstall opencv-python"


def test_an_error_that_was_raised_in_place_of_the_imports_own() -> None:
    code = (
        "try:\n    import cv2\nexcept ImportError as error:\n"
        "    raise ImportError('Missing optional dependency') from error"
    )
    hint = missing.explain(failing(code), conda=False)
    assert hint is not None
    assert hint.line == "%envinstall opencv-python"
    advised = ImportError("Using `device_map` needs it: `pip install -U accelerate`.")
    hint = missing.explain(advised, conda=False)
    assert hint is not None
    assert hint.line == "%envinstall accelerate"


def test_a_file_of_the_users_own_that_hides_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorflow.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    for code in ("import tensorflow.keras", "from tensorflow import keras"):
        hint = missing.explain(failing(code), conda=False, folder=str(tmp_path))
        assert hint is not None
        assert "hides the real tensorflow" in hint.text
        assert not hint.spec


def test_a_part_of_a_namespace_of_which_another_part_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "azure/core").mkdir(parents=True)
    (tmp_path / "azure/core/__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    for code in ("import azure.identity", "from azure import identity"):
        hint = missing.explain(failing(code), conda=False, folder=str(tmp_path))
        assert hint is not None
        assert hint.line == "%envinstall azure-identity"


def test_what_is_no_failed_import_is_told_nothing() -> None:
    assert missing.explain(ValueError("No module named 'cv2'"), conda=False) is None
    assert missing.explain(FileNotFoundError(2, "No such file", "data.csv"), conda=False) is None
    assert missing.explain(failing("from json import no_such_name"), conda=False) is None
