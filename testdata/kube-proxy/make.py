#!/usr/bin/env python3
"""Write what kube-proxy 1.30 (iptables mode) writes for the services below.

usage: make.py (4 | 6) (rules | table | json)

rules: the restore input, built-in chains with their jumps included; table: the services, for people;
json: the Service, EndpointSlice and Node objects as a List, as kubectl prints one.

Kube-proxy's settings: --cluster-cidr, masquerade bit 14, node ports on localhost (IPv4), no --masquerade-all.
"""

import base64
import hashlib
import ipaddress
import json
import sys

NODE = "node-1"
MASQUERADE = "0x00004000"

FAMILIES = {
    4: dict(node_ip="192.0.2.10", control_ip="192.0.2.5", cluster_cidr="10.64.0.0/16",
            cluster_ip="10.96.0.{}", pod="10.64.{}.{}", balancer="203.0.113.{}", external="198.51.100.{}",
            clients="198.18.0.0/15", nodes="192.0.2.0/24"),
    6: dict(node_ip="2001:db8::10", control_ip="2001:db8::5", cluster_cidr="fd00:64::/48",
            cluster_ip="fd00:96::{:x}", pod="fd00:64:0:{}::{:x}", balancer="2001:db8:203::{:x}",
            external="2001:db8:198::{:x}", clients="2001:db8:18::/48", nodes="2001:db8::/64"),
}

# Endpoints are (node, host part): node 0 is this node, 1 and 2 are others. "control" is the API server's address.
# The order is that of no sort: kube-proxy walks a map, so its own order is by chance.
SERVICES = [
    dict(name="demo/web-nodeport", port_name="http", ip=20, port=80, target=8080, node_port=30080,
         endpoints=[(0, 3), (1, 3), (2, 3)]),
    dict(name="kube-system/kube-dns", port_name="dns", proto="udp", ip=10, port=53, target=53,
         endpoints=[(0, 2), (1, 2)]),
    dict(name="demo/seven", port_name="http", ip=33, port=80, target=8080,
         endpoints=[(0, 20), (1, 21), (2, 22), (0, 23), (1, 24), (2, 25), (0, 26)]),
    dict(name="demo/lb", port_name="https", ip=21, port=443, target=8443, node_port=30443, balancers=[21],
         endpoints=[(0, 4), (1, 4)]),
    dict(name="demo/itp-local-none", port_name="grpc", ip=27, port=9000, target=9000, internal_local=True,
         endpoints=[(1, 11), (2, 11)]),
    dict(name="demo/lb-ranges", port_name="https", ip=22, port=443, target=8443, node_port=30444, balancers=[22],
         ranges=["clients", "nodes"], endpoints=[(1, 5), (2, 5)]),
    dict(name="kube-system/kube-dns", port_name="dns-tcp", ip=10, port=53, target=53, endpoints=[(0, 2), (1, 2)]),
    dict(name="demo/external-ips", port_name="", ip=28, port=80, target=8080, externals=[28, 29],
         endpoints=[(0, 12), (1, 12)]),
    dict(name="demo/etp-local", port_name="https", ip=23, port=443, target=8443, node_port=30445, balancers=[23],
         external_local=True, health=32001, endpoints=[(0, 6), (1, 6)]),
    dict(name="default/kubernetes", port_name="https", ip=1, port=443, target=6443, endpoints=["control"]),
    dict(name="demo/sctp", port_name="s1ap", proto="sctp", ip=32, port=36412, target=36412, node_port=30452,
         endpoints=[(0, 17), (1, 17)]),
    dict(name="demo/empty", port_name="http", ip=31, port=80, target=8080, node_port=30451, endpoints=[]),
    dict(name="demo/etp-local-none", port_name="https", ip=24, port=443, target=8443, node_port=30446,
         balancers=[24], external_local=True, health=32002, endpoints=[(1, 8), (2, 8)]),
    dict(name="demo/itp-local", port_name="grpc", ip=26, port=9000, target=9000, internal_local=True,
         endpoints=[(0, 10), (1, 10)]),
    dict(name="demo/sticky", port_name="http", ip=30, port=80, target=8080, node_port=30449, affinity=10800,
         endpoints=[(0, 14), (1, 14)]),
]


