"""Mask passwords and tokens before anything is shown, recorded or exported.

Secrets are found by structure, not by a list of services: the user part of a URL, conda's
``/t/TOKEN/``, a query or fragment value whose key or look says so, the value of an option or
variable that is named for a secret, and the tokens that their issuers mark with a prefix.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from .joined import joined, lists, uncoloured, worded

MASK = "****"
_STARS = r"(?:\\?\*){4}"
_MASKED = re.compile(rf"{_STARS}(?![\w*\\])")
"""The same, also as Markdown escapes it."""

_WORDS = frozenset(
    re.findall(
        r"\w+",
        """password passwort passwd passphrase passcode pass sshpass psw pwd pw pat token tokens
        secret secrets key keys apikey auth oauth authorization credential credentials creds sig
        signature sas jwt bearer sessionid jsessionid phpsessid cookie hmac""",
    )
)
"""Parts of a name (of an option, a variable, a query key) that say its value is a secret."""

_OTHERS = frozenset({"file", "path", "dir", "name", "url", "helper", "stdin"})
"""Last parts of a name that say its value is something else."""

_ENDINGS = ("password", "passwd", "apikey", "accesskey", "secretkey", "privatekey", "token")
"""The same at the end of a longer part, as in ``authtoken``."""

_NO_SECRET_KEYS = frozenset(
    {"sha1", "sha224", "sha256", "sha384", "sha512", "md5", "blake2b", "egg", "subdirectory"}
)
"""Keys of a URL's fragment that pip and conda define."""

_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[pousr]_\w{16,}|github_pat_\w{20,}|pypi-Ag[\w-]{16,}"
    r"|gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|wt|soat|ffct)-(?=[\w.-]{0,200}[A-Z0-9])[\w.-]{16,}"
    r"|xox[abeoprs]-[\w-]{10,}|(?:dapi|SK)[0-9a-f]{32}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|hf_[A-Za-z0-9]{16,}|dckr_pat_[\w-]{16,}|npm_[A-Za-z0-9]{20,}"
    r"|sk-(?=[\w-]{0,200}\d)(?=[\w-]{0,200}[A-Z])[\w-]{20,}|AIza[\w-]{30,}|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|[sr]k_live_\w{16,}|hvs\.[\w-]{16,}|do[opr]_v1_\w{16,}"
    r"|shp(?:at|ca|pa|ss)_\w{16,}|lin_api_\w{16,}|ATATT3[\w-]{16,}"
    r"|AKIA[A-Z0-9]{16}['\"]\s*,\s*['\"][A-Za-z0-9/+]{40}(?=['\"])|(?:AKIA|ASIA)[A-Z0-9]{16}|ya29\.[\w-]{16,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"
    r"|(?s:-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY(?: BLOCK)?)-----"
    r".*?(?:-----END (?P=kind)-----|\Z)))"
)
"""Tokens whose issuers gave them a prefix so that scanners find them; private keys."""

_AT_HOST = r"@(?=[\w-]+(?:\.[\w-]+)+|localhost|\[)"
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20}(?=://)|https?):(?:\\?/){1,2}"
    rf"(?P<rest>(?:[^\s/?#@:<>\"'`|]+:(?:(?!://)\S)*?{_AT_HOST}"
    r"|(?!localhost)[^\s/?#@:.<>\"'`|]+:(?!\d+[\s/]|\$)(?:(?!://)\S)*?\s+"  # a broken line
    rf"(?:(?!://)\S)+?{_AT_HOST})?[^\s<>\"`|]*)"
)
_INNER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20})://")
_WHOLE = re.compile(  # a text that is one URL, whose password may have blanks
    r"(?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?[A-Za-z][\w+.-]*://"
    rf"(?P<userinfo>[^\s/?#@:]+:(?!\d+\b)(?=\S)(?:(?!://)[^\n])*?){_AT_HOST}\S*"
)
_HOST = re.compile(
    r"(?:[\w-]+(?:\.[\w-]+)+|localhost|\[[\da-f:]+\])(?::\d+)?(?=[/?#\s'),;]|$)", re.I
)
_BARE = re.compile(
    r"(?<![\w./@:%+~-])(?://)?(?!mailto:)(?P<userinfo>[\w.%+~-]+:(?!//)[^\s/:@]+)@(?=[\w.-])(?!\w+:[0-9a-f]{32})"
)
_PROXY = re.compile(
    r"(?i:proxy)['\"]?[=\s]\s*['\"]?(?P<userinfo>[^\s/:'\"]{1,200}:(?!//)[^\s'\"]{0,2000})@(?=[\w\[])"
)
_CONDA_TOKEN = re.compile(r"(?:(?<=/)|^)t/(?P<token>(?!\$|<)[^/\s:]+)(?=/|::|$)")
_CHANNEL = re.compile(r"(?:(?<![\w./~\\-])|(?<=url: /))t/(?P<token>(?!\$|<)[^/\s:]+)(?=/[\w.-])")
_PAIR = re.compile(r"(?<=[?&#;])(?:(?P<key>[\w.\[\]-]+)=)?(?P<value>[^&#;\s'\"]+)")
_QUERY = re.compile(r"(?<=[?&])(?P<key>[\w.\[\]-]+)=(?P<value>[^&#;\s'\"]+)")
_EXPIRES = re.compile(r"(?i:[?&](?:[\w-]*expir\w*|e(?:xp)?|st|deadline|until)=\d)")
_SIGNATURE = re.compile(r"(?=\D*\d)[\w-]{22,}={0,2}")
"""What says that a URL is signed, whatever the key of its signature, and how that looks."""

