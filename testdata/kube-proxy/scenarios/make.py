#!/usr/bin/env python3
"""Write the scenarios that kube-proxy's own tests assert, as objects and flows of our own.

usage: make.py          writes *.json and dumps.toml here, and ../../flows/scenario-*.toml

The groups are those of kube-proxy's proxier_test.go; addresses, names and answers are our own. The answers are
said here from what the Services ask for, without looking at any rule. The rules (*.save) are the test kit's
writer's: `HOOKWALK_BLESS=1 cargo test -p hookwalk-kube --test scenarios` writes them.
"""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
FLOWS = HERE.parent.parent / "flows"
NODE, SECOND = "192.168.0.2", "192.168.1.2"
POD, OUTSIDE, BLOCKED = "10.0.0.2", "203.0.113.2", "203.0.113.130"
LOCAL, REMOTE = "10.180.0.1", "10.180.1.1"
HALF = ["1073741824/2147483648"] * 2

NOTE = """\
# Made by ../kube-proxy/scenarios/make.py: {title}.
# The rules are those that kube-proxy {version} writes for ../kube-proxy/scenarios/{name}.json.
# In a kernel: eth0 and cni0 with the addresses and routes of the two context files (cni0 stands for all Pods'
# interfaces), ip_forward on, {localnet}reverse path filters off. Packets without `in` are sent by a local process.
"""


# ---------------------------------------------------------------- objects

def service(name, ip, port=80, *, node_port=0, balancers=(), externals=(), ranges=(), internal="Cluster",
            external="Cluster", health=0, proto="TCP", port_name="p", target=8080, endpoints=(), more_ports=()):
    family = 6 if ":" in ip else 4
    kind = "LoadBalancer" if balancers else "NodePort" if node_port else "ClusterIP"
    ports = [dict(name=port_name, protocol=proto, port=port, targetPort=target, nodePort=node_port)]
    ports += [dict(name=n, protocol=p, port=number, targetPort=t, nodePort=0) for n, p, number, t in more_ports]
    slice_ports = [dict(name=p["name"], protocol=p["protocol"], port=p["targetPort"]) for p in ports]
    for entry in ports:
        if not entry["nodePort"]:
            del entry["nodePort"]
    spec = dict(type=kind, clusterIP=ip, clusterIPs=[ip], ipFamilies=[f"IPv{family}"], ports=ports,
                internalTrafficPolicy=internal, sessionAffinity="None")
    if kind != "ClusterIP" or externals:
        spec["externalTrafficPolicy"] = external
    for key, value in (("externalIPs", list(externals)), ("loadBalancerSourceRanges", list(ranges)),
                       ("healthCheckNodePort", health)):
        if value:
            spec[key] = value
    ingress = dict(ingress=[dict(ip=b) for b in balancers]) if balancers else {}
    listed = []
    for address, node, *state in endpoints:
        ready, serving, terminating = {"": (True, True, False), "terminating": (False, True, True),
                                       "ending": (False, False, True), "waiting": (False, False, False)}[
                                           state[0] if state else ""]
        listed.append(dict(addresses=[address], nodeName=node,
                           conditions=dict(ready=ready, serving=serving, terminating=terminating)))
    namespace = "test"
    return [
        dict(apiVersion="v1", kind="Service", metadata=dict(name=name, namespace=namespace), spec=spec,
             status=dict(loadBalancer=ingress)),
        dict(apiVersion="discovery.k8s.io/v1", kind="EndpointSlice", addressType=f"IPv{family}",
             metadata=dict(name=name + "-x", namespace=namespace,
                           labels={"kubernetes.io/service-name": name}),
             endpoints=listed, ports=slice_ports),
    ]


BOTH = [(LOCAL, "node-a"), (REMOTE, "node-b")]


# ---------------------------------------------------------------- flows

def packet(kind, dst, dport, proto="tcp", src=None):
    where = {"pod": ("cni0", POD), "outside": ("eth0", OUTSIDE), "blocked": ("eth0", BLOCKED),
             "node": (None, NODE), "localhost": (None, "127.0.0.1"),
             "pod6": ("cni0", "fd00:10::100"), "outside6": ("eth0", "2600:5200::1"),
             "node6": (None, "2001:db8::1"), "localhost6": (None, "::1")}[kind]
    arrives = f'in = "{where[0]}", ' if where[0] else ""
    return (f'{{ {arrives}src = "{src or where[1]}", dst = "{dst}", proto = "{proto}", sport = 40000, '
            f'dport = {dport} }}')


