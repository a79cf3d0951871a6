"""Passwords and tokens are masked."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jstackmagic.model.credentials import MASK, mask, mask_words, secrets_of
from support.growth import growth


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://me:s3cret@h.example/simple", "https://****@h.example/simple"),
        ("https://tok3n@h.example/simple", "https://****@h.example/simple"),
        ("git+https://me:s3cret@h.example/r.git@v1", "git+https://****@h.example/r.git@v1"),
        ("https://h.example/t/tk-1/c/noarch", "https://h.example/t/****/c/noarch"),
        ("https://h.example/x.whl?token=abc&v=1", "https://h.example/x.whl?token=****&v=1"),
        (
            "with url: /x.whl?X-Amz-Signature=ab12&v=1 (",
            "with url: /x.whl?X-Amz-Signature=****&v=1 (",
        ),
        ("/x.whl?v=1&private_token=ab12'", "/x.whl?v=1&private_token=****'"),
        ("a?page=2&name=token&&TOKEN_FILE=/x", "a?page=2&name=token&&TOKEN_FILE=/x"),
        ("git+ssh://git@h.example/r.git", "git+ssh://git@h.example/r.git"),
        ("https://${USER}:${TOKEN}@h.example/simple", "https://${USER}:${TOKEN}@h.example/simple"),
        ("/data/t/project/x.whl", "/data/t/project/x.whl"),
        ("file:///data/t/project/x.whl", "file:///data/t/project/x.whl"),
        ("six @ https://h.example/six.whl", "six @ https://h.example/six.whl"),
        ("me@h.example", "me@h.example"),
        # passwords as people paste them
        ("https://me:p@ss@h.example/simple", "https://****@h.example/simple"),
        ("https://me:p/ss@h.example/simple", "https://****@h.example/simple"),
        ("https://me:it's@h.example/simple", "https://****@h.example/simple"),
        ("https://me:p/1@h.example:8080/simple", "https://****@h.example:8080/simple"),
        ("--proxy me:pw@proxy.example:3128", "--proxy ****@proxy.example:3128"),
        # a user whose password is masked, as pip writes a token, or empty
        ("https://t0k:****@h/simple", "https://****@h/simple"),
        ("https://t0k:@h.example/simple", "https://****@h.example/simple"),
        ("for 'https://git:****@h.example/r.git/'", "for 'https://****@h.example/r.git/'"),
        ("--proxy t0k:@proxy.example", "--proxy ****@proxy.example"),
        ("t0k:****@h.example/x", "****@h.example/x"),
        ("https://${TOKEN}:****@h.example", "https://${TOKEN}:****@h.example"),
        ("https://${TOKEN}:@h.example", "https://${TOKEN}:@h.example"),
        ("https://oauth2:$TOKEN@h.example", "https://oauth2:$TOKEN@h.example"),
        # what looks like one and is none
        ("https://h.example:8080/r.git@v1.0", "https://h.example:8080/r.git@v1.0"),
        ("git+https://h.example/r.git@v1#egg=r", "git+https://h.example/r.git@v1#egg=r"),
        ("git+https://me:pw@h.example/r.git@v1", "git+https://****@h.example/r.git@v1"),
        ("base-notebook:2026@sha256:" + "0a" * 32, "base-notebook:2026@sha256:" + "0a" * 32),
        ("['https://a.example', 'me@b.example']", "['https://a.example', 'me@b.example']"),
        ("mailto:me@h.example", "mailto:me@h.example"),
        # signed URLs, and the keys of many services
        (
            "https://h.example/x?X-Amz-Signature=ab12&e=1",
            "https://h.example/x?X-Amz-Signature=****&e=1",
        ),
        (
            "https://h.example/x?X-Amz-Security-Token=IQo",
            "https://h.example/x?X-Amz-Security-Token=****",
        ),
        ("https://h.example/x?X-Goog-Signature=00", "https://h.example/x?X-Goog-Signature=****"),
        ("https://h.example/x?private_token=a", "https://h.example/x?private_token=****"),
        ("https://h.example/x?job_token=a&b=2", "https://h.example/x?job_token=****&b=2"),
        ("https://h.example/x?client_secret=a", "https://h.example/x?client_secret=****"),
        ("https://h.example/x#access_token=a", "https://h.example/x#access_token=****"),
        ("https://h.example/x?sv=2020&sig=a%3D", "https://h.example/x?sv=2020&sig=****"),
        ("https://h.example/x?code=aB3dE5gH7jK9mN1pQ3sT5v", "https://h.example/x?code=****"),
        (
            "https://h.example/x.whl#sha256=" + "0a" * 32,
            "https://h.example/x.whl#sha256=" + "0a" * 32,
        ),
        ("https://h.example/x.conda#" + "0a" * 16, "https://h.example/x.conda#" + "0a" * 16),
        ("https://h.example/x?version=1.2.3-beta", "https://h.example/x?version=1.2.3-beta"),
        # conda's tokens
        ("https://h.example/t/tk-1", "https://h.example/t/****"),
        ("t/tk-1/channel", "t/****/channel"),
        ("t/tk-1/channel::pkg=1.0", "t/****/channel::pkg=1.0"),
        ("-c t/tk-1/channel pkg", "-c t/****/channel pkg"),
        ("https://h.example/t/$TOKEN/c", "https://h.example/t/$TOKEN/c"),
        ("https://h.example/t/<TOKEN>/c", "https://h.example/t/<TOKEN>/c"),
        ("./t/project/x.whl", "./t/project/x.whl"),
        # one in another, and what programs read
        (
            "=https://a:b@c.d=https://e:f@g.h=https://i:j@k.l",
            "=https://****@c.d=https://****@g.h=https://****@k.l",
        ),
        ('expect "assword:"; send "hunter2\\n"', 'expect "assword:"; send "****\\n"'),
        ('exp_send -- "my phrase\\r"', 'exp_send -- "****\\r"'),
        ("c.expect('assword:')\nc.sendline('hunter2')", "c.expect('assword:')\nc.sendline('****')"),
        ('sock.send("GET /x HTTP/1.1\\r\\n")', 'sock.send("GET /x HTTP/1.1\\r\\n")'),
        ("openssl enc -aes-256-cbc -k hunter2 -in x", "openssl enc -aes-256-cbc -k **** -in x"),
        ("openssl rsa -passin pass:hunter2 -in x", "openssl rsa -passin pass:**** -in x"),
        ("curl -k https://h.example/x", "curl -k https://h.example/x"),
        ("unzip -P hunter2 a.zip; unzip -p a.zip b", "unzip -P **** a.zip; unzip -p a.zip b"),
        ("unzip a.zip -P hunter2", "unzip a.zip -P ****"),
        ("mongosh h.example/db -u me -p hunter2", "mongosh h.example/db -u me -p ****"),
        ("ldapsearch -x -D cn=me -w hunter2", "ldapsearch -x -D cn=me -w ****"),
        ("conda install openssl zip -k numpy", "conda install openssl zip -k numpy"),
        ("docker run --rm mongo -p 8081", "docker run --rm mongo -p 8081"),
        ("xs = sorted(xs, key=lambda x: x.name)", "xs = sorted(xs, key=lambda x: x.name)"),
        ("echo 'root:hunter2' | chpasswd", "echo **** | chpasswd"),
        # a key to sort by, and one that opens
        ("x = sorted(f(a), key='name')", "x = sorted(f(a), key='name')"),
        ("df.sort(key='name')", "df.sort(key='name')"),
        ("pd.read_hdf(p, key='df')", "pd.read_hdf(p, key='df')"),
        ("Client(key='name')", "Client(key=****)"),
        ("sort(x)\nkey='hunter2'", "sort(x)\nkey=****"),
        ("sort(key='aB3dE5gH7jK9mN1pQ3sT5v')", "sort(key=****)"),
        # options and variables
        ("pip install --password hunter2 six", "pip install --password **** six"),
        ("--global-option=--password=x", "--global-option=--password=****"),
        ("HF_TOKEN=abc pip install x", "HF_TOKEN=**** pip install x"),
        ("token=abc", "token=****"),
        ("token=0QZXkj18zq", "token=****"),
        ("secret-storage=3.3 auth=1.*", "secret-storage=3.3 auth=1.*"),
        ("tokenizers=0.15.0", "tokenizers=0.15.0"),
        ("tokenizers==0.15.0", "tokenizers==0.15.0"),
        ("secretstorage>=3.3 authlib=1.0", "secretstorage>=3.3 authlib=1.0"),
        ("python-jwt=4.0.0=py_0", "python-jwt=4.0.0=py_0"),
        ("--no-token six", "--no-token six"),
        # quotes glued into a word, as a shell reads it
        ("token=a'b' six", "token=**** six"),
        ('--password=a"b c"d six', "--password=**** six"),
        ("--password a'b c' six", "--password **** six"),
        ("key='a'\\''b' six", "key=**** six"),
        ("--password=a\\ b six", "--password=**** six"),
        ("sh -c \"token=a'b' pip\" x", 'sh -c "token=**** pip" x'),
        ("os.system(\"pip --token=a'b' x\")", 'os.system("pip --token=**** x")'),
        ("echo 'f(x)' $(f) token=a'b'", "echo 'f(x)' $(f) token=****"),
        ('["--token=a", "b"]', '["--token=****", "b"]'),
        # a shell's word beside a call, and Python's in one
        ("f(x) # token=a'b'", "f(x) # token=****"),
        ("f(x)  # --password 'a'b six", "f(x)  # --password **** six"),
        ('f(x) # token="a"b six', "f(x) # token=**** six"),
        ("f('#') # key=a\\ b six", "f('#') # key=**** six"),
        ("x = f(token='a',b='c') # six", "x = f(token=****,b='c') # six"),
        ("f(token=b'a',b='c')", "f(token=****,b='c')"),
        ("f(token='a''b',c='d')", "f(token=****,c='d')"),
        # braces: a table of TOML, and a shell's
        ('x = {token="a",b="c"}', 'x = {token=****,b="c"}'),
        ('x={token="a",b="c",d=1}', 'x={token=****,b="c",d=1}'),
        ('[{token="a",b=1},{token="c"}]', "[{token=****,b=1},{token=****}]"),
        ('x = { b="c",token="a",d=["e"] }', 'x = { b="c",token=****,d=["e"] }'),
        ("echo {token=a'b',c}", "echo {token=****,c}"),
        ("{ pip --token=a'b',c; }", "{ pip --token=****; }"),
        ("docker build --secret id=token,src=f .", "docker build --secret id=token,src=f ."),
        ("--token https://me:pw@h.example/", "--token https://****@h.example/"),
        ("PIP_INDEX_URL=$TOKEN", "PIP_INDEX_URL=$TOKEN"),
        # tokens with a mark
        ("git clone ghp_" + "a1B2" * 9, "git clone ****"),
        ("AKIA" + "ABCD1234" * 2, "****"),
        ("sk_live_Zq7Xw2Lk9Vb4Nt6R", "****"),
        ("dapi" + "9f8a7b6c" * 4, "****"),
        # URLs in URLs, and values that have names of their own
        (
            "https://h.example/?u=https://me:pw@i.example/",
            "https://h.example/?u=https://****@i.example/",
        ),
        ("u=https%3A%2F%2Fme%3Apw%40i.example%2Fa", "u=https%3A%2F%2F****%40i.example%2Fa"),
        (
            "u=https%3A%2F%2Fi%2Fa%3Fv%3D1%26token%3Dab",
            "u=https%3A%2F%2Fi%2Fa%3Fv%3D1%26token%3D****",
        ),
        ("https://h.example/x?hdnts=exp=1~hmac=0f0f", "https://h.example/x?hdnts=****"),
        ("https://h.example/x;jsessionid=0f/y", "https://h.example/x;jsessionid=****"),
        ("git+ssh://9f8a7b6c5d4e3f2a1b0c9d8e@h.example/r", "git+ssh://****@h.example/r"),
        # a name and a text: Python, TOML, JSON, also in a text
        ("os.environ['API_TOKEN'] = 'hunter2'", "os.environ['API_TOKEN'] = '****'"),
        ("os.environ.setdefault('HF_TOKEN', 'ab')", "os.environ.setdefault('HF_TOKEN', '****')"),
        ("['--token', 'hunter2']", "['--token', '****']"),
        ('{\\"password\\": \\"hunter2\\"}', '{\\"password\\": \\"****\\"}'),
        ('token = "hunter2"', 'token = "****"'),
        ("auth=('me', 'hunter2')", "auth=('me', '****')"),
        # commands that keep or take a value
        ("%env HF_TOKEN hunter2", "%env HF_TOKEN ****"),
        ("poetry config pypi-token.x hunter2", "poetry config pypi-token.x ****"),
        ("docker login -u me -p hunter2 h.example", "docker login -u me -p **** h.example"),
        ("echo hunter2 | sudo -S apt-get", "echo **** | sudo -S apt-get"),
        ("[pypi]\npassword = hunter2\nx = 1", "[pypi]\npassword = ****\nx = 1"),
        ("<password>hunter2</password>", "<password>****</password>"),
        ("machine h password hunter2 login me", "machine h password **** login me"),
        ("conda token set hunter2", "conda token set ****"),
        ("curl --proxy-user me:hunter2 https://h", "curl --proxy-user me:**** https://h"),
        (
            "docker build --build-arg=NPM_TOKEN=hunter2 .",
            "docker build --build-arg=NPM_TOKEN=**** .",
        ),
        ("podman run --env=API_KEY=hunter2 x", "podman run --env=API_KEY=**** x"),
        ("dvc remote modify x password hunter2", "dvc remote modify x password ****"),
        (
            "rclone config create x s3 secret_key hunter2",
            "rclone config create x s3 secret_key ****",
        ),
        ("papermill a b -p n 3 -p api_key hunter2", "papermill a b -p n 3 -p api_key ****"),
        ("mc alias set x https://h.example me hunter2", "mc alias set x https://h.example me ****"),
        ("ssh-keygen -f x -N hunter2", "ssh-keygen -f x -N ****"),
        ("7z x -phunter2 a.7z", "7z x -p**** a.7z"),
        ("lftp -u me,hunter2 h.example", "lftp -u me,**** h.example"),
        ("read A_TOKEN <<< hunter2", "read A_TOKEN <<< ****"),
        ("A_TOKEN=$(echo hunter2) x", "A_TOKEN=**** x"),
        ("A_TOKEN=`echo hunter2` x", "A_TOKEN=**** x"),
        ("A_TOKEN=$(cat f) B_TOKEN=`cat f` x", "A_TOKEN=$(cat f) B_TOKEN=`cat f` x"),
        ("printf '%s' hunter2 > /root/.token", "printf '%s' **** > /root/.token"),
        ("echo 'hunter2' >> ~/.pypi-token", "echo **** >> ~/.pypi-token"),
        ("echo numpy > /x/token-env/list.txt", "echo numpy > /x/token-env/list.txt"),
        ("-H 'Cookie: a=hunter2; b=hunter3' x", "-H 'Cookie: ****' x"),
        ("sets a 'Cookie:' header", "sets a 'Cookie:' header"),
        ('machine h login me password "hunter2"', 'machine h login me password "****"'),
        ("Your token is: hunter-22", "Your token is: ****"),
        ("token is invalid, password is required", "token is invalid, password is required"),
        # YAML's and JSON's variables, lists and tags
        ("- name: DB_PASSWORD\n  value: hunter2", "- name: DB_PASSWORD\n  value: ****"),
        # at any place of a list of words, and where its text goes on
        ("['npm', '--token', 'hunter2', 'x']", "['npm', '--token', '****', 'x']"),
        ("run(['npm', 'i', '--token', 'hunter2'])", "run(['npm', 'i', '--token', '****'])"),
        ('["a", "--api-key", "hunter2" "more"]', '["a", "--api-key", "****"]'),
        ("['a', '--token', 'hunter2' + 'more', 'x']", "['a', '--token', '****', 'x']"),
        ("['six', 'token', 'numpy', 'key', 'x']", "['six', 'token', 'numpy', 'key', 'x']"),
        ("{'a': 'the token', 'b': 'c'}", "{'a': 'the token', 'b': 'c'}"),
        ('{"name": "A_TOKEN", "value": "hunter2"}', '{"name": "A_TOKEN", "value": "****"}'),
        ("- name: token-bucket\n  version: 1.0", "- name: token-bucket\n  version: 1.0"),
        ("args: [run, --token, hunter2, x]", "args: [run, --token, ****, x]"),
        ("token: !!str hunter2", "token: !!str ****"),
        ("secret: &a hunter2", "secret: &a ****"),
        # however Python, R and others assign
        ("token: str = 'hunter2'", "token: str = '****'"),
        ("password := 'hunter2'", "password := '****'"),
        ("my.token <- 'hunter2'", "my.token <- '****'"),
        ('token = """hunter2"""', 'token = """****"""'),
        ("token = (\n    'hunter2'\n)", "token = (\n    '****'\n)"),
        ("os.getenv('A_TOKEN') or 'hunter2'", "os.getenv('A_TOKEN') or '****'"),
        ("set_password('s', 'me', 'hunter2')", "set_password('s', 'me', '****')"),
        ("login('hunter2'); f.login('me', 'hunter2')", "login('****'); f.login('me', '****')"),
        ("f(token=None, primary_key=True)", "f(token=None, primary_key=True)"),
        ("x = ', '.join(d.sig.args) or 'void'", "x = ', '.join(d.sig.args) or 'void'"),
        ("key += '&'", "key += '&'"),
        # a URL that ends some day is signed, whatever the signature's key
        (f"https://h/x.whl?md5={'0a' * 16}&expires=17", "https://h/x.whl?md5=****&expires=17"),
        ("https://h/x.whl?e=17&h=Zq-3kd9Kq_dk2kd8sKd9xQ", "https://h/x.whl?e=17&h=****"),
        (f"https://h/x.whl?exp=1#sha256={'0a' * 32}", f"https://h/x.whl?exp=1#sha256={'0a' * 32}"),
        (
            f"https://h/x.whl?commit={'0a' * 20}&page=1",
            f"https://h/x.whl?commit={'0a' * 20}&page=1",
        ),
    ],
)
def test_what_is_masked_and_what_is_not(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask(masked) == masked


def test_secrets_are_what_is_masked_and_no_user_name() -> None:
    assert secrets_of("https://jovyan:p%40ss@h.example/t/tk-1/c/") == (
        "jovyan:p%40ss",
        "jovyan:p@ss",
        "p%40ss",
        "p@ss",
        "tk-1",
    )
    assert secrets_of("https://h.example/simple") == ()
    assert secrets_of("https://t0k:***@h.example") == ("t0k:***",)
    assert secrets_of("--password=a'b c'd six") == ("a'b c'd", "ab cd")  # as a program is given it


WORD = st.text("abcXYZ019%-_.~", min_size=4, max_size=20)


@given(WORD, WORD, st.sampled_from(["https", "http", "git+https"]))
def test_no_password_survives(user: str, password: str, scheme: str) -> None:
    url = f"--index-url {scheme}://{user}:{password}@h.example/simple six"
    assert f"{password}@" not in mask(url)
    assert password in secrets_of(url)


def test_the_words_of_a_command_line_are_read_with_their_option() -> None:
    assert mask_words(["--password", "hunter2", "six"]) == ("--password", MASK, "six")
    assert mask_words(["-C", "token=12"]) == ("-C", f"token={MASK}")
    assert mask_words(["--proxy", "me:pw@h.example"]) == ("--proxy", f"{MASK}@h.example")
    assert mask_words(["--token", "$TOKEN", "-r", "x"]) == ("--token", "$TOKEN", "-r", "x")
    assert mask_words(["--no-deps", "secretstorage=3.3"]) == ("--no-deps", "secretstorage=3.3")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('TOKEN="$(cat "${secrets}/token")" pip', 'TOKEN="$(cat "${secrets}/token")" pip'),
        ('TOKEN="$(cat /run/secrets/token)"', 'TOKEN="$(cat /run/secrets/token)"'),
        ('TOKEN="hunter2" pip', f"TOKEN={MASK} pip"),
        ('TOKEN="$USER hunter2"', f"TOKEN={MASK}"),
        ("--password='a', x", "--password=****, x"),
        ("connect(password='a',host='b')", "connect(password=****,host='b')"),
    ],
)
def test_what_a_shell_reads_is_no_secret(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("token = 'hun' 'ter2'", f"token = '{MASK}'"),
        ("token = (\n  'hun'\n  f'ter2'\n)", f"token = (\n  '{MASK}'\n)"),
        ("token = ('hun'\n  'ter2')", f"token = ('{MASK}')"),
        ('token = "hun" \\\n "ter2"', f'token = "{MASK}"'),
        ("token = \\\n 'hunter2'", f"token = \\\n '{MASK}'"),
        ("token += 'hunter2'", f"token += '{MASK}'"),
        ("environ['TOKEN'] += 'hunter2'", f"environ['TOKEN'] += '{MASK}'"),
        ("TOKEN+=hunter2 pip", f"TOKEN+={MASK} pip"),
        ("export TOKEN=\\\nhunter2 six", f"export TOKEN=\\\n{MASK} six"),
        ("token = 'hunter2'\n'a text'", f"token = '{MASK}'\n'a text'"),
        ("TOKEN='hunter2' 'pip' install", f"TOKEN={MASK} 'pip' install"),
        ("token: 'hunter2'\nname: 'x'", f"token: '{MASK}'\nname: 'x'"),
        ("keys = ('a', 'b')", "keys = ('a', 'b')"),
        ("total += 'six' 'idna'", "total += 'six' 'idna'"),
        ("EXTRA+=' --pre' pip", "EXTRA+=' --pre' pip"),
    ],
)
def test_a_value_may_be_added_or_go_on_behind_its_first_text(text: str, masked: str) -> None:
    assert mask(text) == mask(masked) == masked


PASSWORD = st.text("abcXYZ019%-_.~@/'", min_size=4, max_size=20).filter(
    lambda text: (
        text.strip("'") == text
        and not re.match(r"\d*(?:/|$)", text)  # a port
        and not {"@", "/"} <= set(text)  # where that host ends, nobody can say
        and any(map(str.isalpha, text))
    )
)
PLACES = (
    "https://me:{}@h.example/simple",
    "https://h.example/x?token={}&v=1",
    "https://h.example/x?X-Amz-Signature={}",
    "https://conda.example/t/{}/channel",
    "t/{}/channel::pkg",
    "pip install --password {} six",
    "--global-option=--api-key={}",
    "ACME_TOKEN={} pip install six",
    'expect "assword:"; send -- "{}\\r"',
)


@given(PASSWORD, st.sampled_from(PLACES))
def test_no_secret_survives_anywhere(secret: str, place: str) -> None:
    if place.startswith(("https://conda", "t/")):
        secret = secret.translate(dict.fromkeys(map(ord, "/@'"), "x"))
    if "{}@" not in place:
        secret = secret.replace("'", "x")
    text = place.format(secret)
    before, after = place.split("{}")
    assert secret not in mask(text).removeprefix(before).removesuffix(after)
    assert mask(mask(text)) == mask(text)
    assert any(secret in found for found in secrets_of(text))


PIECES = st.sampled_from(["x{}", "'{}'", "'{} {}'", '"{}"', '"{} {}"', "\\'{}", "{}\\ {}", "$'{}'"])
LINES = ("pip --password={} six", "token={} six", "pip --api-key {} six", 'sh -c "A_TOKEN={} six"')


@given(st.lists(PIECES, min_size=1, max_size=6), st.sampled_from(LINES))
def test_no_piece_of_a_word_survives(pieces: list[str], line: str) -> None:
    """However a shell's word is quoted, all of it is masked, and nothing beside it."""
    if line.startswith("sh"):  # in quotes itself, which would have the others escaped
        pieces = [piece for piece in pieces if not {*piece} & {*'\\"$'}] or ["x'{} {}'"]
    word = "".join(piece.replace("{}", "hunter2") for piece in pieces)
    assert mask(line.format(word)) == line.format(MASK)