_ENCODED = re.compile(
    r"(?i:%3a%2f%2f(?P<userinfo>(?:(?!%2f|%3f|%23)[^\s&#/?'\"])+?)%40"
    r"|(?:%3f|%26|%23)(?P<key>[\w.-]+)%3d(?P<value>(?:(?!%26|%23)[^\s&#'\"])+))"
)
"""A URL that another one has in it."""

_MARKED = re.compile(
    r"(?<![\w./+@:-])(?<!sha1[=-])(?<!sha(?:256|384|512)[=-])"
    r"(?:[A-Za-z]\w{0,60}[._-]){1,3}(?P<value>[A-Za-z0-9]{16,})[\w.-]*(?![\w/+=])"
)
"""Generated letters and digits behind words, as in ``sk_live_`` and ``hvs.``."""

_SEGMENT = re.compile(r"(?<=/)[A-Za-z0-9_-]{16,}(?=/|$|[?#\s'\"])")
_OPTION = re.compile(r"(?<![\w-])--?(?P<key>[A-Za-z][\w.-]{0,200})(?:=|[ \t]+(?![<>]))")
_ASSIGNED = re.compile(
    r"(?:(?<![\w?&#<>!~=/-])|(?<=[\s'\"]-[CDo])|(?<=^-[CDo])|(?<=\w=))"
    r"(?P<key>[A-Za-z_][\w.-]{0,200})\+?=(?![=])"
)
_VALUE = re.compile(r"`[^`\n]*`|\$\([^()\n]*\)|[^\s'\"&;|]+|'[^']*'|\"\$\([^()\n]*\)\"|\"[^\"]*\"")
_LITERAL = r"\$'(?:[^'\\\n]|\\.)*'|'(?P<single>[^'\n]*)'|\"(?P<double>(?:[^\"\\\n]|\\.)*)\""
_PIECE = rf"[^\s'\"\\;&|<>()$]+|{_LITERAL}|\\.|\$(?:\([^()\n]*\))?"
_IN_BRACES = _PIECE.replace("[^", "[^,{}", 1)
_SHELL_WORD, _BRACED_WORD, _PYTHON_WORD = (
    re.compile(re.sub("[?]P<[a-z]+>", "?:", word))
    for word in (f"(?:{_PIECE})+", f"(?:{_IN_BRACES})+", f"(?i:[bfru]{{0,2}})(?:{_LITERAL})+")
)
_PIECES = re.compile(
    rf"{_IN_BRACES}|(?P<call>(?<=[\w\]])\((?!\)))"
    r"|(?P<open>(?:(?<=[=\[,])|(?<=[=\[,] )){|(?<!\$){(?=\S))|(?P<close>})"
)
"""A shell's word, from an unquoted place on; one within braces, where a comma ends it, in a shell
as in TOML's tables; texts of Python; and the pieces, with what only a call of Python's has."""

_NOT_PYTHON = re.compile(r"\\(?!\n)|(?<=\\) |(?<=['\"])\w|(?<=\w)(?<!\b[bfru])(?<!\b[bfr]{2})['\"]")
"""Where a text of Python ends, and what no line of Python has there."""

_QUOTED = re.compile(
    r"(?<![\w.%-])(?P<key>-{0,2}[A-Za-z_][\w.-]*)\\?['\"]?\]?[ \t]*"
    r"(?P<sign>[=!]=|\+=(?=[^'\"\n]{0,9}['\"]+[^'\"\n]{4})|"
    r"(?::[ \t]+[\w.\[\]]{1,40}[ \t]*|:)?=|<-|[=:,]|[\])]?[ \t]or(?=[ \t]))"
    r"[ \t]*(?:\([ \t]*\n\s*|(?P<one>\([ \t]*))?"
    r"[$frbu]{0,2}(?P<quote>\\?(?:(?P<long>\"\"\"|''')|['\"]))"
    r"(?=(?P<value>(?!['\"]?[,)\]]|\$\()(?:(?!(?P=quote))(?:\\.|(?(long)[^\\]|[^\\\n])))+)"
    r"(?P=quote)(?(one)(?!\s*,)))"
)
"""A name and a text, of Python, TOML or JSON; one of one text in brackets is no list.

The text, which is the next one's name in a list of words, is only looked at.
"""
_NAME_ENDS = re.compile(r"\\?['\"]\s*:")
_SETTING_OF = re.compile(
    r"(?:(?:\b(?:config|configure|setenv|setx|set)|%(?:set_)?env|\bENV)"
    r"(?:[ ]+(?:set|-\w+|--\w+))*[ ]+(?://[^\s=]*/:)?(?P<key>[A-Za-z_][\w.-]*)"
    r"[ ]+(?:=[ ]*)?|(?m:^[ \t]*(?P<name>[A-Za-z_][\w.-]*)[ \t]+=[ \t]+"
    r"(?=[^\s'\"]\S*$)(?![bfruBFRU]{1,2}['\"])(?!\w+(?:\.[A-Za-z_]\w*)+$))"
    r"|\b(?:rclone\s+config|dvc\s+\w+|papermill)\s[^\n|;&]{0,200}?"
    r"\s(?P<kept>(?=[\w.-]{0,60}(?:pass|token|secret|key))[A-Za-z_][\w.-]*)[ ]+"
    r"|\bread\s[^\n|;&]{0,80}?\b(?P<read>\w+)\s*<<<\s*"
    r"|<(?P<element>[A-Za-z][\w.-]*)>)"
    r"(?P<value>(?(element)[^<>\n]+(?=</)|(?:(?![=-])[^\s'\"(\[{<>][^\s\"(\[{<>]*(?=\s|$)|'[^']*'|\"[^\"]*\")))"
)
"""A command that keeps a value under a name, a line of an INI file, an element of XML."""

