#!/usr/bin/env python3
"""Write the rules of one Docker EE node, as restore input, to standard output.

usage: rules.py [rules | sets | pods]      the rules (default), the ipsets, or interface and address of each Pod

The node of the article: Docker EE 2.1 (UCP 3.1.7), Kubernetes 1.11, kube-proxy in iptables mode, Calico 3.5.
The rules of article.txt are taken from that file, the one damaged line repaired, and go in as they are.
Chain names and "cali:" comments are the hashes that kube-proxy and Calico compute.
"""

import base64
import hashlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CLUSTER_CIDR = "192.168.0.0/16"
NODE_IP = "172.30.4.42"

# Pods on this node: (namespace, name, address, service account, ingress policies)
REDIS_POLICY = "default/knp.default.redis-from-web"
PODS = [
    ("default", "netshoot-deploy-5f8cfd5d94-xxlxp", "192.168.200.156", "default", []),
    ("default", "web-7d9c6f4b8d-q2w5n", "192.168.200.135", "default", []),
    ("default", "redis-6b54579d85-h8kzt", "192.168.200.170", "redis", [REDIS_POLICY]),
]
WEB_SELECTOR = (
    '(projectcalico.org/namespace == "default" && '
    '(projectcalico.org/orchestrator == "k8s" && app == "web"))'
)

WEB_PODS = ["192.168.200.135", "192.168.237.21", "192.168.237.34"]
# The set's hash seed is fixed so that `ipset save` prints the members in the same order each time.
SETS = [
    ("cali40all-ipam-pools", "hash:net", [CLUSTER_CIDR]),
    ("cali40masq-ipam-pools", "hash:net", [CLUSTER_CIDR]),
    ("cali40all-hosts-net", "hash:net", ["172.30.4.40", NODE_IP]),
    ("cali40this-host", "hash:ip", ["127.0.0.0", "127.0.0.1", "172.17.0.1", "172.18.0.1", NODE_IP, "192.168.200.128"]),
]

# Services beside kube-dns. In Kubernetes 1.11 a port without a name leaves the colon: "default/redis:".
KUBE_DNS = "192.168.237.9:53"
SERVICES = [
    dict(name="default/web:http", ip="10.96.71.14", port=80, node_port=33780,
         endpoints=["192.168.200.135:8080", "192.168.237.21:8080", "192.168.237.34:8080"]),
    dict(name="default/kubernetes:https", ip="10.96.0.1", port=443, endpoints=["172.30.4.40:12388"]),
    dict(name="default/batch:http", ip="10.96.120.77", port=80, node_port=34100, endpoints=[]),
    dict(name="kube-dns"),  # stands for the article's four rules, at this place in KUBE-SERVICES
    dict(name="default/shop:https", ip="10.96.203.9", port=443, node_port=34443,
         load_balancer="203.0.113.80", source_ranges=["198.51.100.0/24", "172.30.0.0/20"], from_node=True,
         endpoints=["192.168.200.135:8443", "192.168.237.21:8443"]),
    dict(name="kube-system/compose-api:", ip="10.96.88.3", port=443, endpoints=["192.168.237.8:9443"]),
    dict(name="default/redis:", ip="10.96.44.201", port=6379, affinity=10800,
         endpoints=["192.168.200.170:6379", "192.168.237.40:6379"]),
]


# ---------------------------------------------------------------- hashes

def kube_hash(text):
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]


def url64(digest):
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def cali_interface(namespace, pod):
    return "cali" + hashlib.sha1(f"{namespace}.{pod}".encode()).hexdigest()[:11]


def cali_chain(prefix, name):
    """Calico's chain name: hashed when it would be longer than 28 characters."""
    if len(prefix) + len(name) <= 28:
        return prefix + name
    return prefix + "_" + url64(hashlib.sha256(name.encode()).digest())[: 28 - len(prefix) - 1]


def cali_set(kind, content):
    """Calico's ipset name for a selector, cut to 31 characters."""
    return ("cali40" + kind + ":" + url64(hashlib.sha224(f"{kind}:{content}".encode()).digest()))[:31]


# ---------------------------------------------------------------- tables

