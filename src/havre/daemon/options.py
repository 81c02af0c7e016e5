"""Every option of the daemon: dockerd's flags and the keys of daemon.json, one line an option."""

import enum
from typing import Final, NamedTuple


class Kind(enum.Enum):
    """What the value of an option is."""

    BOOL = "bool"
    TEXT = "string"
    INT = "int"
    LIST = "list"
    MAP = "map"
    BYTES = "bytes"
    ULIMIT = "ulimit"
    POOL = "pool-options"
    RUNTIME = "runtime"
    DOOR = "socket"
    OPTIONS = "mapmap"
    OBJECT = "object"


class Option(NamedTuple):
    """One option. Without *flag* only the file has it, without *key* only the command line."""

    flag: str
    key: str
    kind: Kind = Kind.TEXT
    short: str = ""
    help: str = ""


_B, _T, _I, _L, _M = Kind.BOOL, Kind.TEXT, Kind.INT, Kind.LIST, Kind.MAP

OPTIONS: Final = (
    Option("api-socket", "api-sockets", Kind.DOOR, help="Further sockets with a role: path=PATH,role=read|run|admin"),
    Option("add-runtime", "runtimes", Kind.RUNTIME, help="Register an additional OCI compatible runtime"),
    Option(
        "allow-direct-routing", "allow-direct-routing", _B, help="Accept traffic to containers from outside the host"
    ),
    Option(
        "allow-nondistributable-artifacts", "allow-nondistributable-artifacts", _L, help="Accepted for compatibility"
    ),
    Option("api-cors-header", "api-cors-header", help="No longer available; a reverse proxy can set CORS headers"),
    Option("authorization-plugin", "authorization-plugins", _L, help="Authorization plugins to load"),
    Option("bip", "bip", help="Address of the default bridge, as a.b.c.d/n"),
    Option("bip6", "bip6", help="IPv6 address of the default bridge"),
    Option("bridge", "bridge", short="b", help="Name of the default bridge"),
    Option("cdi-spec-dir", "cdi-spec-dirs", _L, help="CDI specification directories to use"),
    Option("cgroup-parent", "cgroup-parent", help="Set parent cgroup for all containers"),
    Option("config-file", "", help="Daemon configuration file"),
    Option("containerd", "containerd", help="Accepted for compatibility; havred needs no containerd"),
    Option("containerd-namespace", "containerd-namespace", help="Accepted for compatibility"),
    Option("containerd-plugins-namespace", "containerd-plugin-namespace", help="Accepted for compatibility"),
    Option("cpu-rt-period", "cpu-rt-period", _I, help="CPU real-time period in microseconds for the parent cgroup"),
    Option("cpu-rt-runtime", "cpu-rt-runtime", _I, help="CPU real-time runtime in microseconds for the parent cgroup"),
    Option("cri-containerd", "cri-containerd", _B, help="Accepted for compatibility"),
    Option("data-root", "data-root", help="Root directory of persistent state"),
    Option("debug", "debug", _B, "D", "Enable debug mode"),
    Option("default-address-pool", "default-address-pools", Kind.POOL, help="Address pools for networks"),
    Option(
        "default-cgroupns-mode", "default-cgroupns-mode", help='Cgroup namespace of containers ("host" | "private")'
    ),
    Option("default-gateway", "default-gateway", help="Default gateway IPv4 address of the default bridge"),
    Option("default-gateway-v6", "default-gateway-v6", help="Default gateway IPv6 address of the default bridge"),
    Option("default-ipc-mode", "default-ipc-mode", help='IPC namespace of containers ("shareable" | "private")'),
    Option("default-network-opt", "default-network-opts", Kind.OPTIONS, help="Default options of new networks"),
    Option("default-runtime", "default-runtime", help="Default OCI runtime for containers"),
    Option("default-shm-size", "default-shm-size", Kind.BYTES, help="Default size of /dev/shm"),
    Option("default-ulimit", "default-ulimits", Kind.ULIMIT, help="Default ulimits for containers"),
    Option("dns", "dns", _L, help="DNS server to use"),
    Option("dns-opt", "dns-opts", _L, help="DNS options to use"),
    Option("dns-search", "dns-search", _L, help="DNS search domains to use"),
    Option("exec-opt", "exec-opts", _L, help="Runtime execution options"),
    Option("exec-root", "exec-root", help="Root directory for execution state files"),
    Option("experimental", "experimental", _B, help="Accepted for compatibility"),
    Option("feature", "features", _M, help="Enable a feature"),
    Option("firewall-backend", "firewall-backend", help='What filters packets; there is one ("nftables")'),
    Option("fixed-cidr", "fixed-cidr", help="IPv4 subnet for fixed IPs"),
    Option("fixed-cidr-v6", "fixed-cidr-v6", help="IPv6 subnet for fixed IPs"),
    Option("group", "group", short="G", help="Group for the unix socket"),
    Option("help", "", _B, "h", "Print usage"),
    Option("host", "hosts", _L, "H", "Daemon socket(s) to connect to"),
    Option("host-gateway-ip", "host-gateway-ips", _L, help="What host-gateway resolves to in --add-host"),
    Option("", "host-gateway-ip"),
    Option("http-proxy", "http-proxy", help="HTTP proxy for outgoing traffic"),
    Option("https-proxy", "https-proxy", help="HTTPS proxy for outgoing traffic"),
    Option("icc", "icc", _B, help="Enable inter-container communication on the default bridge"),
    Option("init", "init", _B, help="Run an init in every container"),
    Option("init-path", "init-path", help="Path to the init binary"),
    Option("insecure-registry", "insecure-registries", _L, help="Registries that may be reached without TLS"),
    Option("ip", "ip", help="Default host address of published ports"),
    Option("ip-forward", "ip-forward", _B, help="Enable IP forwarding on the host"),
    Option("ip-forward-no-drop", "ip-forward-no-drop", _B, help="Do not set the FORWARD policy to DROP"),
    Option("ip-masq", "ip-masq", _B, help="Enable IP masquerading"),
    Option("ip6tables", "ip6tables", _B, help="Enable addition of IPv6 rules"),
    Option("iptables", "iptables", _B, help="Enable addition of firewall rules"),
    Option("ipv6", "ipv6", _B, help="Enable IPv6 on the default bridge"),
    Option("label", "labels", _L, help="Set key=value labels of the daemon"),
    Option("live-restore", "live-restore", _B, help="Containers go on while the daemon is away"),
    Option("log-driver", "log-driver", help="Default driver for container logs"),
    Option("log-format", "log-format", help='Format of the daemon\'s own log ("text" | "json")'),
    Option("log-level", "log-level", short="l", help='Logging level ("debug" | "info" | "warn" | "error" | "fatal")'),
    Option("log-opt", "log-opts", _M, help="Default log driver options for containers"),
    Option("max-concurrent-downloads", "max-concurrent-downloads", _I, help="Layers fetched at once in a pull"),
    Option("max-concurrent-uploads", "max-concurrent-uploads", _I, help="Layers sent at once in a push"),
    Option("max-download-attempts", "max-download-attempts", _I, help="Attempts at each layer of a pull"),
    Option("metrics-addr", "metrics-addr", help="Address of the metrics API"),
    Option("mtu", "mtu", _I, help="MTU of the default bridge"),
    Option("network-control-plane-mtu", "network-control-plane-mtu", _I, help="Accepted for compatibility"),
    Option("no-new-privileges", "no-new-privileges", _B, help="Set no-new-privileges by default"),
    Option("no-proxy", "no-proxy", help="Hosts reached without a proxy"),
    Option("node-generic-resource", "node-generic-resources", _L, help="User-defined resources of this node"),
    Option("pidfile", "pidfile", short="p", help="Path to the daemon PID file"),
    Option(
        "publish-allowed",
        "publish-allowed",
        _L,
        help="Ports (80/tcp, 8000-8100/udp) that are published whatever the host's own input rules say",
    ),
    Option(
        "publish-past-firewall",
        "publish-past-firewall",
        _B,
        help="Publish every port whatever the host's own input rules say, as Docker does",
    ),
    Option("raw-logs", "raw-logs", _B, help="Full timestamps without colours"),
    Option("registry-mirror", "registry-mirrors", _L, help="Preferred registry mirror"),
    Option("rootless", "rootless", _B, help="Run without root's rights"),
    Option("seccomp-profile", "seccomp-profile", help='Path of the seccomp profile, or "builtin" or "unconfined"'),
    Option("selinux-enabled", "selinux-enabled", _B, help="Enable SELinux support"),
    Option("shutdown-timeout", "shutdown-timeout", _I, help="Seconds that containers have to end at shutdown"),
    Option("storage-driver", "storage-driver", short="s", help="Storage driver to use"),
    Option("storage-opt", "storage-opts", _L, help="Storage driver options"),
    Option("swarm-default-advertise-addr", "swarm-default-advertise-addr", help="Accepted for compatibility"),
    Option("tls", "tls", _B, help="Use TLS; implied by --tlsverify"),
    Option("tlscacert", "tlscacert", help="Trust certs signed only by this CA"),
    Option("tlscert", "tlscert", help="Path to TLS certificate file"),
    Option("tlskey", "tlskey", help="Path to TLS key file"),
    Option("tlsverify", "tlsverify", _B, help="Use TLS and verify the remote"),
    Option("userland-proxy", "userland-proxy", _B, help="Accepted for compatibility; no proxy process is needed"),
    Option("userland-proxy-path", "userland-proxy-path", help="Accepted for compatibility"),
    Option("userns-remap", "userns-remap", help="User/group setting for user namespaces"),
    Option("validate", "", _B, help="Validate the configuration and exit"),
    Option("version", "", _B, "v", "Print version information and quit"),
    Option("", "builder", Kind.OBJECT),
    Option("", "default-init"),
    Option("", "min-api-version"),
    Option("", "network-diagnostic-port", _I),
    Option("", "proxies", Kind.OBJECT),
    Option("", "resolv-conf"),
    Option("", "swarm-raft-election-tick", _I),
    Option("", "swarm-raft-heartbeat-tick", _I),
)

BY_FLAG: Final = {option.flag: option for option in OPTIONS if option.flag}
BY_SHORT: Final = {option.short: option for option in OPTIONS if option.short}
BY_KEY: Final = {option.key: option for option in OPTIONS if option.key}