_LISTED = re.compile(
    r"(?:(?<=[\[,])[ ]?--?(?P<key>[A-Za-z][\w.-]*),[ ]*(?=[^\s'\",\[\]]+[ ]*[,\]])"
    r"|\bname['\"]?:\s*['\"]?(?P<name>[\w.-]+)['\"]?\s*,?\s*['\"]?value['\"]?:\s*['\"]?)"
    r"(?P<value>(?!-)[^\s'\",\[\]{}]+)"
)
"""An option in a list of YAML, and the name and value of a variable."""

_PLACED = re.compile(
    r"(?im:(?:(?<![\w-])|(?<=\\n))(?:(?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?(?:[a-z]+\s+(?!\w+:/))?"
    r"(?:[a-z]+=[^\n]{0,400}(?:response|signature)=['\"]?)?"
    r"|(?:(?:[\w-]+[-_])?(?:token|secret|password|passwd|passphrase)|[\w-]+[-_]key)['\"]?\s*:"
    r"(?:\s*[>|][-+]?[ ]*\n|\s*[!&][\w!]+[ ])?\s*['\"]?"
    r"(?=[^\s'\"]*[^a-z\s'\",;.]|[^\s'\"]+\s*(?:['\"]|$))"  # not a word of a sentence
    r"|(?:(?-i:-H)|[\w.-]{0,60}header) *=?['\"]?"
    r"(?!accept|cache|content|host|if-|origin|range|referer|user-agent)[\w-]+:\s*(?:[a-z]+\s+(?!\w+:/))?"
    r"|(?:login|user|account|machine)(?:\s|\\n)+(?:(?!\\n)\S)+(?:\s|\\n)+password(?:\s|\\n)+['\"]?|\bconda\s+token\s+set\s+"
    r"|\bhttp-basic\.\S+\s+\S+\s+|\bpulumi\s+config\s+set\s+(?:-\S+\s+)*\w\S*\s+"
    r"|\b(?:wandb|vault)\s+login\s+(?:-\S+\s+(?:\S+://\S+\s+)?){0,9}(?!-)"
    r"|\bdocker\s+login\s+(?:-u|--username)[ =]\S+\s+(?=[\w-]+(?:\s|$))(?!-)"
    r"|\b\w*auth\s*(?:=\s*)?\(\s*['\"][^'\"\n]*['\"]\s*,\s*['\"]"
    r"|\bidentified\s+(?:with\s+\S+\s+)?by\s+['\"]|\bpassword\s+'"
    r"|\bset_password\((?:\s*['\"][^'\"\n]*['\"]\s*,){2}\s*['\"]"
    r"|\blogin\(\s*['\"](?![^'\"\n]*['\"]\s*,\s*['\"]"
    + _STARS
    + r")(?:[^'\"\n]*['\"]\s*,\s*['\"])?"
    r"|\b(?:token|pass(?:word|phrase)|secret|key)\s+is:?\s+['\"]?(?=\S{8})(?=[^\s'\"]*\d)"
    r"|\b(?:login|upload|publish|sshpass|snowsql)\b[^\n|;&]{0,200}?\s(?-i:-p)\s*['\"]?"
    r"|-pass(?:in|out)?[ =]\s*['\"]?pass:"
    r"|\b7z\w*\s[^\n|;&]{0,200}?\s(?-i:-p)|\blftp\s[^\n|;&]{0,200}?-u\s*[^\s,]{1,200},"
    r"|\bsmbclient\s[^\n|;&]{0,200}?(?-i:-U)\s*[^\s%]{1,200}%|\bmc\s+alias\s+set(?:\s+\S+){3}\s+"
    r"|\bhttps?\s[^\n|;&]{0,200}?-a\s*[\w.]{1,200}:"
    r"|\b(?:openssl\s+(?:enc|aes\w*|aria\w*|bf|camellia\w*|des\w*|rc[245]|sm4)\b[^\n|;&]{0,200}?\s-k"
    r"|(?:un)?zip\s+(?:\S{1,200}\.zip\s+|-\w+\s+){0,6}(?-i:-P)|ssh-keygen\b[^\n|;&]{0,200}?\s(?-i:-[NP])"
    r"|redis-cli\b[^\n|;&]{0,200}?\s-a"
    r"|ldap(?:add|compare|delete|modify|passwd|search|whoami)\b[^\n|;&]{0,200}?\s-w"
    r"|(?:mongo|sqlcmd)\w*\s[^\n|;&]{0,200}?-u\s+\S{1,200}\s[^\n|;&]{0,100}?-p)\s+['\"]?"
    r"|\bmysql\w*\b[^\n|;&]{0,80}\s(?-i:-p)['\"]?|\bhatch\s+publish\b[^\n|;&]{0,200}?\s-a\s+|\b(?:anaconda|uv\s+publish)\b[^\n|;&]{0,80}?\s(?-i:-t)\s+"
    r"|\b(?:nonnumeric\ port:|integer\ value\ as|base\ 10:(?=[^\n]{1,200}@))\s*['\"]"  # half a URL
    r"|\bprivate-lines:\s*\d+\s+|\b\w*askpass=['\"]?echo\s+"
    r"|\b(?:sudo\b[^\n|;&]{0,80}\s-\w*(?-i:S)\b|keyring\s+set\b|\w[^\n|;&]{0,80}(?:--with-token|-stdin|-fd)\b)"
    r"[^\n|;&]{0,200}(?:<<(?:<\s*['\"]?|-?\s*['\"]?\w+['\"]?[^\n]*\n)"
    r"|\b(?:input\s*=|communicate\()\s*b?['\"])"
    r"|%%(?:write)?file\s+\S{0,200}(?:token|secret|passw|credential)[^\s/]{0,60}\n"
    r"|(?:token|secret|passw|credential)[^\s'\"/]{0,60}['\"][^\n]{0,20}\)\.write(?:_text)?\(\s*b?['\"]"
    r"|\bcurl\b[^\n|;]{0,500}?\s(?:-b|--cookie) *=?['\"]?[\w-]+="
    r"|\b(?:curl|wget|npm|yarn|pnpm|svn|jf)\b[^\n|;]{0,500}?\s(?:-\w{0,9}u|--(?:proxy-)?user"
    r"|(?-i:-E)|--(?:proxy-)?cert) *=?['\"]?[a-z][\w.@/-]*:['\"]?))"
    rf"(?P<value>(?!(?:[!&\w]+\s+)?{_MASKED.pattern})(?=[^\s'\",;]*\w)"  # not "Bearer ****"
    r"(?:[^\s'\",;]|[,;](?=[^\s'\"\\])|(?<=\w)'(?=\w))+)"
)
"""A header of HTTP, a line of YAML, ``.netrc``, options of one letter, and what sudo reads."""