JOINS = {
    "a sum": lambda texts: " + ".join(map(repr, texts)),
    "side by side": lambda texts: f"({' '.join(map(repr, texts))})",
    "on lines": lambda texts: f"({chr(10).join(map(repr, texts))})",
    "behind a backslash": lambda texts: " \\\n ".join(map(repr, texts)),
    "percent": lambda texts: f"{'%s' * len(texts)!r} % ({', '.join(map(repr, texts))},)",
    "a name's percent": lambda texts: f"'%(a)s' % {{'a': {' + '.join(map(repr, texts))}}}",
    "format": lambda texts: f"{'{}' * len(texts)!r}.format({', '.join(map(repr, texts))})",
    "a named format": lambda texts: f"'{{a}}'.format(a={' '.join(map(repr, texts))})",
    "join": lambda texts: f"''.join([{', '.join(map(repr, texts))}])",
    "joins": lambda texts: f"'%s' % ''.join(({', '.join(map(repr, texts))},))",
    "an f-string": lambda texts: f'f"{"".join(f"{{{text!r}}}" for text in texts)}"',
}
JOINED = (
    "https://me:{}@h.example/simple",
    "pip install --index-url https://me:{}@h.example/simple six",
    "https://h.example/x?token={}",
    "git clone https://oauth2:{}@h.example/r.git",
)
ONLY = st.text("QZXJ7", min_size=6, max_size=20)


