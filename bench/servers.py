"""How each server of the comparison is started, pinned and stopped, and what CPU it used.

A server is a few processes of our own, started here and stopped by pid.  `count` marks the
processes whose CPU is the server's; a store (Redis) is counted apart.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import mmdb

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[3]} ended with {process.returncode} before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{process.args[3]} does not listen on port {port}")


def children(pid):
    """The pids of a process and all below it."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += children(int(child))
    except OSError:
        pass
    return found


def cpu_of(pids):
    """(total, user, system) CPU seconds that these processes used so far.

    The total is the scheduler's, in nanoseconds; the split is the kernel's estimate.
    """
    total = user = system = 0.0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                total += int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0]) / 1e9
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            user += int(fields[11]) * TICK_S
            system += int(fields[12]) * TICK_S
        except OSError:
            continue
    return total, user, system


def rss_of(pids):
    """Resident bytes, shared pages counted once per process as the kernel does."""
    total = 0
    for pid in pids:
        try:
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


class Server:
    """One entry of the comparison."""

    name = ""
    status = "302"  # what the load generator expects
    location = "https://billing.acme.example/index.php?rp=/invoice/"
    unfit = ()  # loads that it does not get through
    may_fail = False  # a round in which it answers wrongly is left out, and said so

    def __init__(self, folder, cpus, store_cpu):
        self.folder = pathlib.Path(folder)
        self.cpus = list(cpus)
        self.store_cpu = store_cpu
        self.port = free_port()
        self.processes = []  # in the order of their start
        self.main = None     # the process whose CPU is the server's
        self.redis = None
        self.folder.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def missing():
        """A sentence when this machine lacks what the server needs, else None."""
        return None

    def spawn(self, argv, cpus, new_session=True, **kwargs):
        argv = ["taskset", "-c", ",".join(map(str, cpus))] + [str(a) for a in argv]
        out = open(self.folder / "output.log", "ab")
        process = subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=new_session, **kwargs)
        self.processes.append(process)
        return process

    def output(self):
        """What its processes printed, for an error message."""
        return (self.folder / "output.log").read_text(errors="replace")[-2000:]

    def spawn_redis(self):
        self.redis_port = free_port()
        # It shares a core with the load generator, which must not measure how long it waited for that:
        # it runs when nothing else wants to, as the kernel sees it among the processes of one session.
        self.redis = self.spawn(["chrt", "--idle", "0", "redis-server", "--port", self.redis_port, "--bind",
                                 "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self.folder],
                                [self.store_cpu], new_session=False)
        wait_port(self.redis_port, self.redis)

    def fill(self, template):
        """The template with @NAME@ replaced; returns the path of the result."""
        text = (BENCH / "rivals" / template).read_text()
        mask = "".join("1" if c in self.cpus else "0" for c in reversed(range(os.cpu_count())))
        values = {"PORT": self.port, "DIR": self.folder, "WORKERS": len(self.cpus),
                  "AFFINITY": mask if len(self.cpus) == 1 else "auto",
                  "REDIS_PORT": getattr(self, "redis_port", 0)}
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        path = self.folder / template.removesuffix(".in")
        path.write_text(text)
        return path

    def start(self):
        raise NotImplementedError

    def paths(self):
        """Request paths to drive it with, thousands of distinct ones."""
        return [f"/{i:045d}" for i in range(1, 10001)]

    def pids(self):
        return children(self.main.pid)

    def store_pids(self):
        return children(self.redis.pid) if self.redis else []

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.processes = []


class Nginx(Server):
    name = "nginx return 302"
    config = "nginx.conf.in"

    @staticmethod
    def missing():
        return None if shutil.which("nginx") else "nginx is not installed (deploy/install-deps bench)"

    def start(self):
        self.main = self.spawn(["nginx", "-p", self.folder, "-c", self.fill(self.config)], self.cpus)
        wait_port(self.port, self.main)


class NginxLua(Nginx):
    name = "nginx + Lua + Redis"
    config = "nginx-lua.conf.in"

    @staticmethod
    def missing():
        module = pathlib.Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
        return Nginx.missing() or (None if module.exists() else "libnginx-mod-http-lua is not installed")

    def start(self):
        self.spawn_redis()
        self._fill_store()
        super().start()

    def _fill_store(self):
        pipe = subprocess.Popen(["redis-cli", "-p", str(self.redis_port), "--pipe"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL)
        text = "".join(f"HSET link:{p[1:]} url https://billing.acme.example/index.php?rp=/invoice/{i}/pay\r\n"
                       for i, p in enumerate(self.paths()))
        pipe.communicate(text.encode())


class Haproxy(Server):
    name = "haproxy redirect"

    @staticmethod
    def missing():
        return None if shutil.which("haproxy") else "haproxy is not installed"

    def start(self):
        self.main = self.spawn(["haproxy", "-db", "-f", self.fill("haproxy.cfg.in")], self.cpus)
        wait_port(self.port, self.main)


class Webdis(Server):
    name = "webdis INCR (no redirect)"
    status = "200"
    location = None
    unfit = ("new-connections", "pipelined", "open-loop")  # answers some of those twice
    may_fail = True

    @staticmethod
    def missing():
        return None if shutil.which("webdis") else "webdis is not installed"

    def start(self):
        self.spawn_redis()
        self.main = self.spawn(["webdis", self.fill("webdis.json.in")], self.cpus)
        wait_port(self.port, self.main)

    def paths(self):
        return [f"/INCR/link:{i}" for i in range(1, 10001)]


class Varnish(Server):
    name = "varnish synthetic 302"

    @staticmethod
    def missing():
        return None if shutil.which("varnishd") else "varnish is not installed"

    def start(self):
        self.main = self.spawn(["varnishd", "-F", "-a", f"127.0.0.1:{self.port}", "-f",
                                BENCH / "rivals" / "redirect.vcl", "-n", self.folder / "varnish", "-s",
                                "malloc,16m", "-p", "thread_pools=1"], self.cpus)
        wait_port(self.port, self.main)


class Floor(Server):
    name = "floor (libevent, parses nothing)"

    def start(self):
        self.main = self.spawn([os.environ["HOPCOUNT_BUILD"] + "/bench/floor", self.port], self.cpus)
        wait_port(self.port, self.main)


class Hopcount(Server):
    """hopcountd complete: token, labels, country, log, counting into Redis."""

    name = "hopcount"
    n_links = 10000
    n_brands = 1
    n_shards = 1
    labels = "repeat_max: 0"  # 10,000 links stand for those of millions of people, who click once
    options = ""

    def start(self):
        self.spawn_redis()
        self.main = self.spawn([os.environ["HOPCOUNT_BUILD"] + "/hopcountd", "-c", self.write_config()],
                               self.cpus)
        wait_port(self.port, self.main)

    def write_config(self):
        build = os.environ["HOPCOUNT_BUILD"]
        keys = self.folder / "keys"
        if not keys.exists():
            subprocess.run([build + "/hopcount", "keygen", "--add", keys], check=True, stdout=subprocess.DEVNULL)
        brands = "".join(self.brand_text(i) for i in range(self.n_brands))
        self.admin_port = free_port()
        api_keys = self.folder / "api-keys"
        api_keys.touch(0o600)
        (self.folder / "country.mmdb").write_bytes(mmdb.country_of("127.0.0.0/24", "DE"))
        config = self.folder / "hopcount.yaml"
        config.write_text(f"""\
public: {{ listen: "127.0.0.1:{self.port}", workers: {len(self.cpus)}, drain_delay_s: 0 }}
admin: {{ listen: "127.0.0.1:{self.admin_port}", api_keys: {api_keys}, rate_per_min: 1000000 }}
state_dir: {self.folder}/state
redis: {{ url: "redis://127.0.0.1:{self.redis_port}/0", shards: {self.n_shards} }}
keys: {keys}
geo: {{ country: {self.folder}/country.mmdb }}
labels: {{ {self.labels} }}
{self.options}
brands:
{brands}""")
        return config

    def make_api_key(self):
        """The text of a new API key; to be called before start()."""
        return subprocess.run([os.environ["HOPCOUNT_BUILD"] + "/hopcount", "apikey", "--name", "bench", "--scope",
                               "stats:read", "--add", self.folder / "api-keys"], check=True, capture_output=True,
                              text=True).stdout.split()[-1]

    @staticmethod
    def brand_text(i):
        host = "localhost" if i == 0 else f"go{i}.acme.example"
        name = "acme" if i == 0 else f"acme{i}"
        return (f"  - name: {name}\n    hosts: [{host}]\n    base_url: http://{host}\n    preset: whmcs\n"
                f"    billing_url: https://billing.acme.example\n    home: https://www.acme.example/\n")

    def paths(self):
        rows = "kind,object,client,campaign,ttl\n" + "".join(
            f"pay,{1000000 + i},{2000 + i},{i % 12},never\n" for i in range(self.n_links))
        out = subprocess.run([os.environ["HOPCOUNT_BUILD"] + "/hopcount", "mint", "-c",
                              self.folder / "hopcount.yaml", "--batch", "--brand", "acme"],
                             input=rows, text=True, capture_output=True, check=True).stdout.splitlines()
        column = out[0].split(",").index("token")
        return ["/" + line.split(",")[column] for line in out[1:]]


class HopcountFrozen(Hopcount):
    name = "hopcount, Redis frozen"

    def start(self):
        super().start()
        self.redis.send_signal(signal.SIGSTOP)


class HopcountStopped(Hopcount):
    name = "hopcount, Redis stopped"

    def start(self):
        super().start()
        self.redis.terminate()
        self.redis.wait()