_COOKIES = re.compile(
    r"(?i:(?<!\w)(?:set-)?cookie['\"]?[ \t]*:[ \t]*(?:['\"](?=\S))?)"
    r"(?P<value>[^\s'\",;=]+=[^'\"\n]*\w|(?=[^\s'\",;]*\w)[^\s'\",;]+)"
)
_ECHOED = r"(?!-)(?:[^\s'\"|;&<>]+(?![^\s'\"|;&<>])|'[^'\n]*'|\"[^\"\n]*\"){1,9}"
"""A word of an echo, which splits into its pieces in one way only."""
_PIPED = re.compile(
    r"\b(?:echo|printf)(?:[ ]+-\w+)*[ ]+(?:['\"]?%s(?:\\n)?['\"]?[ ]+)?"
    rf"(?P<value>{_ECHOED}(?:[ ]+{_ECHOED}){{0,8}})[ ]*"
    r"(?=(?:>>?|\|[ ]*(?:sudo[ ]+)?tee[ ](?:-a[ ])?)[ ]*[^\s|;&]{0,200}"
    r"(?:(?:token|secret|passw|credential|netrc|\.key)[^\s/|;&]*|/\.?(?:tok|pw|pass|key|pat))(?:[\s|;&]|$)"
    r"|\|[^\n|;&]{0,200}(?:-stdin\b|--with-token\b|\b(?:keyring|chpasswd|kinit)\b"
    r"|\bsudo\b[^\n|;&]{0,80}?[ ]-\w*S\b))"
)

_KEPT = re.compile(
    r"\b(?:vault\s+(?:kv\s+(?:put|patch)|write)|kubectl\s+create\s+secret)\s(?P<pairs>[^\n|;&]*)"
)
_PAIR_OF = re.compile(
    r"(?:(?<=\s)|literal=)\w[\w./-]*=(?P<value>[^\s'\"@][^\s'\"]*|'[^'\n]*'|\"[^\"\n]*\")(?=\s|$)"
)
"""What a store of secrets is given, whatever its name."""

_UNPACKED = re.compile(
    r"(?<![\w.,])(?P<names>[A-Za-z_][\w.]*(?:[ \t]*,[ \t]*[A-Za-z_][\w.]*){1,19})\)?[ \t]*=(?!=)"
    r"(?P<values>(?:'[^'\n]*'|\"[^\"\n]*\"|[^'\"\n#;=])*)"
)
_ITEM = re.compile(r"(?:'[^'\n]*'|\"[^\"\n]*\"|[^,'\"])+")
"""Several names, and their values in order."""