@pytest.mark.parametrize("how", JOINS)
@settings(max_examples=25)
@given(secret=ONLY, place=st.sampled_from(JOINED), cuts=st.lists(st.integers(1, 70), max_size=4))
def test_no_piece_of_what_python_joins_survives(
    how: str, secret: str, place: str, cuts: list[int]
) -> None:
    """However a text is put together of constants, nothing of the secret in it is left."""
    text = place.replace("{}", secret)
    at = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    code = JOINS[how]([text[a:b] for a, b in itertools.pairwise(at)])
    assert eval(code) == text
    for line in (f"x = {code}", f"run(['pip', {code}], env=env)", f"env = {{'TOKEN': {code}}}"):
        shown = mask(line)
        assert not set(secret) & set(shown)
        assert mask(shown) == shown


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        # what is no constant, or no text of the same place, is left as it is
        ("x = 'https://h.example/' + name", "x = 'https://h.example/' + name"),
        ("run(['six', 'idna' 'x'], ['y'])", "run(['six', 'idna' 'x'], ['y'])"),
        ("'{}=={}'.format('six', '1.0')", "'{}=={}'.format('six', '1.0')"),
        ("pip install 'https://h.example' 'x@v.example'", None),
        ("pip install \\\n  --no-deps \\\n  six", None),
        ("dict(env, TOKEN='a' + 'b', X='c' 'd')", f"dict(env, TOKEN={MASK}, X='c' 'd')"),
        ("run(env={'TOKEN': 'a' 'b', 'X': 'c'})", f"run(env={{'TOKEN': '{MASK}', 'X': 'c'}})"),
        ("['npm', '--tok' + 'en', 'a']", f"['npm', '--tok' + 'en', '{MASK}']"),
        # functions that put texts together
        ("paste0('https://me:', 'a', '@h.example')", f"paste0('https://{MASK}', '@h.example')"),
        ("paste('https://me:', x, 'b', sep='')", None),
        ("sprintf('--token=%s', 'a')", f"sprintf('--token={MASK}', '{MASK}')"),
        ('u = "https://me:" * "a" * "@h.example/s"', f'u = "https://{MASK}" * "@h.example/s"'),
        ("Template('https://me:$p@h').substitute(p='ab')", f"Template('https://{MASK}')"),
        ("'https://me:XX@h.example'.replace('XX', 'ab')", f"'https://{MASK}')"),
        (
            "Template('x=$n, token=$p').substitute({'n': 'b', 'p': 'a1'})",
            f"Template('x=$n, token=$p').substitute({{'n': 'b', 'p': '{MASK}'}})",
        ),
        # values in the order of their names
        ("my_token, other = 'x', 'y'", f"my_token, other = '{MASK}', 'y'"),
        ("(user, password) = ('me', f(1, 2))", None),
        ("user, pw = ('me', \"a, b\")", f"user, pw = ('me', \"{MASK}\")"),
        ("f(token, name='a', x='b')", None),
        ("if password == 'ab':", f"if password == '{MASK}':"),
        ("if token == 'EOF' or key != 'id':", None),
        ("call('curl', '-u', 'me:a', x)", f"call('curl', '-u', 'me:{MASK}', x)"),
        ("run(('mysql', '-pab'))", f"run(('mysql', '-p{MASK}'))"),
        # what goes into a store or a file of secrets
        ("vault kv put -mount=s p a=b1 c=d1", f"vault kv put -mount=s p a={MASK} c={MASK}"),
        ("vault kv put p value=$X other=@f", None),
        (
            "kubectl create secret generic x --from-literal=p=ab",
            f"kubectl create secret generic x --from-literal=p={MASK}",
        ),
        ("printf '%s %s' me ab > ~/.netrc", f"printf {MASK} > ~/.netrc"),
        ("echo 'a b' | sudo tee -a /root/.secret", f"echo {MASK} | sudo tee -a /root/.secret"),
        ("echo ab > ~/tok", f"echo {MASK} > ~/tok"),
        ("echo ab > ~/tokens_of_words/x.txt", None),
        ("echo a b c > notes.txt", None),
        ("CREATE USER me IDENTIFIED BY 'ab'", f"CREATE USER me IDENTIFIED BY '{MASK}'"),
        ("S('AKIAIOSFODNN7EXAMPLE', '" + "wJal/" * 8 + "')", f"S('{MASK}')"),
        # a line that goes on, and a URL that was broken
        ("docker login -u me -p \\\n a h", f"docker login -u me -p \\\n {MASK} h"),
        ("-i https://me:a\\\nb@h.example/simple", f"-i https://{MASK}@h.example/simple"),
        ("-i https://me:a\nb@h.example/simple", f"-i https://{MASK}@h.example/simple"),
        ("-i https://me: b@h.example/simple", f"-i https://{MASK}@h.example/simple"),
        ("-i https://h.example:8080\nme@h.example", None),
        ("See https://h.example: me@h.example", None),
        # texts with the other quote, a backslash or lines in them
        ('token = "it\'s a"', f'token = "{MASK}"'),
        ("{'token': 'a\"b'}", f"{{'token': '{MASK}'}}"),
        ("token = 'a\\'b'", f"token = '{MASK}'"),
        ("token = '''\na\nb\n'''", f"token = '''{MASK}'''"),
        ("auth=('me', \"it's a\")", f"auth=('me', \"{MASK}\")"),
        ('-H "Authorization: Bearer it\'s a" x', f'-H "Authorization: Bearer {MASK}" x'),
        ("curl -u 'me:a b' https://h", f"curl -u 'me:{MASK}' https://h"),
        ("password a,b;c# login me", "password a,b;c# login me"),
        ("machine h login me password a,b;c#", f"machine h login me password {MASK}"),
        # a list of a command's words, and what it is handed
        (
            "['docker', 'login', '-u', 'me', '-p', 'a']",
            f"['docker', 'login', '-u', 'me', '-p', '{MASK}']",
        ),
        (
            'RUN ["curl", "-u", "me:a", "https://h"]',
            f'RUN ["curl", "-u", "me:{MASK}", "https://h"]',
        ),
        ('[exe, "-m", "wandb", "login", "a"]', f'[exe, "-m", "wandb", "login", "{MASK}"]'),
        ("run(['npm', '--token', 'a b', 'c'])", f"run(['npm', '--token', {MASK}, 'c'])"),
        (
            "run(['x', '--password-stdin'], input=b'a')",
            f"run(['x', '--password-stdin'], input=b'{MASK}')",
        ),
        ('P(["--with-token"]).communicate("a")', f'P(["--with-token"]).communicate("{MASK}")'),
        ("Path('.token').write_text('a')", f"Path('.token').write_text('{MASK}')"),
        ("%%writefile ~/.token\na", f"%%writefile ~/.token\n{MASK}"),
        ("'h\\nlogin me\\npassword a\\n'", f"'h\\nlogin me\\npassword {MASK}'"),
        ("['token', 'secret-storage>=3', 'x']", None),
        ("['pip', 'install', '-p', 'x', 'key']", None),
        # what a command puts in, reads or is given
        ("npm publish --auth-token=$(echo a) x", f"npm publish --auth-token={MASK} x"),
        ("x --auth-token `echo a` y", f"x --auth-token {MASK} y"),
        ("x --auth-token $(cat f) < g", None),
        ("gh auth login --with-token < f", None),
        ("login --password-stdin <<EOF\na\nEOF", f"login --password-stdin <<EOF\n{MASK}\nEOF"),
        ("curl -sSu me:a https://h", f"curl -sSu me:{MASK} https://h"),
        ("npm install -u me:a x", f"npm install -u me:{MASK} x"),
        ("snowsql -u me -p a", f"snowsql -u me -p {MASK}"),
        ("curl --cert c.pem:a https://h", f"curl --cert c.pem:{MASK} https://h"),
        ("curl -H Authorization:a https://h", f"curl -H Authorization:{MASK} https://h"),
        ("wandb login --relogin a", f"wandb login --relogin {MASK}"),
        ("vault login -method=token a", f"vault login -method=token {MASK}"),
        ("docker login -u me a", f"docker login -u me {MASK}"),
        ("docker login -u me h.example", None),
        ("docker run -u me:staff x", None),
        ("uv publish -t a", f"uv publish -t {MASK}"),
        ("pulumi config set --secret x a", f"pulumi config set --secret {MASK} {MASK}"),
        (
            "npm config set //h.example/:_authToken a",
            f"npm config set //h.example/:_authToken {MASK}",
        ),
        ("%env TOKEN = a", f"%env TOKEN = {MASK}"),
        ("<token>a b</token>", f"<token>{MASK}</token>"),
        ("[x, --secret, --platform, y]", None),
        # URLs that are written otherwise
        ("HTTPS://ME:a@H.EXAMPLE/", f"HTTPS://{MASK}@H.EXAMPLE/"),
        ("https:\\/\\/me:a@h.example\\/x", f"https:\\/\\/{MASK}@h.example\\/x"),
        ("//me:a@h.example/x", f"//{MASK}@h.example/x"),
        ("https://me:a@[2001:db8::1]:80/x", f"https://{MASK}@[2001:db8::1]:80/x"),
        ("exceeded with url: /t/a/chan/x.json", f"exceeded with url: /t/{MASK}/chan/x.json"),
        ("InvalidURL: nonnumeric port: 'a@h.example'", f"InvalidURL: nonnumeric port: '{MASK}'"),
        ("cast to integer value as 'a'", f"cast to integer value as '{MASK}'"),
        ("for int() with base 10: 'a@h'", f"for int() with base 10: '{MASK}'"),
        ("for int() with base 10: 'a'", None),
        ("saved to: /t/a/chan/x.json", None),
        ("x = ['API_KEY', 'a b', 'c']", f"x = ['API_KEY', '{MASK}', 'c']"),
        ("x = ['API_KEY', 'a b' 'c']", f"x = ['API_KEY', '{MASK}']"),
        ("[['my_token', 'a'], ['b', 'c']]", f"[['my_token', '{MASK}'], ['b', 'c']]"),
        ('{"e": ["DB_PASSWORD", "a"]}', f'{{"e": ["DB_PASSWORD", "{MASK}"]}}'),
        ('token.meta = {"tag": tag}', None),
        ('secret = {"a":b}', None),
        ("f\"https://me:{'a':>9s}@h.example\"", f'f"https://{MASK}@h.example"'),
        ("\x1b[1;31mtoken=a\x1b[0m b", f"\x1b[1;31mtoken={MASK}\x1b[0m b"),
        ("--token \x1b[1ma\x1b[m b", f"--token \x1b[1m{MASK}\x1b[m b"),
        ("https://me:a\x1b[4mb\x1b[0m@h.example", f"https://{MASK}\x1b[0m@h.example"),
        ("curl -u \\\n  me:a https://h", f"curl -u \\\n  me:{MASK} https://h"),
        ("curl --user  me:a https://h", f"curl --user  me:{MASK} https://h"),
    ],
)
def test_what_is_put_together_quoted_or_broken_is_masked(text: str, masked: str | None) -> None:
    shown = text if masked is None else masked
    assert mask(text) == mask(shown) == shown


