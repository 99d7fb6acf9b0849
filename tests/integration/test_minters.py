"""deploy/minters: each language against the token vectors, against bad input, and on the real service."""
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading

import pytest

from harness.build import ROOT, patience

MINTERS = ROOT / "deploy/minters"
DRIVERS = ROOT / "tests/minters"
VALID = json.loads((ROOT / "proto/vectors/token.json").read_text())
TTLS = "never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d 180d 366d".split()
CHANNELS = "unknown mail sms pdf qr portal chat other".split()
KEY = bytes(range(32)).hex()


def run(command, **kwargs):
    return subprocess.run(command, text=True, capture_output=True, timeout=patience(120), **kwargs)


def compiled(command, **kwargs):
    done = run(command, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr


def go(folder):
    for package, source in (("hopcount", MINTERS / "mint.go"), ("mint", DRIVERS / "main.go")):
        (folder / "src" / package).mkdir(parents=True)
        shutil.copy(source, folder / "src" / package)
    compiled(["go", "vet", "hopcount", "mint"], env=go_environment(folder))
    compiled(["go", "build", "-o", folder / "main", "mint"], env=go_environment(folder))
    return [folder / "main"]


def go_environment(folder):
    """Debian's packages of Go libraries are in /usr/share/gocode."""
    return {**os.environ, "GO111MODULE": "off", "GOPATH": f"{folder}:/usr/share/gocode",
            "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}


def java(folder):
    path = f"{folder}:/usr/share/java/bcprov.jar"
    compiled(["javac", "-Xlint:all,-path", "-Werror", "-d", folder, "-cp", path, MINTERS / "Mint.java",
              DRIVERS / "Lines.java"])
    return ["java", "-cp", path, "Lines"]


def csharp(folder):
    compiled(["mcs", "-warnaserror", f"-out:{folder}/mint.exe", MINTERS / "Mint.cs", DRIVERS / "Lines.cs"])
    return ["mono", folder / "mint.exe"]


# The program and the Debian package without which a language can't be tried, and how it is made.
LANGUAGES = {
    "python": ("/usr/bin/python3", "python3", lambda folder: ["/usr/bin/python3", MINTERS / "mint.py"]),
    "javascript": ("node", "nodejs", lambda folder: ["node", MINTERS / "mint.mjs"]),
    "ruby": ("ruby", "ruby", lambda folder: ["ruby", "-W:no-experimental", "-w", MINTERS / "mint.rb"]),
    "go": ("go", "golang-go", go),
    "java": ("javac", "default-jdk-headless", java),
    "csharp": ("mcs", "mono-mcs", csharp),
}


def require(program, package):
    """What could be installed must be there; a language that this Debian lacks is passed over."""
    if not shutil.which(program):
        policy = run(["apt-cache", "policy", package]).stdout
        if "Candidate: " in policy and "Candidate: (none)" not in policy:
            pytest.fail(f"needs {program}: deploy/install-deps test")
        pytest.skip(f"this release has no {package}")


@pytest.fixture(scope="module", params=LANGUAGES)
def mint(request, tmp_path_factory):
    """mint(key file, brand, base URL, lines) -> the finished process of one language."""
    program, package, make = LANGUAGES[request.param]
    require(program, package)
    command = make(tmp_path_factory.mktemp(request.param))

    def call(keys, brand, base_url, lines):
        return run([*command, keys, brand, base_url], input="".join(f"{line}\n" for line in lines))
    call.language = request.param
    return call


def line_of(fields):
    values = {"client": fields["client"], "campaign": fields["campaign"], "ttl": TTLS[fields["ttl_code"]],
              "channel": CHANNELS[fields["channel"]], "issued": 1704067200 + 60 * fields["issued_min"],
              "arg": fields["arg"], "variant": "ABCDEFG"[fields["variant"] - 1] if fields["variant"] else "",
              "silent": fields["silent"] and "yes", "once": fields["once"] and "yes"}
    return " ".join([str(fields["kind"]), str(fields["object"]),
                     *(f"{name}={value}" for name, value in values.items() if value not in ("", False))])


def test_links_are_those_of_the_vectors(mint, tmp_path):
    groups = {}
    for case in VALID["valid"]:
        groups.setdefault((case["kid"], case["brand"]), []).append(case)
    assert len(groups) >= 6
    keys = tmp_path / "keys"
    for (kid, brand), cases in groups.items():
        secret = next(key["key"] for key in VALID["keys"] if key["kid"] == kid)
        keys.write_text(f"\ufeff# keys\n\n9 verify {KEY}\n8 mint {KEY} another\n{kid}\tmint {secret} x,{brand}\n")
        done = mint(keys, brand, "https://go.example/", [line_of(case["fields"]) for case in cases])
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert done.stdout.split() == [f"https://go.example/{case['token']}" for case in cases]


BAD_LINES = [
    ("buy 1", "kind"), ("0 1", "kind"), ("16 1", "kind"), ("pay 4294967296", "object"),
    ("pay 1 client=4294967296", "client"), ("pay 1 campaign=65536", "campaign"), ("pay 1 ttl=31d", "ttl"),
    ("pay 1 channel=fax", "channel"), ("pay 1 variant=H", "variant"), ("pay 1 arg=a/b", "arg"),
    ("pay 1 arg=" + 49 * "a", "arg"), ("pay 1 issued=1704067199", "issued"),
    ("pay 1 issued=2710700160", "issued"),
]


def test_a_value_that_cannot_be_in_a_link_is_named(mint, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"1 mint {KEY}\n")
    for line, field in BAD_LINES:
        done = mint(keys, "acme", "https://go.example", ["view 7", line])
        assert done.returncode == 1, line
        assert len(done.stdout.split()) == 1, line
        assert f"line 2: {field}: " in done.stderr, f"{line}: {done.stderr}"


BAD_KEYS = [
    (f"1 verify {KEY}\n", "acme", "no mint key"), (f"1 mint {KEY} globex,acme.example\n", "acme", "no mint key"),
    ("", "acme", "no mint key"), (f"# keys\n1 mint {KEY[:-1]}\n", "acme", ":2: is no key line"),
    ("1 mint\n", "acme", ":1: is no key line"), (f"1 mint {KEY}\n", 64 * "b", "brand: has 64 bytes"),
]


def test_a_key_file_that_has_no_key_is_named(mint, tmp_path):
    keys = tmp_path / "keys"
    for text, brand, want in BAD_KEYS:
        keys.write_text(text)
        done = mint(keys, brand, "https://go.example", ["view 7"])
        assert (done.returncode, done.stdout) == (1, "")
        assert want in done.stderr, f"{text}: {done.stderr}"


def test_links_of_all_languages_lead_to_their_page_and_are_counted(hopcountd, mint):
    done = mint(hopcountd.keys_path, "acme", "https://go.acme.example", [
        "pay 1234 client=77 campaign=12 ttl=30d", "view 1234 variant=B channel=sms", "login 0 client=77"])
    assert done.returncode == 0, done.stderr
    tokens = [link.removeprefix("https://go.acme.example/") for link in done.stdout.split()]
    assert [hopcountd.click(token).location for token in tokens] == [
        "https://billing.acme.example/index.php?rp=/invoice/1234/pay",
        "https://billing.acme.example/viewinvoice.php?id=1234",
        "https://billing.acme.example/clientarea.php"]
    assert hopcountd.wait_counted(3, tokens) == dict.fromkeys(tokens, 1)
    about = hopcountd.api("GET", f"/v1/links/{tokens[0]}")
    assert (about["kind"], about["object"], about["client"], about["campaign"]) == ("pay", 1234, 77, 12)
    assert hopcountd.api("GET", f"/v1/links/{tokens[1]}")["channel"] == "sms"


PAGE = """<!doctype html><title>waiting</title>
<script type="importmap">{"imports": {
    "@noble/hashes/crypto": "/node_modules/@noble/hashes/esm/crypto.js",
    "@noble/hashes/": "/node_modules/@noble/hashes/esm/"}}</script>
<script type="module">
import { findKey, mint } from "/mint.mjs";
const key = findKey("1 mint %s", "acme");
document.title = mint(key, "acme", "https://go.acme.example", "pay", 1234,
    { client: 77, campaign: 12, issued: 1795348800 });
</script>"""


class Pages(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/page.html":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write((PAGE % KEY).encode())

    def log_message(self, *args):
        pass


def test_javascript_mints_in_a_browser(tmp_path):
    require("chromium", "chromium")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=MINTERS)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
                    "--virtual-time-budget=20000", "--dump-dom",
                    f"http://127.0.0.1:{server.server_port}/page.html"])
        server.shutdown()
    example = VALID["valid"][0]["token"]
    assert f"<title>https://go.acme.example/{example}</title>" in done.stdout, done.stdout + done.stderr


def test_each_minter_is_short():
    files = [path for path in MINTERS.iterdir() if path.suffix in (".py", ".mjs", ".rb", ".go", ".java", ".cs")]
    assert len(files) == len(LANGUAGES)
    for path in files:
        assert len(path.read_text().splitlines()) < 120, path.name