_SENT = re.compile(
    r"(?:\b|_)send(?:_\w+)?[ \t]+(?:--?\w*[ \t]+){0,4}[\"{]"
    r"(?P<value>[^\"{}\n]{1,200}?)(?:\\[rn])+[\"}]"
    r"|\bexpect(?:_exact)?\([^\n]{0,80}(?i:assw|assp|token|secret)[^\n]{0,80}\)\s*[;\n]\s*"
    r"[\w.]{1,60}\.send(?:line)?\(\s*b?['\"](?P<line>[^'\"\n]{1,200})"
)
"""The answers that expect types, and pexpect to a prompt for a secret."""

_SORTED = re.compile(
    r"(?:\b(?:sort(?:ed|_values)?|min|max|group_?by|nlargest|nsmallest|(?:read|to)_hdf)"
    r"\s*\((?:[^()\n]|\([^()\n]*\))*|\bsort\s[^\n|;&]*)\Z"
)
_WORD = re.compile(r"[A-Za-z_]\w{0,30}|[\d.,]{1,12}[a-z]{0,8}")
"""What comes before a ``key`` to sort by, and that key."""

_REFERENCE = re.compile(
    r"\\?\$(?:\{?\w+\}?|\{\w+:?[-=?+][^}]*\})|(?:\$\(|`)(?!\s*(?:echo|printf)\s).*[)`]"
    r"|<[\w -]+>|\*+"
)
_HARMLESS = re.compile(
    rf"(?i:(?:{_REFERENCE.pattern}|true|false|none|null|yes|no)$|(?:id|type)=)"
)  # docker build --secret id=NAME
_VERSION = re.compile(r"\*|\d{1,4}|[\^~<>=! ]*\d+\.[\w.*+!=|,<>~ -]*|[\^~<>=! ]+\d+")
_DIGEST = re.compile(r"(?:\w+:)?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56,128})")
_MARKS = re.compile(
    r":/|@|t/|\?\w|pass|ps?w|pat(?!h|tern|ch)|tok|secret|key|auth|cred|sig(?!n(?!ature))|sas|jwt|bearer|session|cookie|curl|wget"
    r"|-h ?['\"]|<<<|-stdin|sudo|mysql|%3a|login|upload|publish|anaconda|header|basic|hmac|dapi"
    r"|c port: |value as |npm|yarn|svn|snowsql|pulumi"
    r"|send|zip|redis|ldap|mongo|sqlcmd|kinit|openssl|7z|lftp|smbclient|alias set|vault|http"
    r"|[._-][a-z0-9]{16}|sk[0-9a-f]{32}|private-lines|gh[pousr]_|github_|gl[a-z]{2,5}-|pypi-|xox|hf_|dckr_|sk-|aiza|sg\.|akia|asia|ya29|eyj"
    r"|netrc|identified|kubectl|k_live_|hvs\.|_v1_|shp[acs]|lin_api|atatt3"
)
"""Text that every pattern needs some of."""


def mask(text: str) -> str:
    """Return ``text`` with every credential in it replaced by ``****``.

    References to a variable (``${TOKEN}``) and the bare user name of an ssh URL stay.

    >>> mask("--index-url https://me:s3cret@pypi.example/simple")
    '--index-url https://****@pypi.example/simple'
    >>> mask("git+ssh://git@host.example/repo.git")
    'git+ssh://git@host.example/repo.git'
    >>> mask("https://conda.example/t/tk-123/channel/"), mask("/data/t/project/x.whl")
    ('https://conda.example/t/****/channel/', '/data/t/project/x.whl')
    >>> mask("--password hunter2 tokenizers=0.15 HF_TOKEN=abc")
    '--password **** tokenizers=0.15 HF_TOKEN=****'
    """
    shown, end = [], 0
    for start, stop in _spans_again(text) if len(text) < _REMEMBERED else _spans(text):
        shown += [text[end:start], MASK]
        end = stop
    return "".join([*shown, text[end:]])


def mask_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command line, each masked, and the value behind ``--password`` too.

    >>> mask_words(["--config-settings", "token=12", "--api-key", "abc", "six"])
    ('--config-settings', 'token=****', '--api-key', '****', 'six')
    """
    shown: list[str] = []
    option = ""
    for word in words:
        setting = _SETTING.match(word)
        inner = word[setting.end() :] if setting else word
        if option and not inner.startswith("-") and not _REFERENCE.fullmatch(inner):
            key, equals, value = word.partition("=")
            if names_a_secret(option):
                shown.append(f"{setting[0] if setting else ''}{MASK}")
            elif option in _SETTINGS and equals and value and names_a_secret(key):
                shown.append(f"{key}={MASK}")
            else:
                said = f"--{option} "  # a proxy's address has no scheme
                shown.append(mask(said + mask(word))[len(said) :])
        else:
            shown.append(mask(word))
        option = inner.lstrip("-") if inner.startswith("-") and "=" not in inner else ""
    return tuple(shown)


class Key(str):
    """A text whose credential is what the user requested, as a server's URL with its token."""

    __slots__ = ()