def chain_hash(text):
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]


class Port:
    """One port of a service, with the addresses of one IP family."""

    def __init__(self, name, port_name, cluster_ip, port, endpoints, proto="tcp", target=0, node_port=0,
                 balancers=(), externals=(), ranges=(), internal_local=False, external_local=False, affinity=0,
                 health=0):
        self.service, self.port_name, self.proto = name, port_name, proto
        self.spn = name + (":" + port_name if port_name else "")
        self.cluster_ip, self.port, self.target, self.node_port = cluster_ip, port, target, node_port
        self.balancers, self.externals, self.ranges = list(balancers), list(externals), list(ranges)
        self.internal_local, self.external_local = internal_local, external_local
        self.affinity, self.health = affinity, health
        self.endpoints = list(endpoints)  # (ip, port, node number)
        self.hash = chain_hash(self.spn + proto)

    @staticmethod
    def join(endpoint):
        ip, port, _ = endpoint
        return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

    def sep(self, endpoint):
        return "KUBE-SEP-" + chain_hash(self.spn + self.proto + self.join(endpoint))


def ports_of(family):
    plan = FAMILIES[family]
    for service in SERVICES:
        extra = {key: value for key, value in service.items() if key not in ("ip", "endpoints")}
        for key, form in (("balancers", "balancer"), ("externals", "external")):
            extra[key] = [plan[form].format(number) for number in service.get(key, ())]
        extra["ranges"] = [plan[key] for key in service.get("ranges", ())]
        endpoints = []
        for endpoint in service["endpoints"]:
            if endpoint == "control":
                endpoints.append((plan["control_ip"], service["target"], 1))
            else:
                endpoints.append((plan["pod"].format(*endpoint), service["target"], endpoint[0]))
        yield Port(cluster_ip=plan["cluster_ip"].format(service["ip"]), endpoints=endpoints, **extra)


# ---------------------------------------------------------------- rules