def to(kind, *endpoints, masquerade=False, port=8080, own=()):
    """Delivered: to each endpoint alike. `masquerade` is for all, or the list of those it is for."""
    shares = ["1/1"] if len(endpoints) == 1 else HALF
    verdict = "sent" if kind.startswith(("node", "localhost")) else "forwarded"
    return [dict(probability=share, verdict=verdict, dst=endpoint, dport=port, dnat=True,
                 masquerade=masquerade if isinstance(masquerade, bool) else endpoint in masquerade)
            for share, endpoint in zip(shares, endpoints)]


def rejected(family=4):
    return [dict(probability="1/1", verdict="rejected", dnat=False,
                 reject_with="icmp-port-unreachable" if family == 4 else "icmp6-port-unreachable")]


def dropped():
    return [dict(probability="1/1", verdict="dropped", dnat=False)]


def untouched(verdict):
    return [dict(probability="1/1", verdict=verdict, dnat=False, masquerade=False)]


class File:
    """One dump with its flows."""

    count = 0
    dumps = []

    def __init__(self, name, title, objects, version="1.30", family=4, **config):
        self.name, self.objects, self.flows = name, objects, []
        self.note = NOTE.format(title=title, version=version, name=name,
                                localnet="route_localnet on, " if config.get("localhost_nodeports", True) else "")
        self.family, self.localnet = family, config.get("localhost_nodeports", True)
        File.dumps.append(dict(name=name, version=version, family=family, **config))

    def flow(self, name, packet, outcomes):
        File.count += 1
        lines = ["", "[[flow]]", f'name = "{name}"', f"packet = {packet}"]
        for outcome in outcomes:
            lines.append("[[flow.outcome]]")
            for key, value in outcome.items():
                shown = str(value).lower() if isinstance(value, bool) else json.dumps(value)
                lines.append(f"{key} = {shown}")
        self.flows += lines

    def write(self):
        text = dict(apiVersion="v1", kind="List", items=[item for group in self.objects for item in group])
        (HERE / f"{self.name}.json").write_text(json.dumps(text, indent=1) + "\n")
        context = [f'dumps = ["kube-proxy/scenarios/{self.name}.save"]', "", "[context]",
                   f'addr = ["flows/context/scenario-addr.txt"]', f'route = ["flows/context/scenario-route.txt"]']
        if self.localnet:
            context.append('sysctl = ["net.ipv4.conf.all.route_localnet = 1"]')
        body = "\n".join([self.note] + context + self.flows) + "\n"
        (FLOWS / f"scenario-{self.name}.toml").write_text(body)