def mask_values(value: Any) -> Any:
    """Return the values of a JSON document with every text in it masked, lists as command lines."""
    if isinstance(value, str):
        return value if isinstance(value, Key) else mask(value)
    if isinstance(value, dict):
        return {key: mask_values(item) for key, item in value.items()}
    if not isinstance(value, (list, tuple)):
        return value
    if all(isinstance(item, str) for item in value):
        return list(mask_words(value))
    return [mask_values(item) for item in value]


_SETTINGS = frozenset(
    {"config-settings", "config-setting", "C", "global-option", "build-option", "o"}
)
"""Options whose value is a setting of their own, ``KEY=VALUE``."""

_SETTING = re.compile(r"--(?:global|build|install)-option=")
"""Options whose value is an option of another program."""


def secrets_of(text: str) -> tuple[str, ...]:
    """Return the credentials that `mask` hides in ``text``, longest first.

    They are for keeping a program's output free of them.
    """
    found = []
    for whole, (start, stop), _ in _placed(text):
        secret = whole[start:stop].strip("'\"")
        # a user name is no secret, and would hide every home folder of that name
        password = secret.partition(":")[2] if whole[stop : stop + 1] == "@" else ""
        known = password if password.strip("*") else secret
        found += [secret, known, _as_one_word(whole[start:stop])]
    found += [unquote(secret) for secret in found]
    return tuple(
        dict.fromkeys(sorted(filter(None, found), key=lambda secret: (-len(secret), secret)))
    )


def without_login(text: str) -> str:
    """Return a URL without its user and password.

    >>> without_login("git+https://me:word@h.example/r.git@main")
    'git+https://h.example/r.git@main'
    """
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)


def _as_one_word(text: str) -> str:
    """Return what a shell makes of quotes glued into a word; empty where it is none."""
    with contextlib.suppress(ValueError):
        words = shlex.split(text) if len(text) < _LONGEST else ()
        return words[0] if len(words) == 1 else ""
    return ""


def without(text: str, secrets: Iterable[str]) -> str:
    """Return a text with each of some secrets masked, wherever it stands."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _spans(text: str) -> tuple[tuple[int, int], ...]:
    """Return the positions of a text's secrets, in order, none within another."""
    return tuple(_merged(place for _, _, place in _placed(text)))


_spans_again = lru_cache(maxsize=4_096)(_spans)
"""The same, of a name, a line or a record's field, which are masked each time they are shown."""

_REMEMBERED = 2_000
"""Characters of such a text."""


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _placed(text: str) -> Iterator[tuple[str, tuple[int, int], tuple[int, int]]]:
    """Yield the secrets of a text as its pieces make it, and the place of each in the text.

    What no piece of a joined text is, as the arguments that it leaves out, is read by itself.
    """
    plain, shown = uncoloured(text)
    whole, places = joined(plain)
    kept = frozenset(places) if whole != plain else ()
    for start, stop in _found(plain):
        if not kept or any(plain[at].isalnum() and at not in kept for at in range(start, stop)):
            yield plain, (start, stop), (shown[start], shown[stop - 1] + 1)
    # a list of a command's words, and one of names and values
    for read, of_read in (worded(whole, places), *(lists(whole, places) if kept else ())):
        for start, stop in _found(read) if read != plain else ():
            at = of_read[start:stop]
            yield read, (start, stop), (shown[min(at)], shown[max(at)] + 1)


_ENDED = "*\\)]}.,:;?!…`"
"""What a masked value ends with: Markdown's escapes, the end of a call, a quotation, a sentence."""


def _found(text: str) -> list[tuple[int, int]]:
    """Return the places of the secrets in a text that are not masked yet, none within another."""
    return _merged(
        (start, stop)
        for start, stop in (_all_found(text) if may_hold(text) else ())
        if stop - start > _SHORT or text[start:stop].strip(_ENDED)
    )


_SHORT = 99
"""Characters of what may be a masked value."""


def may_hold(text: str) -> bool:
    """Return whether a text has any of what stands beside credentials; most texts have none."""
    return _MARKS.search(text.lower()) is not None