class Table:
    def __init__(self, name, builtin):
        self.name = name
        self.builtin = builtin  # (chain, policy)
        self.chains = {}

    def add(self, chain, *rules):
        self.chains.setdefault(chain, []).extend(rules)

    def add_lines(self, lines):
        for line in lines:
            self.add(line.split()[1], line)

    def cali(self, chain, *rules):
        """Rules as Calico writes them: (match, action) or (comment, match, action)."""
        digest = hashlib.sha224(chain.encode()).digest()
        self.add(chain)
        for rule in rules:
            comment, match, action = rule if len(rule) == 3 else (None, *rule)
            parts = [f'-m comment --comment "{comment}"'] if comment else []
            parts += [part for part in (match, action) if part]
            rest = " ".join(parts)
            digest = hashlib.sha224(digest + f"-A {chain} HASH {rest}".encode()).digest()
            self.add(chain, f'-A {chain} -m comment --comment "cali:{url64(digest)[:16]}" {rest}')

    def text(self):
        names = [name for name, _ in self.builtin]
        lines = ["*" + self.name]
        lines += [f":{name} {policy} [0:0]" for name, policy in self.builtin]
        own = sorted(name for name in self.chains if name not in names)
        lines += [f":{name} - [0:0]" for name in own]
        for name in names + own:
            lines += self.chains.get(name, [])
        return "\n".join(lines + ["COMMIT"]) + "\n"


ACCEPT, PASS, SCRATCH0, SCRATCH1 = 0x10000, 0x20000, 0x40000, 0x80000
ALL_MARKS = ACCEPT | PASS | SCRATCH0 | SCRATCH1


def clear(mark):
    return f"--jump MARK --set-mark 0/{mark:#x}"


def set_mark(mark):
    return f"--jump MARK --set-mark {mark:#x}/{mark:#x}"


def is_set(mark):
    return f"-m mark --mark {mark:#x}/{mark:#x}"


def is_clear(mark):
    return f"-m mark --mark 0/{mark:#x}"


FAILSAFE_IN = [("tcp", 22), ("udp", 68), ("tcp", 179), ("tcp", 2379), ("tcp", 2380), ("tcp", 6666), ("tcp", 6667)]
FAILSAFE_OUT = [("udp", 53), ("udp", 67), ("tcp", 179), ("tcp", 2379), ("tcp", 2380), ("tcp", 6666), ("tcp", 6667)]


def failsafe(accepted, answered):
    rules = [(f"-p {proto} -m multiport --destination-ports {port}", "--jump ACCEPT") for proto, port in accepted]
    return rules + [(f"-p {proto} -m multiport --source-ports {port}", "--jump ACCEPT") for proto, port in answered]


# ---------------------------------------------------------------- Calico

def calico_raw(raw):
    raw.cali("PREROUTING", ("", "--jump cali-PREROUTING"))
    raw.cali("OUTPUT", ("", "--jump cali-OUTPUT"))
    raw.cali("cali-PREROUTING",
             ("", clear(ALL_MARKS)),
             ("--in-interface cali+", set_mark(SCRATCH0)),
             (is_set(SCRATCH0) + " -m rpfilter --invert", "--jump DROP"),
             (is_clear(SCRATCH0), "--jump cali-from-host-endpoint"),
             (is_set(ACCEPT), "--jump ACCEPT"))
    raw.cali("cali-OUTPUT",
             ("", clear(ALL_MARKS)),
             ("", "--jump cali-to-host-endpoint"),
             (is_set(ACCEPT), "--jump ACCEPT"))
    raw.cali("cali-from-host-endpoint")
    raw.cali("cali-to-host-endpoint")
    raw.cali("cali-failsafe-in", *failsafe(FAILSAFE_IN, FAILSAFE_OUT))
    raw.cali("cali-failsafe-out", *failsafe(FAILSAFE_OUT, FAILSAFE_IN))