def general():
    lb = dict(balancers=["1.2.3.4"], node_port=30001)
    file = File("general", "no endpoints, cluster IPs, load balancers, health checks, external policies", [
        service("one", "172.30.0.41", endpoints=[(REMOTE, "node-b")]),
        service("two", "172.30.0.42", endpoints=BOTH),
        service("here", "172.30.0.43", endpoints=[(LOCAL, "node-a")]),
        service("empty", "172.30.0.44", node_port=30044, balancers=["1.2.3.44"], externals=["192.168.99.44"]),
        service("target", "172.30.0.45", 80, target=9999, endpoints=[(REMOTE, "node-b")]),
        service("same-port", "172.30.0.46", 53, port_name="t", target=53, endpoints=[(REMOTE, "node-b")],
                more_ports=[("u", "UDP", 53, 5353), ("s", "SCTP", 53, 5354)]),
        service("tcp-only", "172.30.0.47", endpoints=[(REMOTE, "node-b")]),
        service("ranges", "172.30.0.48", node_port=30048, balancers=["1.2.3.4", "5.6.7.8"],
                ranges=["192.168.0.0/24", "203.0.113.0/25"], endpoints=[(REMOTE, "node-b")]),
        service("local", "172.30.0.49", node_port=30049, balancers=["9.10.11.12"], externals=["192.168.99.49"],
                external="Local", health=32049, endpoints=BOTH),
        service("cluster", "172.30.0.50", node_port=30050, balancers=["9.10.11.13"], externals=["192.168.99.50"],
                endpoints=BOTH),
        service("elsewhere", "172.30.0.51", node_port=30051, balancers=["9.10.11.14"], external="Local",
                health=32051, endpoints=[(REMOTE, "node-b")]),
    ], localhost_nodeports=True)
    flow = file.flow
    # What kube-proxy's test of its own tracer asks.
    flow("trace: an address of no Service", packet("pod", "10.180.1.9", 80), untouched("forwarded"))
    flow("trace: one endpoint", packet("pod", "172.30.0.41", 80), to("pod", REMOTE))
    flow("trace: two endpoints", packet("pod", "172.30.0.42", 80), to("pod", LOCAL, REMOTE))
    flow("trace: node port at the node's address", packet("outside", NODE, 30050),
         to("outside", LOCAL, REMOTE, masquerade=True))
    flow("trace: dropped", packet("outside", "9.10.11.14", 80), dropped())
    flow("trace: health check accepted", packet("outside", NODE, 32049), untouched("local"))
    flow("trace: rejected", packet("pod", "172.30.0.44", 80), rejected())

    flow("no endpoints: Pod to cluster IP", packet("pod", "172.30.0.44", 80), rejected())
    flow("no endpoints: outside to external IP", packet("outside", "192.168.99.44", 80), rejected())
    flow("no endpoints: Pod to node port", packet("pod", NODE, 30044), rejected())
    flow("no endpoints: outside to node port", packet("outside", NODE, 30044), rejected())
    flow("no endpoints: Pod to load balancer", packet("pod", "1.2.3.44", 80), rejected())
    flow("no endpoints: outside to load balancer", packet("outside", "1.2.3.44", 80), rejected())

    flow("cluster IP: simple", packet("pod", "172.30.0.41", 80), to("pod", REMOTE))
    flow("cluster IP: hairpin", packet("pod", "172.30.0.43", 80, src=LOCAL), to("pod", LOCAL, masquerade=True))
    flow("cluster IP: hairpin with two endpoints", packet("pod", "172.30.0.42", 80, src=LOCAL),
         to("pod", LOCAL, REMOTE, masquerade=[LOCAL]))
    flow("cluster IP: two endpoints", packet("pod", "172.30.0.42", 80), to("pod", LOCAL, REMOTE))
    flow("cluster IP: another target port", packet("pod", "172.30.0.45", 80), to("pod", REMOTE, port=9999))
    flow("cluster IP: one port by TCP", packet("pod", "172.30.0.46", 53), to("pod", REMOTE, port=53))
    flow("cluster IP: one port by UDP", packet("pod", "172.30.0.46", 53, "udp"), to("pod", REMOTE, port=5353))
    flow("cluster IP: one port by SCTP", packet("pod", "172.30.0.46", 53, "sctp"), to("pod", REMOTE, port=5354))
    flow("cluster IP: UDP to a TCP port", packet("pod", "172.30.0.47", 80, "udp"), untouched("forwarded"))
    flow("cluster IP: the port of another Service", packet("pod", "172.30.0.47", 53), untouched("forwarded"))

    flow("load balancer: Pod to cluster IP", packet("pod", "172.30.0.48", 80), to("pod", REMOTE))
    flow("load balancer: outside to node port", packet("outside", NODE, 30048),
         to("outside", REMOTE, masquerade=True))
    flow("load balancer: node port does not ask for source ranges", packet("blocked", NODE, 30048),
         to("outside", REMOTE, masquerade=True))
    for ip in ("1.2.3.4", "5.6.7.8"):
        flow(f"load balancer: allowed client to {ip}", packet("outside", ip, 80),
             to("outside", REMOTE, masquerade=True))
        flow(f"load balancer: other client to {ip}", packet("blocked", ip, 80), dropped())
        flow(f"load balancer: Pod, which is not in a range, to {ip}", packet("pod", ip, 80), dropped())
        flow(f"load balancer: node, which is, to {ip}", packet("node", ip, 80), to("node", REMOTE, masquerade=True))
        flow(f"load balancer: node to {ip} from that address", packet("node", ip, 80, src=ip),
             to("node", REMOTE, masquerade=True))

    flow("health check: accepted while the Service is there", packet("outside", NODE, 32049), untouched("local"))

    flow("external Local: Pod to cluster IP", packet("pod", "172.30.0.49", 80), to("pod", LOCAL, REMOTE))
    for word, ip, port in (("external IP", "192.168.99.49", 80), ("load balancer", "9.10.11.12", 80),
                           ("node port", NODE, 30049)):
        flow(f"external Local: Pod to {word}", packet("pod", ip, port), to("pod", LOCAL, REMOTE))
        flow(f"external Local: outside to {word}", packet("outside", ip, port), to("outside", LOCAL))
    flow("external Cluster: Pod to cluster IP", packet("pod", "172.30.0.50", 80), to("pod", LOCAL, REMOTE))
    for word, ip, port in (("external IP", "192.168.99.50", 80), ("load balancer", "9.10.11.13", 80),
                           ("node port", NODE, 30050)):
        flow(f"external Cluster: Pod to {word}", packet("pod", ip, port),
             to("pod", LOCAL, REMOTE, masquerade=True))
        flow(f"external Cluster: outside to {word}", packet("outside", ip, port),
             to("outside", LOCAL, REMOTE, masquerade=True))
    file.write()

    gone = File("health-check-gone", "a health check's Service is gone",
                [service("other", "172.30.0.41", endpoints=[(REMOTE, "node-b")])])
    # What no rule of kube-proxy answers for comes to the node itself, whose policy accepts.
    gone.flow("health check: nothing once the Service is gone", packet("outside", NODE, 32049),
              [dict(probability="1/1", verdict="local", decided_by="filter/INPUT/policy")])
    gone.write()