def _all_found(text: str) -> Iterator[tuple[int, int]]:
    whole = _WHOLE.fullmatch(text)
    if whole and _is_login(whole["userinfo"]):
        yield whole.span("userinfo")
    for match in _URL.finditer(text):
        yield from _in_url(match)
    for pair in _QUERY.finditer(text):  # urllib3 says "with url: /a.whl?token=…", without a host
        if _is_secret_pair(pair["key"], pair["value"]):
            yield pair.span("value")
    for pattern in (_BARE, _PROXY):
        for match in pattern.finditer(text):
            if _is_login(match["userinfo"]):
                yield match.span("userinfo")
    for match in _ENCODED.finditer(text):
        if match["userinfo"]:
            yield match.span("userinfo")
        elif _is_secret_pair(match["key"], match["value"]):
            yield match.span("value")
    for match in _CHANNEL.finditer(text):
        yield match.span("token")
    for match in _PREFIXED.finditer(text):
        yield match.span()
    for match in _MARKED.finditer(text):
        if _is_generated(match["value"]):
            yield match.span()
    for pattern in (_PLACED, _COOKIES, _PIPED):
        for match in pattern.finditer(text):
            value = match["value"]
            if not _is_harmless(value) and not ("." in value and _VERSION.fullmatch(value)):
                yield match.start("value"), _end_of_quoted(match)
    for kept in _KEPT.finditer(text):
        for match in _PAIR_OF.finditer(text, *kept.span("pairs")):
            if not _is_harmless(match["value"]):
                yield match.span("value")
    for match in _UNPACKED.finditer(text):
        names = match["names"].replace(" ", "").split(",")
        items = [*_ITEM.finditer(text, *match.span("values"))]
        is_call = text.startswith("=", match.end())  # f(a, b='x', c='y')
        for name, item in zip(names, items, strict=False):
            value = item[0].strip(" \t()[]")
            quoted = value[:1] in ("'", '"') and len(names) == len(items) and not is_call
            if quoted and names_a_secret(name) and not _is_harmless(value):
                start = text.index(value, *item.span())
                yield start + 1, start + len(value) - 1
    for match in _SENT.finditer(text):
        if not _is_harmless(match[match.lastgroup or "value"]):
            yield match.span(match.lastgroup or "value")
    lines = None
    for pattern in (_OPTION, _ASSIGNED):
        end = 0  # of the value that further ones may be in
        for match in pattern.finditer(text):
            start = match.end()
            if _MASKED.match(text, start):
                continue
            if start >= end:
                value = _VALUE.match(text, start)
                if value is None:
                    continue
                lines = lines or _ShellLines(text)
                stop = lines.end_of_word(start, value.end())
                alone = stop == value.end() and text[start] in "'\""
                end = start if alone or text[start] == "{" else stop
            if _is_named(pattern, match, text[start : min(stop, start + _LONGEST)]):
                yield start, stop
    for pattern in (_QUOTED, _SETTING_OF, _LISTED):
        for match in pattern.finditer(text):
            if _is_named(pattern, match, match["value"]):
                yield match.span("value")


def _end_of_quoted(match: re.Match[str]) -> int:
    """Return where a value ends whose text begins right before it, or before its user's name."""
    start, stop = match.span("value")
    opened = _OPENED.search(match.string, match.start(), start)
    text = _REST[opened[1]].match(match.string, start) if opened else None
    return max(stop, text.end()) if text else stop


_OPENED = re.compile(r"(?<!\w)(['\"])[^'\"]*\Z")
_REST = {quote: re.compile(rf"(?:\\.|[^\\\n{quote}])*(?={quote})") for quote in "'\""}


class _ShellLines:
    """The lines of a text as a shell reads them, each once, and what is quoted there as a line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._places: list[tuple[int, int, bool, bool]] = []  # from, the line's end, Python, braces
        at = 0
        for line in text.splitlines(keepends=True) if re.search(r"['\"\\]", text) else ():
            self._read(at, at + len(line), 0)
            at += len(line)

    def _read(self, start: int, end: int, depth: int) -> None:
        """Note what a line is, and after each brace and each quoted piece of it again."""
        pieces = [*_PIECES.finditer(self._text, start, end)]
        python = any(piece["call"] for piece in pieces)
        self._places.append((start, end, python, False))
        braces = 0
        for piece in pieces:
            kind = piece.lastgroup
            if kind in ("single", "double") and depth < _DEPTH:
                self._read(*piece.span(kind), depth + 1)
            elif kind in ("open", "close"):
                braces = max(0, braces + (1 if kind == "open" else -1))
            else:
                continue
            self._places.append((piece.end(kind), end, python, braces > 0))

    def end_of_word(self, start: int, stop: int) -> int:
        """Return where the word ends that a value begins, which ends at `stop` at the earliest."""
        found = bisect.bisect_right(self._places, (start, len(self._text), True, True)) - 1
        if found < 0:
            return stop
        _, end, python, braced = self._places[found]
        if python:
            text = _PYTHON_WORD.match(self._text, start, end)
            stop = text.end() if text else stop
            if not _NOT_PYTHON.match(self._text, stop, end):
                return stop
        word = (_BRACED_WORD if braced else _SHELL_WORD).match(self._text, start, end)
        last = word.end() if word else stop
        return last if self._text[stop:last].strip(",:]}\\'\"") else stop


_DEPTH = 2
"""How deep a line is quoted in another."""

_LONGEST = 2_000
"""The characters of a value that are looked at; a longer one is a secret if its name says so."""


def _is_named(pattern: re.Pattern[str], match: re.Match[str], value: str) -> bool:
    """Return whether a value is a secret by its name."""
    names = match.groupdict()
    sign = names.get("sign") or ""
    key = next(filter(None, map(names.get, ("key", "name", "element", "kept", "read"))), "")
    value = value.strip("'\"")
    if not names_a_secret(key.lstrip("-")) or _is_harmless(value):
        return False
    before = match.string[max(0, match.start() - 200) : match.start()]
    if key.lstrip("-") == "key" and _WORD.fullmatch(value) and _SORTED.search(before):
        return _looks_secret(value)
    if value.rstrip(")") == key or value.strip("([{") == "":
        return False
    if sign == ",":  # in a list of words only an option or a variable has a value
        if _NAME_ENDS.match(match.string, match.end("value")):
            return False  # the next name of an object
        return (
            key.startswith("-")
            or "_" in key
            or key.isupper()
            or match.string[match.start() - 2 : match.start() - 1] == "("
        )
    if sign in ("==", "!="):
        return not key.lower().endswith(("key", "keys", "token", "tokens"))
    if sign.endswith("or") and ("." in key or key in ("key", "token")):
        return False
    if sign == ":" and key in ("key", "keys", "tokens"):
        return False
    # conda writes a version so: secret-storage=3.3; a variable is in capitals
    return pattern is _OPTION or key.isupper() or not _VERSION.fullmatch(value)


def _in_url(match: re.Match[str]) -> Iterator[tuple[int, int]]:
    rest, offset = match["rest"], match.start("rest")
    yield from _in_place(match["scheme"], rest, offset)
    inner = list(_INNER.finditer(rest))
    for each, after in itertools.zip_longest(inner, inner[1:]):
        part = rest[each.end() : after.start() if after else None]
        yield from _in_place(each["scheme"], part, offset + each.end())
    expires = _EXPIRES.search(rest)
    for pair in _PAIR.finditer(rest):
        signs = expires and rest[pair.start() - 1] != "#" and _SIGNATURE.fullmatch(pair["value"])
        if signs or _is_secret_pair(pair["key"] or "", pair["value"]):
            yield offset + pair.start("value"), offset + pair.end("value")


def _in_place(scheme: str, rest: str, offset: int) -> Iterator[tuple[int, int]]:
    end = _end_of_userinfo(rest)
    if end:
        login = rest[:end]
        named = scheme.endswith("ssh") and ":" not in login and not _looks_secret(login)
        if not named and _is_login(login):
            yield offset, offset + end
    if scheme != "file":
        for token in _CONDA_TOKEN.finditer(rest):
            yield offset + token.start("token"), offset + token.end("token")
        for segment in _SEGMENT.finditer(re.split(r"[?#]", rest[end:], maxsplit=1)[0]):
            if _is_generated(segment[0]):
                yield offset + end + segment.start(), offset + end + segment.end()


def _is_login(userinfo: str) -> bool:
    """Return whether a URL's user part is to be masked; pip masks a password, and not its user."""
    user, _, password = userinfo.partition(":")
    return not _REFERENCE.fullmatch(password if password.strip("*") else user)


