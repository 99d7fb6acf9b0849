"""Real Redis servers in the three arrangements that hopcount knows; each can be broken."""
import contextlib
import subprocess

import redis as redis_py

from harness.build import patience
from harness.ports import free_port
from harness.process import Process
from harness.redisd import RedisServer
from harness.wait import wait_until

from .proxy import Proxy


class Single:
    """One server behind a fault proxy."""

    def __init__(self, directory, rng, **options):
        self.redis = RedisServer(directory / "redis", "redis", **options)
        self.rng, self.proxy, self.processes = rng, None, [self.redis]

    def start(self):
        self.redis.start()
        self.proxy = Proxy(self.redis.port, self.rng).start()
        return self

    @property
    def url(self):
        return self.proxy.url

    def read(self):
        return [self.redis.client()]

    def stop(self):
        if self.proxy:
            self.proxy.stop()


class Sentinel(Process):
    def __init__(self, directory, name, master_port):
        super().__init__(name, directory)
        self.port = free_port()
        (self.directory / "sentinel.conf").write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
            f"sentinel monitor main 127.0.0.1 {master_port} 2\n"
            "sentinel down-after-milliseconds main 800\n"
            "sentinel failover-timeout main 3000\n")

    def command(self):
        return ["redis-sentinel", self.directory / "sentinel.conf"]

    def client(self):
        return redis_py.Redis(port=self.port, socket_timeout=2)


class Sentinels:
    """A master, a replica, three sentinels."""

    def __init__(self, directory, rng):
        self.rng = rng
        options = {"repl_diskless_sync_delay": "0", "repl_ping_replica_period": "1"}
        first = RedisServer(directory / "one", "one", **options)
        second = RedisServer(directory / "two", "two", **options)
        second.options["replicaof"] = f"127.0.0.1 {first.port}"
        self.servers = [first, second]
        self.watchers = [Sentinel(directory / f"sentinel{i}", f"sentinel{i}", first.port)
                         for i in range(3)]
        self.processes = self.servers + self.watchers

    def start(self):
        for server in self.servers:
            server.start()
        for watcher in self.watchers:
            watcher.spawn()
        self.wait_whole()
        return self

    @property
    def url(self):
        hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in self.watchers)
        return f"sentinel://{hosts}/main"

    def master(self):
        """Who the sentinels say is the master, if it says so too."""
        with contextlib.suppress(redis_py.RedisError, OSError):
            _, port = self.watchers[0].client().sentinel_get_master_addr_by_name("main")
            server = next(server for server in self.servers if server.port == port)
            return server if server.role() == "master" else None
        return None

    def replica(self):
        master = self.master()
        return next((s for s in self.servers if s is not master), None) if master else None

    def wait_whole(self):
        """One master and one replica in step with it, known to all sentinels."""
        def whole():
            replica = self.replica()
            if replica is None or replica.role() != "slave":
                return False
            link = replica.client().info("replication")["master_link_status"]
            return link == "up" and all(self._knows_all(w) for w in self.watchers)
        wait_until(whole, 40, "one master, one replica, all sentinels agree", pause=0.05)

    @staticmethod
    def _knows_all(watcher):
        with contextlib.suppress(redis_py.RedisError, OSError):
            info = watcher.client().sentinel_master("main")
            return (info["num-other-sentinels"] == 2 and info["num-slaves"] == 1
                    and not info["is_sdown"] and not info["is_odown"])
        return False

    def cut_replication(self):
        """The replica gets no more, but to the sentinels it is still the master's: it calls with a
        password that the master, which has none, refuses."""
        master, replica = self.master(), self.replica()
        replica.client().config_set("masterauth", "cut")
        replica.client().execute_command("CLIENT", "KILL", "TYPE", "master")
        return master, replica

    def wait_failover(self, old):
        wait_until(lambda: self.master() not in (None, old), 40, "the replica was made the master",
                   pause=0.02)

    def read(self):
        wait_until(self.master, 30, "there is a master", pause=0.05)
        return [self.master().client()]

    def stop(self):
        pass


class Cluster:
    """Three masters with a replica each (or without: n_nodes=3)."""

    def __init__(self, directory, rng, n_nodes=6):
        self.rng = rng
        self.nodes = [
            RedisServer(directory / f"node{i}", f"node{i}", cluster_enabled="yes",
                        cluster_config_file="nodes.conf", cluster_node_timeout="1000",
                        repl_diskless_sync_delay="0", cluster_require_full_coverage="no")
            for i in range(n_nodes)]
        self.processes = list(self.nodes)

    def start(self):
        for node in self.nodes:
            node.start()
        replicas = 1 if len(self.nodes) == 6 else 0
        done = self.cli("--cluster", "create", *[f"127.0.0.1:{n.port}" for n in self.nodes],
                        "--cluster-replicas", replicas, "--cluster-yes")
        assert done.returncode == 0, done.stdout
        self.wait_whole()
        return self

    @staticmethod
    def cli(*arguments):
        return subprocess.run(["redis-cli", *map(str, arguments)], capture_output=True, text=True,
                              timeout=patience(60))

    @property
    def url(self):
        return "cluster://" + ",".join(f"127.0.0.1:{n.port}" for n in self.nodes[:3])

    def info(self, node, section):
        with contextlib.suppress(redis_py.RedisError, OSError):
            return node.client(socket_timeout=1).info(section)
        return {}

    def state(self, node):
        with contextlib.suppress(redis_py.RedisError, OSError):
            return node.client(socket_timeout=1).cluster("info").get("cluster_state")
        return None

    def masters(self):
        """Those with slots."""
        found = []
        for node in self.nodes:
            with contextlib.suppress(redis_py.RedisError, OSError):
                text = node.client(socket_timeout=1).execute_command("CLUSTER", "NODES")
                text = text.decode() if isinstance(text, bytes) else text
                myself = self._myself(text)
                if "master" in myself["flags"] and myself["slots"]:
                    found.append(node)
        return found

    @staticmethod
    def _myself(nodes):
        if isinstance(nodes, dict):  # redis-py has parsed it
            return next(node for node in nodes.values() if "myself" in node["flags"])
        fields = next(line for line in nodes.splitlines() if "myself" in line).split()
        return {"flags": fields[2], "slots": fields[8:]}

    def wait_whole(self):
        def whole():
            return (all(self.state(n) == "ok" for n in self.nodes) and len(self.masters()) == 3
                    and all(self.info(n, "replication").get("master_link_status", "up") == "up"
                            for n in self.nodes))
        wait_until(whole, 60, "the cluster is whole", pause=0.05)

    def node_id(self, node):
        name = node.client().cluster("myid")
        return name.decode() if isinstance(name, bytes) else name

    def agrees(self):
        """All nodes tell the same of the slots: without that no slot is moved."""
        done = self.cli("--cluster", "check", f"127.0.0.1:{self.nodes[0].port}")
        return done.returncode == 0 and "[ERR]" not in done.stdout

    def reshard(self, source, target, n_slots):
        wait_until(self.agrees, 30, "the nodes agree", pause=0.1)
        done = self.cli("--cluster", "reshard", f"127.0.0.1:{source.port}", "--cluster-from",
                        self.node_id(source), "--cluster-to", self.node_id(target),
                        "--cluster-slots", n_slots, "--cluster-yes")
        assert done.returncode == 0, done.stdout[-2000:]

    def read(self):
        return [node.client() for node in self.masters()]

    def stop(self):
        pass