def calico_mangle(mangle):
    mangle.cali("PREROUTING", ("", "--jump cali-PREROUTING"))
    mangle.cali("cali-PREROUTING",
                ("-m conntrack --ctstate RELATED,ESTABLISHED", "--jump ACCEPT"),
                (is_set(ACCEPT), "--jump ACCEPT"),
                ("", "--jump cali-from-host-endpoint"),
                ("Host endpoint policy accepted packet.", is_set(ACCEPT), "--jump ACCEPT"))
    mangle.cali("cali-from-host-endpoint")
    mangle.cali("cali-failsafe-in", *failsafe(FAILSAFE_IN, []))


def calico_nat(nat):
    nat.cali("PREROUTING", ("", "--jump cali-PREROUTING"))
    nat.cali("OUTPUT", ("", "--jump cali-OUTPUT"))
    nat.cali("POSTROUTING", ("", "--jump cali-POSTROUTING"))
    nat.cali("cali-PREROUTING", ("", "--jump cali-fip-dnat"))
    nat.cali("cali-OUTPUT", ("", "--jump cali-fip-dnat"))
    nat.cali("cali-POSTROUTING",
             ("", "--jump cali-fip-snat"),
             ("", "--jump cali-nat-outgoing"),
             ("--out-interface tunl0 -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL",
              "--jump MASQUERADE"))
    nat.cali("cali-fip-dnat")
    nat.cali("cali-fip-snat")
    nat.cali("cali-nat-outgoing",
             ("-m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst",
              "--jump MASQUERADE"))


def dispatch(table, chain, option, prefix, names):
    """Calico's tree of one level: a chain for each next letter that several interfaces share."""
    drop = ("Unknown interface", "", "--jump DROP")
    common = os.path.commonprefix(names)
    groups = {}
    for name in sorted(names):
        groups.setdefault(name[: len(common) + 1], []).append(name)
    root = []
    for start, members in groups.items():
        rules = [(f"{option} {name}", "--goto " + cali_chain(prefix, name)) for name in members]
        if len(members) == 1:
            root += rules
        else:
            child = f"{chain}-{start[len(common):]}"
            table.cali(child, *rules, drop)
            root.append((f"{option} {start}+", "--goto " + child))
    table.cali(chain, *root, drop)


def endpoint(profiles, policies, direction, outgoing):
    rules = [
        ("-m conntrack --ctstate RELATED,ESTABLISHED", "--jump ACCEPT"),
        ("-m conntrack --ctstate INVALID", "--jump DROP"),
        ("", clear(ACCEPT)),
    ]
    if outgoing:
        rules.append(("Drop IPinIP encapped packets originating in pods", "-p 4", "--jump DROP"))
    if policies:
        rules.append(("Start of policies", "", clear(PASS)))
        for policy in policies:
            rules.append((is_clear(PASS), "--jump " + cali_chain(f"cali-p{direction}-", policy)))
            rules.append(("Return if policy accepted", is_set(ACCEPT), "--jump RETURN"))
        rules.append(("Drop if no policies passed packet", is_clear(PASS), "--jump DROP"))
    for profile in profiles:
        rules.append(("", "--jump " + cali_chain(f"cali-pr{direction}-", profile)))
        rules.append(("Return if profile accepted", is_set(ACCEPT), "--jump RETURN"))
    return rules + [("Drop if no profiles matched", "", "--jump DROP")]


