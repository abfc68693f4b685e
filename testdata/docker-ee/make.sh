#!/usr/bin/env bash
# Makes node-*.save and the ip, ipset and sysctl files of this folder: builds the article's node in private
# network namespaces, loads node.rules (written by rules.py) with the real tools and saves what the kernel holds.
#
# Needs: root, Linux with network namespaces, veth, bridge, TUN/TAP, ipset, legacy iptables and nf_tables;
# iptables 1.8 with both backends, ipset, iproute2, procps (sysctl), util-linux (unshare, nsenter), python3.
# Nothing leaves the machine: the namespaces have no link to the outside. May be run again at any time.
#
# tunl0 is a TUN device, for not every kernel has ipip devices: packets for it are not wrapped into a second IP
# header, and `ip addr` says link/none where a real node says link/ipip.
set -euo pipefail

cd "$(dirname "$0")"
. ../namespaces.sh
need ipset

# --- the node's interfaces ---------------------------------------------------------------------------------
python3 rules.py rules >node.rules
python3 rules.py sets >"$work/sets"

new_space
node=$space
in_node() { ip netns exec "$node" "$@"; }
in_node sysctl -qw net.ipv4.conf.default.rp_filter=1
devices "$node" tap:eth0 tun:tunl0
ip -n "$node" link set eth0 address 02:0b:4c:1e:04:2a mtu 9001
ip -n "$node" addr add 172.30.4.42/20 brd + dev eth0
ip -n "$node" link set eth0 up
ip -n "$node" link set tunl0 mtu 8981 multicast off
in_node sysctl -qw net.ipv6.conf.tunl0.disable_ipv6=1
ip -n "$node" addr add 192.168.200.128/32 brd 192.168.200.128 dev tunl0
ip -n "$node" link set tunl0 up
ip -n "$node" route add default via 172.30.0.1 dev eth0

# Docker: a bridge each for ordinary containers and for swarm's ingress, with one container on it
bridge() { # NAME SUBNET-PREFIX BRIDGE-MAC VETH
  ip -n "$node" link add "$1" address "$3" type bridge
  ip -n "$node" addr add "$2.1/16" brd + dev "$1"
  ip -n "$node" link set "$1" up
  hold_namespace
  veth "$node" "$4" "$pid" "${3%:*}:f0" "${3%:*}:02"
  ip -n "$node" link set "$4" master "$1"
  nsenter -t "$pid" -n ip addr add "$2.2/16" brd + dev eth0
  nsenter -t "$pid" -n ip route add default via "$2.1"
}
bridge docker_gwbridge 172.18.0 02:42:9a:5c:11:01 veth3f21c07
bridge docker0 172.17.0 02:42:d3:08:6e:01 vethb8840d2

# Calico: one interface a Pod, the routes that BIRD sets
declare -A pod
count=0
while read -r interface address; do
  hold_namespace
  pod[$address]=$pid
  count=$((count + 1))
  veth "$node" "$interface" "$pid" ee:ee:ee:ee:ee:ee "0a:58:c0:a8:c8:0$count"
  in_node sysctl -qw "net.ipv4.conf.$interface.rp_filter=1" "net.ipv4.conf.$interface.proxy_arp=1" \
    "net.ipv4.conf.$interface.route_localnet=1" "net.ipv4.conf.$interface.forwarding=1"
  ip -n "$node" route add "$address" dev "$interface" scope link
  nsenter -t "$pid" -n ip addr add "$address/32" dev eth0
  nsenter -t "$pid" -n ip neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0
  nsenter -t "$pid" -n ip route add 169.254.1.1 dev eth0 scope link
  nsenter -t "$pid" -n ip route add default via 169.254.1.1 dev eth0
done < <(python3 rules.py pods)
ip -n "$node" route add blackhole 192.168.200.128/26 proto bird
ip -n "$node" route add 192.168.237.0/26 via 172.30.4.40 dev tunl0 proto bird onlink
in_node sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.all.route_localnet=1
sleep 2 # let link-local addresses and multicast routes settle

# --- legacy: load, save, then send a few packets and save the counters ----------------------------------------
in_node ipset restore <"$work/sets"
in_node iptables-legacy-restore <node.rules
in_node iptables-legacy-save | fix_date >node-legacy.save

# kube-dns.kube-system.svc.cluster.local: no byte 0x0a, at which printf would start another datagram
query='\x30\x39\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x08kube-dns\x0bkube-system\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01'
netshoot=${pod[192.168.200.156]}
nsenter -t "$netshoot" -n bash -c "printf '$query' >/dev/udp/10.96.0.10/53"
connect "$netshoot" 10.96.0.10 53
connect "${pod[192.168.200.135]}" 10.96.88.3 443
in_node bash -c "printf '$query' >/dev/udp/10.96.0.10/53"
wait_for "$work/log" 'udp 192.168.200.128:'
in_node iptables-legacy-save -c | fix_date >node-legacy.save-c

# The kernel did what the article tells: DNAT to the name server, the Pod's own source address, out by tunl0.
wait_for "$work/log" '^tunl0 udp 192\.168\.200\.156:[0-9]* > 192\.168\.237\.9:53 ttl 63$'
wait_for "$work/log" '^tunl0 tcp 192\.168\.200\.156:[0-9]* > 192\.168\.237\.9:53 ttl 63$'
wait_for "$work/log" '^tunl0 tcp 192\.168\.200\.135:[0-9]* > 192\.168\.237\.8:9443 ttl 63$'
wait_for "$work/log" '^tunl0 udp 192\.168\.200\.128:[0-9]* > 192\.168\.237\.9:53 ttl 64$'
sed 's/^/  left by /' "$work/log" | grep ' by tunl0'

# --- the node's state ---------------------------------------------------------------------------------------
in_node ip addr >ip-addr.txt
in_node ip -j addr >ip-addr.json
in_node ip route show table all >ip-route.txt
in_node ip -j route show table all >ip-route.json
in_node ip rule >ip-rule.txt
in_node ip -j rule >ip-rule.json
in_node ipset save >ipset.txt
in_node ipset list >ipset-list.txt
in_node sysctl -a 2>/dev/null | grep -E \
  '^net\.(ipv4\.(ip_forward|ip_nonlocal_bind|conf\.[^.]+\.(accept_local|forwarding|proxy_arp|route_localnet|rp_filter|src_valid_mark))|netfilter\.nf_conntrack_tcp_(be_liberal|loose)) ' \
  >sysctl.txt

# --- nf_tables: the same rules in a namespace of their own ------------------------------------------------------
new_space
ip netns exec "$space" ipset restore <"$work/sets"
ip netns exec "$space" iptables-nft-restore <node.rules
nft_save "$space" >node-nft.save
echo "docker-ee: done"
