"""A real redis-server of the test's own, to kill, freeze and restart."""
import contextlib
import socket

import redis

from .ports import free_port
from .process import Process
from .wait import wait_until


class RedisServer(Process):
    """Listens on a loopback port and a Unix socket; its data stays over restarts.

    `options` are redis.conf directives: RedisServer(dir, appendonly="yes", maxmemory="10mb").
    """

    def __init__(self, directory, name="redis", port=None, **options):
        super().__init__(name, directory)
        self.port = port or free_port()
        self.socket_path = self.directory / f"{name}.sock"
        self.password = options.get("requirepass")
        self.options = {"appendonly": "yes", "appendfsync": "everysec", "save": '""'}
        self.options.update({key.replace("_", "-"): value for key, value in options.items()})

    def command(self):
        config = self.directory / f"{self.name}.conf"
        lines = [
            "bind 127.0.0.1", f"port {self.port}", f"unixsocket {self.socket_path}",
            f"dir {self.directory}", "protected-mode no", "daemonize no",
        ] + [f"{key} {value}" for key, value in self.options.items()]
        config.write_text("\n".join(lines) + "\n")
        return ["redis-server", config]

    @property
    def url(self):
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}/0"

    @property
    def unix_url(self):
        return f"unix://{self.socket_path}"

    def client(self, **kwargs):
        kwargs.setdefault("password", self.password)
        return redis.Redis(unix_socket_path=str(self.socket_path), **kwargs)

    def answers(self):
        with contextlib.suppress(redis.RedisError, OSError, socket.error):
            return self.client(socket_timeout=1).ping()
        return False

    def role(self):
        """"master" or "slave"; None while it doesn't say: a sentinel that promotes a server cuts its clients off."""
        with contextlib.suppress(redis.RedisError, OSError):
            return self.client(socket_timeout=1).execute_command("ROLE")[0].decode()
        return None

    def start(self):
        self.spawn()
        wait_until(lambda: self.answers() or not self.is_running(), 20, "redis-server answers")
        assert self.is_running(), self.stderr_tail()
        return self

    def restart(self):
        """kill -9, start again."""
        self.kill()
        return self.start()