def calico_filter(table):
    local = "-m addrtype --dst-type LOCAL"
    hosts = "cali40all-hosts-net"
    for chain in ("INPUT", "FORWARD", "OUTPUT"):
        table.cali(chain, ("", f"--jump cali-{chain}"))
    table.cali("cali-INPUT",
               ("Allow IPIP packets from Calico hosts", f"-p 4 -m set --match-set {hosts} src {local}", "--jump ACCEPT"),
               ("Drop IPIP packets from non-Calico hosts", "-p 4", "--jump DROP"),
               ("--in-interface cali+", "--goto cali-wl-to-host"),
               (is_set(ACCEPT), "--jump ACCEPT"),
               ("", clear(ALL_MARKS)),
               ("", "--jump cali-from-host-endpoint"),
               ("Host endpoint policy accepted packet.", is_set(ACCEPT), "--jump ACCEPT"))
    table.cali("cali-wl-to-host",
               ("", "--jump cali-from-wl-dispatch"),
               ("Configured DefaultEndpointToHostAction", "", "--jump ACCEPT"))
    table.cali("cali-FORWARD",
               ("", clear(ALL_MARKS & ~ACCEPT)),
               (is_clear(ACCEPT), "--jump cali-from-hep-forward"),
               ("--in-interface cali+", "--jump cali-from-wl-dispatch"),
               ("--out-interface cali+", "--jump cali-to-wl-dispatch"),
               ("", "--jump cali-to-hep-forward"),
               ("Policy explicitly accepted packet.", is_set(ACCEPT), "--jump ACCEPT"))
    table.cali("cali-OUTPUT",
               (is_set(ACCEPT), "--jump ACCEPT"),
               ("--out-interface cali+", "--jump RETURN"),
               ("Allow IPIP packets to other Calico hosts",
                f"-p 4 -m set --match-set {hosts} dst -m addrtype --src-type LOCAL", "--jump ACCEPT"),
               ("", clear(ALL_MARKS)),
               ("", "--jump cali-to-host-endpoint"),
               ("Host endpoint policy accepted packet.", is_set(ACCEPT), "--jump ACCEPT"))
    for chain in ("from-host-endpoint", "to-host-endpoint", "from-hep-forward", "to-hep-forward"):
        table.cali("cali-" + chain)
    table.cali("cali-failsafe-in", *failsafe(FAILSAFE_IN, []))
    table.cali("cali-failsafe-out", *failsafe(FAILSAFE_OUT, []))

    names = [cali_interface(namespace, pod) for namespace, pod, *_ in PODS]
    dispatch(table, "cali-from-wl-dispatch", "--in-interface", "cali-fw-", names)
    dispatch(table, "cali-to-wl-dispatch", "--out-interface", "cali-tw-", names)
    profiles = {}
    for (namespace, _, _, account, policies), name in zip(PODS, names):
        own = [f"kns.{namespace}", f"ksa.{namespace}.{account}"]
        profiles.update(dict.fromkeys(own))
        table.cali(cali_chain("cali-tw-", name), *endpoint(own, policies, "i", False))
        table.cali(cali_chain("cali-fw-", name), *endpoint(own, [], "o", True))
    allow = [("", set_mark(ACCEPT)), (is_set(ACCEPT), "--jump RETURN")]
    for profile in profiles:
        for prefix in ("cali-pri-", "cali-pro-"):
            table.cali(cali_chain(prefix, profile), *(allow if profile.startswith("kns.") else []))
    web = cali_set("s", WEB_SELECTOR)
    table.cali(cali_chain("cali-pi-", REDIS_POLICY),
               (f"-p tcp -m set --match-set {web} src -m multiport --destination-ports 6379", set_mark(ACCEPT)),
               (is_set(ACCEPT), "--jump RETURN"))
    table.cali(cali_chain("cali-po-", REDIS_POLICY))


# ---------------------------------------------------------------- kube-proxy 1.11 and kubelet

def kube_nat(nat, article):
    portals = [line for line in article if line.startswith(("-A PREROUTING", "-A OUTPUT"))]
    nat.add_lines(portals)
    nat.add("POSTROUTING", '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING')
    nat.add("KUBE-MARK-DROP", "-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000")
    nat.add("KUBE-MARK-MASQ", "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000")
    nat.add("KUBE-POSTROUTING", '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT"'
            " -m mark --mark 0x4000/0x4000 -j MASQUERADE")
    for service in SERVICES:
        if service["name"] == "kube-dns":
            kube_dns(nat, [line for line in article if line not in portals])
        elif service["endpoints"]:
            kube_service(nat, **service)
    nat.add("KUBE-SERVICES", '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be'
            ' the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS')


def kube_dns(nat, article):
    for port, proto in (("dns", "udp"), ("dns-tcp", "tcp")):
        name = "kube-system/kube-dns:" + port
        chain = "KUBE-SEP-" + kube_hash(name + proto + KUBE_DNS)
        host = KUBE_DNS.split(":")[0]
        nat.add(chain, f'-A {chain} -s {host}/32 -m comment --comment "{name}" -j KUBE-MARK-MASQ')
    nat.add_lines(article)