@pytest.mark.parametrize(
    ("repeated", "once"),
    [
        *(("'a' + ", "token="), ("'%s' % (", ""), ("'a'.format('b', ", ""), ("''.join([", "token")),
        *(("{'a'}", "token f'"), ("('token'", ""), ("'token'\n", "("), ("\\\n", "token")),
        *(("https://a:b\n", ""), ("curl -u a:'", ""), ("token = '''", "")),
        *(
            ("'b' ", "token = 'a' "),
            ("token = 'a' ", ""),
            ("token=('a'\n", ""),
            ("TOKEN+=\\\n", ""),
        ),
        *(("curl ", ""), ("https://a:b", ""), ("b", "https://a:"), ("token-", ""), ("key=b ", "")),
        *(("a", "@"), ("login me ", ""), ("t/", ""), ("-----BEGIN PRIVATE KEY-----", "")),
        *(("authorization: a=", ""), ("hatch publish ", ""), ("set -a", ""), ("%3a%2f%2f", "")),
        *(("=https://a:b@c", ""), ("sk-", ""), ("gho_", ""), ("glpat-", ""), ("a.", "")),
        *(("proxy=a:", ""), ("token=$(", ""), ("key=${", ""), (",key=https://a", ""), ("-a=", "")),
        *((".-a", "-"), ("~a", "b@"), (" ", "auth"), ("send {", ""), ("sort(key='a' ", "")),
        *(
            ("key='a',", ""),
            ("token=a'b'", ""),
            ("'", "token="),
            ("$(a", "token=a'"),
            ('"\\', "key="),
        ),
        *(("key='a\"", ""), ("\"'a' ", "key="), ('key="" ', "'"), ("\"\n'", "token=a")),
        *(("cookie: a=", ""), ("read a ", ""), ("rclone config ", ""), ("name: a value: ", "")),
        *(
            ("[--a, ", ""),
            ("`", "token="),
            ("login('a',", ""),
            ("a: b =", ""),
            ("x={", "token='a'"),
        ),
        *(("a", "echo "), ("'a'", "echo "), ("a 'b' ", "echo "), ("a, ", ""), ("a='b', ", "")),
        *(
            ("vault write a=", ""),
            ("a=b ", "vault write "),
            ("identified by ", ""),
            ("a, b = ", ""),
        ),
        *(("openssl enc -k ", ""), ("mongo -u a -p ", ""), ("zip -P ", ""), ("sk_a_", "")),
    ],
)
def test_the_time_grows_with_the_text_and_not_with_its_square(repeated: str, once: str) -> None:
    def hide(size: int) -> None:
        mask(once + (repeated * (size // len(repeated))))

    assert growth(hide, 2_500, least=0.00025) < 64
