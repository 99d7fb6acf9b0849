"""What is installed: cmake --install, and the Debian package."""
import json
import platform
import re
import subprocess

import pytest

from harness.build import BUILD, ROOT

pytestmark = pytest.mark.release


def run(*command, **kwargs):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True,
                          timeout=300, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_install_puts_the_programs_and_the_unit_where_the_prefix_says(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", tmp_path / "opt")
    for program in ("hopcountd", "hopcount"):
        assert "hopcount" in run(tmp_path / "opt/bin" / program, "--version")
    unit = (tmp_path / "opt/lib/systemd/system/hopcount.service").read_text()
    assert f"ExecStart={tmp_path}/opt/bin/hopcountd -c {tmp_path}/opt/etc/hopcount/hopcount.yaml" in unit
    assert "@" not in re.sub(r"(?m)^#.*|SystemCallFilter.*", "", unit)


def test_what_is_installed_starts_once_its_key_files_are_there(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", tmp_path)
    etc = tmp_path / "etc/hopcount"
    run(tmp_path / "bin/hopcount", "keygen", "--add", etc / "keys")
    run(tmp_path / "bin/hopcount", "apikey", "--name", "x", "--scope", "stats:read", "--add", etc / "api-keys")
    run(tmp_path / "bin/hopcountd", "-c", etc / "hopcount.yaml", "--check")


def test_install_keeps_a_configuration_that_is_there(tmp_path):
    own = tmp_path / "etc/hopcount/hopcount.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    run("cmake", "--install", BUILD, "--prefix", tmp_path)
    assert own.read_text() == "# mine\n"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """(path of the package, folder with its unpacked content); made under a umask that shuts others out."""
    work = tmp_path_factory.mktemp("package")
    run("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", work, cwd=BUILD, umask=0o077)
    path, = work.glob("hopcount_*.deb")
    run("dpkg-deb", "--raw-extract", path, work / "content")
    return path, work / "content"


def test_the_package_depends_on_the_libraries_that_the_programs_load(package):
    path, content = package
    fields = run("dpkg-deb", "--field", path, "Depends", "Recommends")
    paths = set()
    for program in ("hopcountd", "hopcount"):
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "--dynamic", content / "usr/bin" / program))
        assert {"libsodium.so.23", "libyaml-0.so.2"} <= set(needed)
        found = dict(re.findall(r"(\S+) => (/\S+)", run("ldd", content / "usr/bin" / program)))
        paths |= {found[library].removeprefix("/usr") for library in needed}
    # "libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6", by its name before or after /lib became a link
    told = subprocess.run(["dpkg", "-S", *paths, *(f"/usr{path}" for path in paths)], text=True, capture_output=True, timeout=60)
    owners = {line.split(": ")[1].removeprefix("/usr"): line.split(":")[0] for line in told.stdout.splitlines()}
    for path in paths:
        owner = owners[path]
        assert re.search(rf"(^|[ ,]){re.escape(owner)}( |,|$)", fields, re.M), f"{path} of {owner} is missing in {fields}"
    assert "adduser" in fields and "redis-server" in fields


def test_the_package_holds_programs_unit_configuration_and_completions(package):
    path, content = package
    for name in ("usr/bin/hopcountd", "usr/bin/hopcount", "lib/systemd/system/hopcount.service",
                 "etc/hopcount/hopcount.yaml",
                 "lib/systemd/system/hopcount.socket",
                 "usr/share/bash-completion/completions/hopcount",
                 "usr/share/zsh/site-functions/_hopcount",
                 "usr/share/fish/vendor_completions.d/hopcount.fish",
                 "usr/share/man/man1/hopcount.1.gz", "usr/share/man/man5/hopcount.yaml.5.gz",
                 "usr/share/man/man8/hopcountd.8.gz", "DEBIAN/postinst"):
        name = name if (content / name).exists() else f"usr/{name}"
        assert (content / name).is_file(), name
    unit, = content.rglob("hopcount.service")
    assert "ExecStart=/usr/bin/hopcountd -c /etc/hopcount/hopcount.yaml" in unit.read_text()
    assert (content / "DEBIAN/conffiles").read_text() == "/etc/hopcount/hopcount.yaml\n"
    listed = [line.split()[:2] for line in run("dpkg-deb", "--contents", path).splitlines()]
    assert {owner for _, owner in listed} == {"root/root"}
    assert {mode for mode, _ in listed} == {"drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"}