def _is_secret_pair(key: str, value: str) -> bool:
    if key.lower() in _NO_SECRET_KEYS or _is_harmless(value):
        return False
    keys = [key, *re.findall(r"(?:^|[~!,])([\w-]+)=(?=[^~!,])", value)]  # hdnts=exp=1700~hmac=00
    named = any(each.lower() == "code" or each.lower().endswith(("auth", "key")) for each in keys)
    return named or any(map(names_a_secret, keys)) or _looks_secret(value)


def _end_of_userinfo(rest: str) -> int:
    """Return the position of the ``@`` of a URL's user part; 0 without one.

    A password may have an unquoted ``@``, ``/`` or ``'``, against RFC 3986, as users paste them.
    """
    authority = re.match(r"[^/?#]*", rest)
    length = authority.end() if authority else 0
    end = rest.rfind("@", 0, length)
    if end > 0:
        quoted = re.search(r"['\"][,)\]]", rest[:end])  # the end of a quoted URL, and the next
        return 0 if quoted else end
    user, colon, after = rest[:length].partition(":")
    if not colon or not user or re.fullmatch(r"\d*", after):
        return 0  # a port
    for at in re.finditer("@", rest):
        if _HOST.match(rest, at.end()):
            return at.start()
    return 0


def names_a_secret(key: str) -> bool:
    """Return whether an option, a variable or a query key is named for a secret."""
    parts = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key).lower())
    if parts[0] in ("no", "use", "without", "recv") or parts[-1] in _OTHERS:
        return False
    return any(part in _WORDS or part.endswith(_ENDINGS) for part in parts)


def _is_harmless(value: str) -> bool:
    """Say whether a value named for a secret holds none: a URL is masked by its parts."""
    bare = value.strip("'\"")
    harmless = _HARMLESS.match(bare) or _HARMLESS.match(bare.rstrip("),"))
    return not bare or "://" in bare or harmless is not None


def _looks_secret(value: str) -> bool:
    """Return whether a value is long and mixed as only generated ones are."""
    text = unquote(value)
    if _DIGEST.fullmatch(text):
        return False
    if _is_generated(text):
        return True
    mixed = len(text) >= 20 and len(set(text)) >= 10 and not re.search(r"[\s./-]", text)
    return mixed and _changes(text) >= len(text) / 4


def _is_generated(text: str) -> bool:
    """Return whether a run of capitals, small letters and digits is too mixed for a name.

    Of random letters and digits three of five neighbours are of different kinds; of words written
    together, PyPI's longest names included, one of three.
    """
    return any(
        {"a", "A", "0"} <= set(map(_kind, run)) and _changes(run) >= 0.45 * len(run)
        for run in re.findall(r"[A-Za-z0-9]{16,}", text)
    )


def _changes(text: str) -> int:
    kinds = [*map(_kind, text)]
    return sum(one != next_ for one, next_ in itertools.pairwise(kinds))


def _kind(character: str) -> str:
    return "0" if character.isdigit() else "A" if character.isupper() else "a"
