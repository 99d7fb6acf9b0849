"""Every command of the READMEs, in order, in a fresh clone; their examples; their links."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from harness.build import ROOT
from harness.ports import free_port

# Each begins in the folder of the sources; the first starts the quickstart that the others use.
READMES = ["README.md", "service/admin/README.md", "deploy/README.md", "service/gateway/README.md",
           "service/README.md", "tests/README.md", "deploy/minters/README.md",
           "deploy/billing/README.md", "deploy/deliverability/README.md",
           "deploy/whmcs/README.md", "deploy/kubernetes/README.md",
           "deploy/security/README.md", "deploy/webhooks/README.md"]
# Of these no commands are run: measuring takes long, and test_bench.py and test_label*.py do.
MEASURING = ["bench/README.md", "tests/labels/README.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
YAML = [(readme, number) for readme in READMES
        for number, body in enumerate(BLOCK.findall((ROOT / readme).read_text())) if body[0] == "yaml"]


def blocks(readme, language):
    return [body for name, body in BLOCK.findall((ROOT / readme).read_text()) if name == language]


def adapted(text, ports):
    """The command as the test runs it: on free ports, in the background, and without a test run
    inside of a test run (the stage that builds stands for it)."""
    text = text.replace("./deploy/quickstart\n", (
        f"./deploy/quickstart --detach --port {ports[0]} --admin-port {ports[1]} "
        f"--demo-port {ports[2]}\n"))
    text = text.replace("./tests/run\n", "./tests/run --no-deps release\n")
    if not shutil.which("gdb"):
        text = re.sub(r"^.*\bgdb .*$", ":", text, flags=re.M)
    return text.replace("localhost:8081", f"localhost:{ports[1]}")


@pytest.fixture
def clone(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "hopcount")], check=True)
    modules = ROOT / "tests/node_modules"
    if modules.exists():
        (tmp_path / "hopcount/tests/node_modules").symlink_to(modules)
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("XDG_STATE_HOME", "HOPCOUNT_BUILD")}
    with tempfile.TemporaryDirectory() as home:  # short: a socket's path will hold it
        environment["HOME"] = home
        yield tmp_path / "hopcount", environment
        subprocess.run([tmp_path / "hopcount/deploy/quickstart", "--stop"], env=environment,
                       timeout=60)


def run_readme(readme, folder, environment, ports):
    """What each block of commands of a README printed."""
    commands = blocks(readme, "sh")
    script = "set -eo pipefail\n"
    for number, block in enumerate(commands):
        script += f"printf '\\n=== block {number}\\n'\n{adapted(block, ports)}"
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, text=True,
                          capture_output=True, timeout=1500, stdin=subprocess.DEVNULL)
    print(f"--- {readme}\n{done.stdout}\n{done.stderr}")
    outputs = re.split(r"^=== block \d+\n", done.stdout, flags=re.M)[1:]
    assert done.returncode == 0, f"{readme}: {commands[len(outputs) - 1]}"
    assert len(outputs) == len(commands)
    return outputs


@pytest.mark.release
def test_every_command_of_the_readmes_works_in_a_fresh_clone(clone):
    folder, environment = clone
    ports = free_port(), free_port(), free_port()
    outputs = {readme: run_readme(readme, folder, environment, ports) for readme in READMES}

    build, tests, *rest = outputs["README.md"]
    assert re.search(r"http://localhost:\d+/[0-9a-z]{45}", build)
    assert re.search(r"^[1-9]\d* passed, 0 failed$", tests, re.M)
    assert "HTTP/1.1 302 Found" in "".join(rest)
    assert f"Location: http://localhost:{ports[2]}/viewinvoice.php?id=4711" in "".join(rest)
    assert list((folder / "build").glob("hopcount_*.deb"))
    assert "100% tests passed" in "".join(outputs["tests/README.md"])


def test_no_readme_is_left_out():
    there = subprocess.run(["git", "ls-files", "*README.md"], cwd=ROOT, text=True, capture_output=True)
    assert set(there.stdout.split()) <= set(READMES + MEASURING)


def anchors(path):
    """The headings of a file, as links name them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("readme", READMES + MEASURING)
def test_every_link_of_a_readme_leads_somewhere(readme):
    here = (ROOT / readme).parent
    missing = []
    for link in re.findall(r"\]\(([^):]+)\)", (ROOT / readme).read_text()):
        path, _, anchor = link.partition("#")
        target = here / path if path else ROOT / readme
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert not missing


@pytest.mark.parametrize("readme", ["service/README.md", "tests/README.md"])
def test_what_a_readme_says_of_the_code_is_there(readme):
    missing = []
    for path, function in re.findall(r"`([\w./-]+/[\w./-]*)(?::(\w+))?`", (ROOT / readme).read_text()):
        if path.split("/")[0] not in ("service", "proto", "tests", "deploy", "bench"):
            continue
        if not (ROOT / path).exists() and "tests/out" not in path:
            missing.append(path)
        elif function and not re.search(rf"\b{function}\(", (ROOT / path).read_text()):
            missing.append(f"{path}:{function}")
    assert not missing


def test_the_road_of_a_click_is_the_one_that_the_calls_lead_through():
    done = subprocess.run([ROOT / "tests/check_road", "--files"], text=True, capture_output=True)
    road = set(re.findall(r"^    (\S+)", done.stdout, re.M))
    assert road and done.returncode == 0, done.stdout
    text = (ROOT / "service/README.md").read_text()
    told = text[text.index("## The road of one click"):text.index("## The cursor protocol")]
    assert not [file for file in sorted(road) if f"`{file}.c" not in told]


@pytest.mark.parametrize("readme, number", YAML)
def test_the_yaml_in_a_readme_is_a_valid_part_of_a_configuration(make_hopcountd, readme, number):
    import yaml

    part = yaml.safe_load(BLOCK.findall((ROOT / readme).read_text())[number][1])
    daemon = make_hopcountd(config=part, start=False)
    daemon.add_api_key()
    if "redis" in part:
        password = daemon.directory / "redis-password"
        password.write_text("secret\n")
        password.chmod(0o600)
        daemon.write_config({"redis": {"password_file": str(password)}})
    if "reports" in part:
        secret = daemon.directory / "secret"
        secret.write_text("https://chat.example/hook\n")
        secret.chmod(0o600)
        daemon.write_config({"smtp": {"password_file": str(secret)}, "reports": [
            {**report, **({"webhook_file": str(secret)} if "webhook" in report else {})} for report in part["reports"]]})
    done = daemon.check()
    assert done.returncode == 0, done.stderr