def node_ports():
    configs = [
        ("v4", 4, {}, "masquerade", True),
        ("v4-no-localhost", 4, dict(localhost_nodeports=False), "ignored", True),
        ("v4-one-address", 4, dict(nodeport_addresses=[NODE]), "ignored", False),
        ("v4-one-address-and-localhost", 4, dict(nodeport_addresses=[NODE, "127.0.0.1"]), "masquerade", False),
        ("v6", 6, {}, "ignored", True),
        ("v6-no-localhost", 6, dict(localhost_nodeports=False), "ignored", True),
        ("v6-one-address", 6, dict(nodeport_addresses=["2001:db8::1"]), "ignored", False),
    ]
    for name, family, config, localhost, second in configs:
        six = "6" if family == 6 else ""
        ip, pods = ("172.30.0.41", BOTH) if family == 4 else \
            ("fd00:172:30::41", [("fd00:10::1", "node-a"), ("fd00:10::1:1", "node-b")])
        own, other, home = (NODE, SECOND, "127.0.0.1") if family == 4 else ("2001:db8::1", "2001:db8:1::2", "::1")
        first, last = (LOCAL, REMOTE) if family == 4 else ("fd00:10::1", "fd00:10::1:1")
        if family == 6:
            first, last = last, first  # by their text: `[fd00:10::1:1]:8080` sorts before `[fd00:10::1]:8080`
        file = File(f"node-ports-{name}", f"node ports, {name}",
                    [service("web", ip, node_port=30041, endpoints=pods)], family=family, **config)
        file.flow("Pod to cluster IP", packet("pod" + six, ip, 80), to("pod", first, last))
        file.flow("outside to node port", packet("outside" + six, own, 30041),
                  to("outside", first, last, masquerade=True))
        file.flow("node to its node port", packet("node" + six, own, 30041), to("node", first, last, masquerade=True))
        file.flow("localhost to node port", packet("localhost" + six, home, 30041),
                  to("localhost", first, last, masquerade=True) if localhost == "masquerade"
                  else untouched("local"))
        file.flow("outside to node port at the second address", packet("outside" + six, other, 30041),
                  to("outside", first, last, masquerade=True) if second else untouched("local"))
        file.write()


def internal_policy():
    def services(empty):
        some = lambda *endpoints: [] if empty else list(endpoints)
        return [
            service("cluster", "172.30.0.1", endpoints=some(*BOTH)),
            service("one", "172.30.0.2", internal="Local", endpoints=some(*BOTH)),
            service("both", "172.30.0.3", internal="Local",
                    endpoints=some((LOCAL, "node-a"), ("10.180.0.3", "node-a"), (REMOTE, "node-b"))),
            service("none", "172.30.0.4", internal="Local", endpoints=some((REMOTE, "node-b"))),
        ]
    file = File("internal-policy", "internal traffic policies", services(False))
    file.flow("Cluster", packet("pod", "172.30.0.1", 80), to("pod", LOCAL, REMOTE))
    file.flow("Local with one local endpoint", packet("pod", "172.30.0.2", 80), to("pod", LOCAL))
    file.flow("Local with two local endpoints", packet("pod", "172.30.0.3", 80), to("pod", LOCAL, "10.180.0.3"))
    file.flow("Local without a local endpoint", packet("pod", "172.30.0.4", 80), dropped())
    file.write()
    file = File("internal-policy-empty", "the same once the endpoints are gone", services(True))
    for number, word in enumerate(("Cluster", "Local, one before", "Local, two before", "Local, none before"), 1):
        file.flow(f"{word}: no endpoints", packet("pod", f"172.30.0.{number}", 80), rejected())
    file.write()