class Rules:
    def __init__(self, family, cluster_cidr, node_ip):
        self.v6 = family == 6
        self.cidr, self.node_ip = cluster_cidr, ipaddress.ip_address(node_ip)
        self.chains = {"filter": {}, "nat": {}}

    def chain(self, table, name):
        self.chains[table].setdefault(name, [])

    def add(self, table, chain, *words):
        self.chain(table, chain)
        self.chains[table][chain].append(" ".join(["-A", chain, *map(str, words)]))

    def static(self):
        """The chains that are there without any service, and the jumps from the built-in chains."""
        new = "-m conntrack --ctstate NEW "
        comment = '-m comment --comment "{}"'.format
        wall = new + comment("kubernetes load balancer firewall") + " -j KUBE-PROXY-FIREWALL"
        portals = comment("kubernetes service portals") + " -j KUBE-SERVICES"
        external = new + comment("kubernetes externally-visible service portals") + " -j KUBE-EXTERNAL-SERVICES"
        health = comment("kubernetes health check service ports") + " -j KUBE-NODEPORTS"
        forward = comment("kubernetes forwarding rules") + " -j KUBE-FORWARD"
        martians = "-j KUBE-FIREWALL"  # in IPv6 the chain is there and empty
        for rule in [martians, wall, health, external]:
            self.add("filter", "INPUT", rule)
        for rule in [wall, forward, new + portals, external]:
            self.add("filter", "FORWARD", rule)
        for rule in [martians, wall, new + portals]:
            self.add("filter", "OUTPUT", rule)
        self.add("nat", "PREROUTING", portals)
        self.add("nat", "OUTPUT", portals)
        self.add("nat", "POSTROUTING", comment("kubernetes postrouting rules"), "-j KUBE-POSTROUTING")

        for name in ("SERVICES", "EXTERNAL-SERVICES", "FORWARD", "NODEPORTS", "PROXY-FIREWALL", "PROXY-CANARY",
                     "FIREWALL"):
            self.chain("filter", "KUBE-" + name)
        for name in ("SERVICES", "NODEPORTS", "POSTROUTING", "MARK-MASQ", "PROXY-CANARY"):
            self.chain("nat", "KUBE-" + name)
        if not self.v6:
            self.add("filter", "KUBE-FIREWALL", comment("block incoming localnet connections"),
                     "-d 127.0.0.0/8 ! -s 127.0.0.0/8",
                     "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP")
        self.add("filter", "KUBE-FORWARD", "-m conntrack --ctstate INVALID -j DROP")
        self.add("filter", "KUBE-FORWARD", comment("kubernetes forwarding rules"),
                 f"-m mark --mark {MASQUERADE}/{MASQUERADE} -j ACCEPT")
        self.add("filter", "KUBE-FORWARD", comment("kubernetes forwarding conntrack rule"),
                 "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
        self.add("nat", "KUBE-POSTROUTING", f"-m mark ! --mark {MASQUERADE}/{MASQUERADE} -j RETURN")
        self.add("nat", "KUBE-POSTROUTING", f"-j MARK --xor-mark {MASQUERADE}")
        self.add("nat", "KUBE-POSTROUTING", comment("kubernetes service traffic requiring SNAT"),
                 "-j MASQUERADE --random-fully")
        self.add("nat", "KUBE-MARK-MASQ", f"-j MARK --or-mark {MASQUERADE}")

    def node_ports(self):
        self.add("nat", "KUBE-SERVICES", '-m comment --comment "kubernetes service nodeports; NOTE: this must be the'
                 ' last rule in this chain"', "-m addrtype --dst-type LOCAL",
                 *(["! -d ::1/128"] if self.v6 else []), "-j KUBE-NODEPORTS")

    def service(self, port):
        """In the names of this function: cluster and local are the two lists of endpoints a policy can choose."""
        spn, proto = port.spn, port.proto
        cluster = sorted(port.endpoints, key=port.join)
        local = [endpoint for endpoint in cluster if endpoint[2] == 0]
        reachable_outside = bool(port.node_port or port.balancers or port.externals)
        uses_cluster = bool(cluster) and (not port.internal_local or reachable_outside)
        uses_local = bool(local) and (port.internal_local or (port.external_local and reachable_outside))
        has_any = bool(cluster)
        has_internal = bool(local) if port.internal_local else has_any
        has_external = bool(local) if port.external_local else has_any

        svc, svl = "KUBE-SVC-" + port.hash, "KUBE-SVL-" + port.hash
        ext, wall = "KUBE-EXT-" + port.hash, "KUBE-FW-" + port.hash
        inside = svl if port.internal_local else svc
        outside = svl if port.external_local else svc
        walled = bool(has_any and port.balancers and port.ranges)
        match = f"-m {proto} -p {proto}"

        def comment(text):
            return f'-m comment --comment "{text}"'

        def at(ip):
            return f"{match} -d {ip} --dport {port.port}"

        def refuse(chain, *words):
            if not has_any:
                self.add("filter", chain, comment(spn + " has no endpoints"), *words, "-j REJECT")
            else:
                self.add("filter", chain, comment(spn + " has no local endpoints"), *words, "-j DROP")

        if has_internal:
            self.add("nat", "KUBE-SERVICES", comment(spn + " cluster IP"), at(port.cluster_ip), "-j", inside)
        else:
            refuse("KUBE-SERVICES", at(port.cluster_ip))
        for ip in port.externals:
            if has_any:
                self.add("nat", "KUBE-SERVICES", comment(spn + " external IP"), at(ip), "-j", ext)
            if not has_external:
                refuse("KUBE-EXTERNAL-SERVICES", at(ip))
        for ip in port.balancers:
            if has_any:
                self.add("nat", "KUBE-SERVICES", comment(spn + " loadbalancer IP"), at(ip),
                         "-j", wall if walled else ext)
            if walled:
                self.add("filter", "KUBE-PROXY-FIREWALL", comment(f"{spn} traffic not accepted by {wall}"), at(ip),
                         "-j DROP")
            if not has_external:
                refuse("KUBE-EXTERNAL-SERVICES", at(ip))
        if port.node_port:
            if has_any:
                self.add("nat", "KUBE-NODEPORTS", comment(spn), match, "--dport", port.node_port, "-j", ext)
            if not has_external:
                refuse("KUBE-EXTERNAL-SERVICES", "-m addrtype --dst-type LOCAL", match, "--dport", port.node_port)
        if port.health:
            self.add("filter", "KUBE-NODEPORTS", comment(spn + " health check node port"),
                     "-m tcp -p tcp --dport", port.health, "-j ACCEPT")

        if has_internal:
            self.add("nat", inside, comment(spn + " cluster IP"), at(port.cluster_ip), "! -s", self.cidr,
                     "-j KUBE-MARK-MASQ")
        if has_any and reachable_outside:
            there = f" traffic for {spn} external destinations"
            if not port.external_local:
                self.add("nat", ext, comment("masquerade" + there), "-j KUBE-MARK-MASQ")
            else:
                self.add("nat", ext, comment("pod" + there), "-s", self.cidr, "-j", svc)
                source = "-m addrtype --src-type LOCAL"
                self.add("nat", ext, comment("masquerade LOCAL" + there), source, "-j KUBE-MARK-MASQ")
                self.add("nat", ext, comment("route LOCAL" + there), source, "-j", svc)
            if has_external:
                self.add("nat", ext, "-j", outside)
        if walled:
            about = comment(spn + " loadbalancer IP")
            for source in port.ranges:
                self.add("nat", wall, about, "-s", source, "-j", ext)
            if any(self.node_ip in ipaddress.ip_network(source) for source in port.ranges):
                for ip in port.balancers:
                    self.add("nat", wall, about, "-s", ip, "-j", ext)
            self.add("nat", wall, comment(f"other traffic to {spn} will be dropped by KUBE-PROXY-FIREWALL"))

        if uses_cluster:
            self.balance(port, svc, cluster)
        if uses_local:
            self.balance(port, svl, local)
        used = cluster if uses_cluster else local if uses_local else []
        for endpoint in used:
            sep = port.sep(endpoint)
            recent = [f"-m recent --name {sep} --set"] if port.affinity else []
            self.add("nat", sep, comment(spn), "-s", endpoint[0], "-j KUBE-MARK-MASQ")
            self.add("nat", sep, comment(spn), *recent, match, "-j DNAT --to-destination", port.join(endpoint))

    def balance(self, port, chain, endpoints):
        def comment(endpoint):
            return f'-m comment --comment "{port.spn} -> {port.join(endpoint)}"'

        if port.affinity:
            for endpoint in endpoints:
                sep = port.sep(endpoint)
                self.add("nat", chain, comment(endpoint), f"-m recent --name {sep} --rcheck",
                         f"--seconds {port.affinity} --reap -j", sep)
        for index, endpoint in enumerate(endpoints):
            left = len(endpoints) - index
            chance = [f"-m statistic --mode random --probability {1 / left:.10f}"] if left > 1 else []
            self.add("nat", chain, comment(endpoint), *chance, "-j", port.sep(endpoint))

    def text(self):
        builtin = {
            "mangle": ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
            "nat": ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
            "filter": ["INPUT", "FORWARD", "OUTPUT"],
        }
        lines = []
        for table, names in builtin.items():
            chains = self.chains.get(table, {"KUBE-PROXY-CANARY": []})
            lines.append("*" + table)
            lines += [f":{name} ACCEPT [0:0]" for name in names]
            lines += [f":{name} - [0:0]" for name in chains if name not in names]
            lines += [rule for rules in chains.values() for rule in rules]
            lines.append("COMMIT")
        return "\n".join(lines)


def rules(family, ports, cluster_cidr, node_ip):
    out = Rules(family, cluster_cidr, node_ip)
    out.static()
    for port in ports:
        out.service(port)
    out.node_ports()
    return out.text()


# ---------------------------------------------------------------- the services, for people and for kubectl's readers

def table(ports):
    head = ["service port", "proto", "cluster IP", "port", "node port", "LB or external IPs", "source ranges",
            "policy", "affinity", "chain hash", "endpoints (* on this node)"]
    rows = [head]
    for port in sorted(ports, key=lambda port: port.spn):
        policy = [word for word, wanted in (("internal:Local", port.internal_local),
                                            ("external:Local", port.external_local)) if wanted]
        endpoints = [port.join(endpoint) + ("*" if endpoint[2] == 0 else "") for endpoint in port.endpoints]
        rows.append([port.spn, port.proto, port.cluster_ip, str(port.port), str(port.node_port or "-"),
                     ",".join(port.balancers + port.externals) or "-", ",".join(port.ranges) or "-",
                     ",".join(policy) or "Cluster", f"{port.affinity}s" if port.affinity else "-", port.hash,
                     " ".join(endpoints) or "none"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def objects(family, ports, node_ip):
    services, slices = {}, {}
    for port in sorted(ports, key=lambda port: port.service):
        namespace, name = port.service.split("/")
        kind = "LoadBalancer" if port.balancers else "NodePort" if port.node_port else "ClusterIP"
        entry = {"protocol": port.proto.upper(), "port": port.port, "targetPort": port.target}
        entry.update({"name": port.port_name} if port.port_name else {})
        entry.update({"nodePort": port.node_port} if port.node_port else {})
        slice_port = {"name": port.port_name, "protocol": port.proto.upper(), "port": port.target}
        if port.service in services:
            services[port.service]["spec"]["ports"].append(entry)
            slices[port.service]["ports"].append(slice_port)
            continue
        spec = {
            "type": kind, "clusterIP": port.cluster_ip, "clusterIPs": [port.cluster_ip],
            "ipFamilies": [f"IPv{family}"], "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Local" if port.internal_local else "Cluster",
            "sessionAffinity": "ClientIP" if port.affinity else "None", "ports": [entry],
        }
        if port.node_port or port.externals:
            spec["externalTrafficPolicy"] = "Local" if port.external_local else "Cluster"
        for key, value in (("externalIPs", port.externals), ("loadBalancerSourceRanges", port.ranges),
                           ("healthCheckNodePort", port.health),
                           ("sessionAffinityConfig", port.affinity and
                            {"clientIP": {"timeoutSeconds": port.affinity}})):
            spec.update({key: value} if value else {})
        ingress = {"ingress": [{"ip": ip, "ipMode": "VIP"} for ip in port.balancers]} if port.balancers else {}
        services[port.service] = {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": spec, "status": {"loadBalancer": ingress},
        }
        slices[port.service] = {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": f"IPv{family}",
            "metadata": {"name": name + "-x7k2p", "namespace": namespace,
                         "labels": {"kubernetes.io/service-name": name}},
            "endpoints": [{"addresses": [ip], "nodeName": f"node-{number + 1}",
                           "conditions": {"ready": True, "serving": True, "terminating": False}}
                          for ip, _, number in port.endpoints],
            "ports": [slice_port],
        }
    node = {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE},
        "status": {"addresses": [{"type": "InternalIP", "address": node_ip}, {"type": "Hostname", "address": NODE}]},
    }
    items = list(services.values()) + list(slices.values()) + [node]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items, "metadata": {"resourceVersion": ""}},
                      indent=4)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("4", "6") or sys.argv[2] not in ("rules", "table", "json"):
        sys.exit(__doc__)
    family, what = int(sys.argv[1]), sys.argv[2]
    plan, ports = FAMILIES[family], list(ports_of(family))
    if what == "rules":
        print(rules(family, ports, plan["cluster_cidr"], plan["node_ip"]))
    elif what == "table":
        print(table(ports))
    else:
        print(objects(family, ports, plan["node_ip"]))


if __name__ == "__main__":
    main()
