#!/usr/bin/env bash
# Makes the showcase files of this folder: make.py writes what kube-proxy 1.30 would, the real tools load it in
# private network namespaces, and what the kernel holds is saved.
#
# Needs: root, Linux with network namespaces, veth, bridge, TUN/TAP, legacy iptables and nf_tables;
# iptables 1.8 with both backends, iproute2, procps (sysctl), util-linux (unshare, nsenter), python3.
# Nothing leaves the machine: the namespaces have no link to the outside. May be run again at any time.
set -euo pipefail

cd "$(dirname "$0")"
. ../namespaces.sh
need ip6tables-legacy-restore ip6tables-legacy-save

for family in 4 6; do
  python3 make.py "$family" rules >"showcase$family.rules"
  python3 make.py "$family" table >"showcase$family-objects.txt"
  python3 make.py "$family" json >"showcase$family-objects.json"
done

pod_bridge() { # SPACE ADDRESS: cni0 with one Pod on it
  ip -n "$1" link add cni0 address 0a:58:0a:40:00:01 type bridge
  ip -n "$1" addr add "$2" brd + dev cni0 2>/dev/null || ip -n "$1" addr add "$2" dev cni0
  ip -n "$1" link set cni0 up
  hold_namespace
  veth "$1" veth5d1c94e2 "$pid" 2e:51:07:9b:c4:10 0a:58:0a:40:00:03
  ip -n "$1" link set veth5d1c94e2 master cni0
}

state() { # SPACE NAME
  ip netns exec "$1" ip addr >"$2.ip-addr.txt"
  ip netns exec "$1" ip route show table all >"$2.ip-route.txt"
}

# --- IPv4 ---------------------------------------------------------------------------------------------------
new_space
node=$space
devices "$node" tap:eth0
ip -n "$node" link set eth0 address 52:54:00:c0:02:0a up
ip -n "$node" addr add 192.0.2.10/24 brd + dev eth0
ip -n "$node" route add default via 192.0.2.1 dev eth0
pod_bridge "$node" 10.64.0.1/24
ip -n "$node" route add 10.64.1.0/24 via 192.0.2.11 dev eth0
ip -n "$node" route add 10.64.2.0/24 via 192.0.2.12 dev eth0
ip -n "$node" neigh add 192.0.2.5 lladdr 52:54:00:c0:02:05 dev eth0
ip netns exec "$node" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
nsenter -t "$pid" -n ip addr add 10.64.0.3/24 brd + dev eth0
nsenter -t "$pid" -n ip route add default via 10.64.0.1
sleep 2 # let link-local addresses and multicast routes settle
state "$node" showcase4

ip netns exec "$node" iptables-legacy-restore <showcase4.rules
connect "$pid" 10.96.0.1 443   # forwarded to the API server
connect "$pid" 10.96.0.31 80   # rejected: no endpoints
connect "$pid" 10.96.0.27 9000 # dropped: no local endpoints
ip netns exec "$node" iptables-legacy-save -c | fix_date >showcase4-legacy.save-c

new_space
ip netns exec "$space" iptables-nft-restore <showcase4.rules
nft_save "$space" >showcase4-nft.save

# --- IPv6 ---------------------------------------------------------------------------------------------------
new_space
node=$space
rm "$work/log"
devices "$node" tap:eth0
ip -n "$node" link set eth0 address 52:54:00:c0:02:0a up
ip -n "$node" addr add 2001:db8::10/64 dev eth0
ip -n "$node" route add default via 2001:db8::1 dev eth0
pod_bridge "$node" fd00:64::1/64
ip -n "$node" route add fd00:64:0:1::/64 via 2001:db8::11 dev eth0
ip -n "$node" route add fd00:64:0:2::/64 via 2001:db8::12 dev eth0
ip netns exec "$node" sysctl -qw net.ipv6.conf.all.forwarding=1
sleep 2
state "$node" showcase6

new_space # without interfaces, on which neighbour discovery would be counted
ip netns exec "$space" ip6tables-legacy-restore <showcase6.rules
ip netns exec "$space" ip6tables-legacy-save | fix_date >showcase6-legacy.save
echo "kube-proxy: done"
