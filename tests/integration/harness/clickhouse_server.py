"""A real clickhouse-server, as Debian 12 has it: 18.16, which knows no tokens and no times with milliseconds."""
import urllib.error
import urllib.request

from .clickhouse_double import COLUMNS
from .ports import free_port
from .process import Process
from .wait import wait_until

OLD_TYPES = {"text": "String", "<H": "UInt16", "<I": "UInt32", "<Q": "UInt64", "<q": "Int64",
             "log": "FixedString(16)"}


def plain_columns():
    """The columns of a record, of types that this server has."""
    return ", ".join(f"{name} {OLD_TYPES[kind]}" for name, kind in COLUMNS)


class ClickHouse(Process):
    def __init__(self, directory):
        super().__init__("clickhouse", directory)
        self.port, self.tcp_port = free_port(), free_port()
        (self.directory / "config.xml").write_text(f"""<yandex>
<logger><level>warning</level><console>1</console></logger><listen_host>127.0.0.1</listen_host>
<http_port>{self.port}</http_port><tcp_port>{self.tcp_port}</tcp_port>
<path>{self.directory}/data/</path><tmp_path>{self.directory}/tmp/</tmp_path>
<users_config>{self.directory}/users.xml</users_config><mark_cache_size>5368709</mark_cache_size>
<default_profile>default</default_profile><default_database>default</default_database></yandex>""")
        (self.directory / "users.xml").write_text("""<yandex><profiles><default/></profiles>
<users><default><password>s3cret</password><networks><ip>::/0</ip></networks><profile>default</profile>
<quota>default</quota></default></users><quotas><default/></quotas></yandex>""")

    def command(self):
        return ["clickhouse-server", f"--config-file={self.directory}/config.xml"]

    def query(self, text):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", text.encode(), {
            "X-ClickHouse-User": "default", "X-ClickHouse-Key": "s3cret"})
        try:
            return urllib.request.urlopen(request, timeout=30).read().decode()
        except urllib.error.HTTPError as refusal:
            raise AssertionError(f"{text}\n{refusal.read().decode()[:500]}")

    def wait_answers(self):
        wait_until(self.answers, 60, lambda: f"it answers\n{self.stderr_tail()}")

    def answers(self):
        try:
            return self.query("SELECT 1") == "1\n"
        except OSError:
            return False