def kube_service(nat, name, ip, port, endpoints, node_port=None, load_balancer=None, source_ranges=(),
                 from_node=False, affinity=None):
    chain = "KUBE-SVC-" + kube_hash(name + "tcp")
    tail = f"-m tcp --dport {port}"
    cluster = f'-d {ip}/32 -p tcp -m comment --comment "{name} cluster IP" {tail}'
    nat.add("KUBE-SERVICES", f"-A KUBE-SERVICES ! -s {CLUSTER_CIDR} {cluster} -j KUBE-MARK-MASQ",
            f"-A KUBE-SERVICES {cluster} -j {chain}")
    if load_balancer:
        wall = "KUBE-FW-" + kube_hash(name + "tcp")
        comment = f'-m comment --comment "{name} loadbalancer IP"'
        nat.add("KUBE-SERVICES", f"-A KUBE-SERVICES -d {load_balancer}/32 -p tcp {comment} {tail} -j {wall}")
        nat.add(wall, f"-A {wall} {comment} -j KUBE-MARK-MASQ")
        for source in list(source_ranges) + ([load_balancer + "/32"] if from_node else []):
            nat.add(wall, f"-A {wall} -s {source} {comment} -j {chain}")
        nat.add(wall, f"-A {wall} {comment} -j KUBE-MARK-DROP")
    if node_port:
        match = f'-A KUBE-NODEPORTS -p tcp -m comment --comment "{name}" -m tcp --dport {node_port}'
        nat.add("KUBE-NODEPORTS", match + " -j KUBE-MARK-MASQ", match + " -j " + chain)
    comment = f'-m comment --comment "{name}"'
    seps = ["KUBE-SEP-" + kube_hash(name + "tcp" + endpoint) for endpoint in endpoints]
    if affinity:
        for sep in seps:
            nat.add(chain, f"-A {chain} {comment} -m recent --rcheck --seconds {affinity} --reap --name {sep}"
                    f" --mask 255.255.255.255 --rsource -j {sep}")
    for index, (endpoint, sep) in enumerate(zip(endpoints, seps)):
        left = len(endpoints) - index
        chance = f" -m statistic --mode random --probability {1 / left:.5f}" if left > 1 else ""
        nat.add(chain, f"-A {chain} {comment}{chance} -j {sep}")
        recent = f" -m recent --set --name {sep} --mask 255.255.255.255 --rsource" if affinity else ""
        nat.add(sep, f"-A {sep} -s {endpoint.split(':')[0]}/32 {comment} -j KUBE-MARK-MASQ",
                f"-A {sep} -p tcp {comment}{recent} -m tcp -j DNAT --to-destination {endpoint}")


