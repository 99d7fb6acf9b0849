"""The client that openapi-typescript makes of the API's description, in use."""
import os
import shutil
import subprocess

from harness.build import ROOT

TESTS = ROOT / "tests"


def test_a_program_on_the_generated_client_compiles_and_runs(hopcountd, tmp_path):
    def run(*command):
        done = subprocess.run(["node", *map(str, command)], cwd=tmp_path, timeout=300, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "HOPCOUNT_API_KEY": hopcountd.api_key,
                                   "HOPCOUNT_URL": f"http://127.0.0.1:{hopcountd.admin_port}"})
        assert done.returncode == 0, done.stdout
        return done.stdout

    modules = TESTS / "node_modules"
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name in ("sample.ts", "tsconfig.json"):
        shutil.copy(TESTS / "typescript" / name, tmp_path)
    run(modules / "openapi-typescript" / "bin" / "cli.js", ROOT / "proto" / "openapi.yaml", "-o", "api.ts")
    run(modules / "typescript" / "bin" / "tsc", "-p", ".")
    assert run("sample.js") == "good\n"