def terminating():
    second, third = "10.180.0.2", "10.180.1.2"
    sets = [
        ("ready", [(LOCAL, "node-a"), (second, "node-a", "terminating"), (REMOTE, "node-b"),
                   (third, "node-b", "terminating")], [LOCAL, REMOTE], [LOCAL]),
        ("only terminating", [(LOCAL, "node-a", "terminating"), (second, "node-a", "ending"),
                              (REMOTE, "node-b", "terminating"), (third, "node-b", "ending")],
         [LOCAL, REMOTE], [LOCAL]),
        ("terminating elsewhere", [(REMOTE, "node-b", "terminating"), (third, "node-b", "ending")], [REMOTE], []),
        ("none that serves", [(second, "node-a", "ending"), (REMOTE, "node-b", "waiting")], [], []),
        ("none at all", [], [], []),
    ]
    objects, flows = [], []
    for policy in ("Local", "Cluster"):
        for number, (word, endpoints, cluster, local) in enumerate(sets, 1 if policy == "Local" else 11):
            ip, balancer, node_port = f"172.30.0.{number}", f"1.2.3.{number}", 30000 + number
            objects.append(service(f"svc-{number}", ip, node_port=node_port, balancers=[balancer], external=policy,
                                   health=32000 + number if policy == "Local" else 0, endpoints=endpoints))
            inside = to("pod", *cluster) if cluster else rejected()
            if not cluster:
                outside = rejected()
            elif policy == "Cluster":
                outside = to("outside", *cluster, masquerade=True)
            else:
                outside = to("outside", *local) if local else dropped()
            flows.append((f"{policy}, {word}: Pod to cluster IP", packet("pod", ip, 80), inside))
            flows.append((f"{policy}, {word}: outside to load balancer", packet("outside", balancer, 80), outside))
            flows.append((f"{policy}, {word}: outside to node port", packet("outside", NODE, node_port), outside))
        # A Pod at a load balancer is served by all, under Local without masquerading.
        number = 2 if policy == "Local" else 12
        flows.append((f"{policy}, only terminating: Pod to load balancer", packet("pod", f"1.2.3.{number}", 80),
                      to("pod", LOCAL, REMOTE, masquerade=policy == "Cluster")))
    file = File("terminating", "endpoints that terminate, under both external policies", objects)
    for one in flows:
        file.flow(*one)
    file.write()


def masquerade():
    services = [
        service("plain", "172.30.0.1", node_port=30001, balancers=["1.2.3.1"], endpoints=BOTH),
        service("external-local", "172.30.0.2", node_port=30002, balancers=["1.2.3.2"], external="Local",
                health=32002, endpoints=BOTH),
        service("internal-local", "172.30.0.3", node_port=30003, balancers=["1.2.3.3"], internal="Local",
                endpoints=BOTH),
    ]
    for name, detects, everything in (("base", True, False), ("no-detector", False, False),
                                      ("masquerade-all", True, True), ("both", False, True)):
        config = {} if detects else dict(detector="none")
        config.update(masquerade_all=True) if everything else None
        file = File(f"masquerade-{name}", f"who is masqueraded, {name}", services, **config)
        for number, word in ((1, "plain"), (2, "external Local"), (3, "internal Local")):
            ip, balancer, port = f"172.30.0.{number}", f"1.2.3.{number}", 30000 + number
            inside = [LOCAL] if number == 3 else [LOCAL, REMOTE]
            for kind in ("pod", "node", "outside"):
                hidden = everything or (detects and kind != "pod")
                file.flow(f"{word}: {kind} to cluster IP", packet(kind, ip, 80), to(kind, *inside, masquerade=hidden))
            for kind in ("pod", "node", "localhost", "outside"):
                for target, dst, dport in (("node port", NODE, port), ("load balancer", balancer, 80)):
                    if kind == "localhost" and target == "load balancer":
                        continue
                    dst = "127.0.0.1" if kind == "localhost" else dst
                    endpoints, hidden = [LOCAL, REMOTE], True
                    if number == 2 and kind == "pod":
                        endpoints, hidden = ([LOCAL, REMOTE] if detects else [LOCAL]), False
                    if number == 2 and kind == "outside":
                        endpoints, hidden = [LOCAL], False
                    file.flow(f"{word}: {kind} to {target}", packet(kind, dst, dport),
                              to(kind, *endpoints, masquerade=hidden))
        file.write()


def dumps():
    lines = ["# What each dump of this folder is written with; detector: the cluster's CIDR unless it says none."]
    for dump in File.dumps:
        lines.append("\n[[dump]]")
        for key, value in dump.items():
            lines.append(f"{key} = {json.dumps(value)}")
    (HERE / "dumps.toml").write_text("\n".join(lines) + "\n")


general()
node_ports()
internal_policy()
terminating()
masquerade()
dumps()
print(f"{File.count} flows over {len(File.dumps)} dumps")