def kube_filter(table):
    table.add_lines([
        '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals"'
        " -j KUBE-EXTERNAL-SERVICES",
        "-A INPUT -j KUBE-FIREWALL",
        '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
        '-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        "-A OUTPUT -j KUBE-FIREWALL",
        '-A KUBE-FIREWALL -m comment --comment "kubernetes firewall for dropping marked packets"'
        " -m mark --mark 0x8000/0x8000 -j DROP",
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
        f'-A KUBE-FORWARD -s {CLUSTER_CIDR} -m comment --comment "kubernetes forwarding conntrack pod source rule"'
        " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f'-A KUBE-FORWARD -d {CLUSTER_CIDR} -m comment --comment "kubernetes forwarding conntrack pod destination rule"'
        " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ])
    refuse = "-j REJECT --reject-with icmp-port-unreachable"
    for service in SERVICES:
        if service["name"] == "kube-dns" or service["endpoints"]:
            continue
        comment = f'-m comment --comment "{service["name"]} has no endpoints"'
        table.add("KUBE-EXTERNAL-SERVICES", f"-A KUBE-EXTERNAL-SERVICES -p tcp {comment} -m addrtype --dst-type LOCAL"
                  f" -m tcp --dport {service['node_port']} {refuse}")
        table.add("KUBE-SERVICES", f"-A KUBE-SERVICES -d {service['ip']}/32 -p tcp {comment}"
                  f" -m tcp --dport {service['port']} {refuse}")


# ---------------------------------------------------------------- Docker 18.09 with swarm

BRIDGES = [("docker0", "172.17.0.0/16", "ACCEPT"), ("docker_gwbridge", "172.18.0.0/16", "DROP")]


def docker_filter(table):
    forward = ["-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-INGRESS", "-A FORWARD -j DOCKER-ISOLATION-STAGE-1"]
    for bridge, _, between in BRIDGES:
        forward += [
            f"-A FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            f"-A FORWARD -o {bridge} -j DOCKER",
            f"-A FORWARD -i {bridge} ! -o {bridge} -j ACCEPT",
            f"-A FORWARD -i {bridge} -o {bridge} -j {between}",
        ]
        table.add("DOCKER-ISOLATION-STAGE-1", f"-A DOCKER-ISOLATION-STAGE-1 -i {bridge} ! -o {bridge}"
                  " -j DOCKER-ISOLATION-STAGE-2")
        table.add("DOCKER-ISOLATION-STAGE-2", f"-A DOCKER-ISOLATION-STAGE-2 -o {bridge} -j DROP")
    table.add_lines(forward)
    table.add_lines([
        "-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 2376 -j ACCEPT",
        "-A DOCKER-INGRESS -p tcp -m tcp --dport 8000 -j ACCEPT",
        "-A DOCKER-INGRESS -p tcp -m state --state RELATED,ESTABLISHED -m tcp --sport 8000 -j ACCEPT",
        "-A DOCKER-INGRESS -j RETURN",
        "-A DOCKER-ISOLATION-STAGE-1 -j RETURN",
        "-A DOCKER-ISOLATION-STAGE-2 -j RETURN",
        "-A DOCKER-USER -j RETURN",
    ])


def docker_nat(nat):
    nat.add_lines([
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "-A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
        "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
        "-A POSTROUTING -o docker_gwbridge -m addrtype --src-type LOCAL -j MASQUERADE",
        "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
        "-A POSTROUTING -s 172.18.0.0/16 ! -o docker_gwbridge -j MASQUERADE",
        "-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 2376 -j MASQUERADE",
        "-A DOCKER -i docker0 -j RETURN",
        "-A DOCKER -i docker_gwbridge -j RETURN",
        "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 12376 -j DNAT --to-destination 172.17.0.2:2376",
        "-A DOCKER-INGRESS -p tcp -m tcp --dport 8000 -j DNAT --to-destination 172.18.0.2:8000",
        "-A DOCKER-INGRESS -j RETURN",
    ])


def sets():
    for name, kind, members in SETS + [(cali_set("s", WEB_SELECTOR), "hash:net", WEB_PODS)]:
        yield f"create {name} {kind} family inet hashsize 1024 maxelem 1048576 bucketsize 12 initval 0x20190415"
        for member in members:
            yield f"add {name} {member}"


def rules():
    with open(os.path.join(HERE, "article.txt")) as file:
        article = [line.rstrip("\n").replace('-m comment -- "', '-m comment --comment "') for line in file]
    article = [line for line in article if line]

    raw = Table("raw", [("PREROUTING", "ACCEPT"), ("OUTPUT", "ACCEPT")])
    mangle = Table("mangle", [(chain, "ACCEPT") for chain in
                              ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")])
    nat = Table("nat", [(chain, "ACCEPT") for chain in ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING")])
    table = Table("filter", [("INPUT", "ACCEPT"), ("FORWARD", "DROP"), ("OUTPUT", "ACCEPT")])

    # Each program puts its jumps at the head of a chain: the one that started last comes first.
    calico_raw(raw)
    calico_mangle(mangle)
    calico_nat(nat)
    kube_nat(nat, article)
    docker_nat(nat)
    calico_filter(table)
    kube_filter(table)
    docker_filter(table)

    text = "".join(each.text() for each in (raw, mangle, nat, table))
    lines = text.split("\n")
    missing = [line for line in article if lines.count(line) != 1]
    assert not missing, missing
    return text.rstrip("\n")


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "rules"
    if what == "rules":
        print(rules())
    elif what == "sets":
        print("\n".join(sets()))
    elif what == "pods":
        for namespace, pod, address, *_ in PODS:
            print(cali_interface(namespace, pod), address)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