def test_programs_and_package_say_the_version_of_the_sources(package):
    version = re.search(r"VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text().split("project(hopcount", 1)[1])[1]
    assert run("dpkg-deb", "--field", package[0], "Version").strip() == version
    for program in ("hopcountd", "hopcount"):
        assert run(package[1] / "usr/bin" / program, "--version").split()[1] == version


def test_lintian_finds_no_error(package):
    told = subprocess.run(["lintian", "--fail-on", "error", "--allow-root", package[0]], text=True, capture_output=True, timeout=120)
    assert told.returncode == 0, told.stdout + told.stderr


def embedded():
    """The npm packages whose lists are in the programs."""
    names = json.loads((ROOT / "service/label/agents/package.json").read_text())["dependencies"]
    return set(names) - {"js-yaml"}  # reads a list, when the programs are built


def test_the_package_holds_the_notices_of_what_is_copied_into_the_programs(package):
    text = (package[1] / "usr/share/doc/hopcount/THIRD-PARTY-NOTICES").read_text()
    headings = re.findall(r"(?m)^={78}\n(\S+?),? .*\n={78}$", text)
    assert {*embedded(), "Chart.js", "The"} == set(headings), headings
    assert "Apache License" in text and "Permission is hereby granted" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_package_holds_a_list_of_its_parts(package):
    bom = json.loads((package[1] / "usr/share/doc/hopcount/sbom.cdx.json").read_text())
    assert (bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.5", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bom["serialNumber"])
    parts = bom["components"]
    refs = [part["bom-ref"] for part in parts]
    assert len(set(refs)) == len(refs) and bom["dependencies"][0]["dependsOn"] == refs
    assert {part["name"] for part in parts if part["purl"].startswith("pkg:npm/")} == embedded()
    assert all(part["licenses"] and part["hashes"] for part in parts if part["purl"].startswith("pkg:npm/"))
    debian = {part["name"]: part["version"] for part in parts if part["purl"].startswith("pkg:deb/debian/")}
    installed = dict(line.split("\t") for line in run(
        "dpkg-query", "-W", "-f", "${Package}\t${Version}\n", *debian).splitlines())
    assert debian == installed
    fields = run("dpkg-deb", "--field", package[0], "Depends")
    depends = set(re.findall(r"\blib[a-z0-9.+-]+", fields))
    assert depends <= set(debian), depends - set(debian)


ENDBR64 = b"\xf3\x0f\x1e\xfa"  # where -fcf-protection lets an indirect jump arrive


def test_the_programs_are_hardened(package):
    for program in ("hopcountd", "hopcount"):
        path = package[1] / "usr/bin" / program
        text = run("readelf", "--wide", "--program-headers", "--dynamic", "--file-header", "--symbols", path)
        for word in ("DYN (Position-Independent", "BIND_NOW", "GNU_RELRO", "__stack_chk_fail", "_chk@"):
            assert word in text, (program, word)
        assert platform.machine() != "x86_64" or path.read_bytes().count(ENDBR64) > 100


def test_the_package_holds_what_its_readme_tells_to_copy(package):
    doc = package[1] / "usr/share/doc/hopcount"
    text = (doc / "README.md").read_text() + (doc / "deploy/README.md").read_text()
    named = re.findall(r"\]\((?:deploy/)?([^)]+\.(?:conf|cfg|php|json|yaml))\)", text)
    assert {"redis-acl.conf", "proxy/nginx.conf"} <= set(named)
    for name in [*named, "whmcs/modules/addons/hopcount/hopcount.php", "whmcs/modules/reports/hopcount.php"]:
        assert (doc / "examples" / name).is_file(), name


def test_the_shipped_configuration_is_valid_once_its_keys_are_there(package, tmp_path):
    text = (package[1] / "etc/hopcount/hopcount.yaml").read_text()
    (tmp_path / "keys").write_text(run(BUILD / "hopcount", "keygen"))
    (tmp_path / "keys").chmod(0o600)
    run(BUILD / "hopcount", "apikey", "--name", "x", "--scope", "stats:read", "--add",
        tmp_path / "api-keys")
    text = text.replace("/etc/hopcount", str(tmp_path)).replace("/var/lib/hopcount", str(tmp_path))
    (tmp_path / "hopcount.yaml").write_text(text)
    run(BUILD / "hopcountd", "-c", tmp_path / "hopcount.yaml", "--check")


def test_bash_completes_commands_options_and_values(package):
    script = f"""source {package[1]}/usr/share/bash-completion/completions/hopcount
    complete_line() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hopcount; echo "${{COMPREPLY[*]}}"; }}
    complete_line hopcount mi
    complete_line hopcount mint --obj
    complete_line hopcount mint --channel m
    complete_line hopcount mint pa"""
    assert run("bash", "-c", script).splitlines() == ["mint", "--object", "mail", "pay"]
