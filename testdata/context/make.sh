#!/bin/sh
# Writes the files of this folder: what `ip` and `ipset` print of a node that has a bit of everything.
# It works in a private network namespace (`unshare`), and needs iproute2, ipset and util-linux.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1:-}" != inside ]; then
    exec unshare --map-root-user --net "$here/make.sh" inside
fi

mac=1
for pair in d0 d1; do
    ip link add "$pair" address "02:00:00:00:00:0$mac" type veth peer name "${pair}p" address "02:00:00:00:01:0$mac"
    for name in "$pair" "${pair}p"; do
        ip link set "$name" addrgenmode none
        ip link set "$name" up
    done
    mac=$((mac + 1))
done
ip link set lo up

ip addr add 10.0.0.1 peer 10.0.0.2/32 dev d0
ip addr add 10.1.0.1/24 brd + dev d0 label d0:x
ip addr add 10.1.0.2/24 dev d0
ip addr add 10.9.0.2/24 dev d1
ip addr add 169.254.1.1/16 scope link dev d1
ip addr add 2001:db8::1/64 dev d0 nodad
ip addr add 2001:db8::9 peer 2001:db8::a/128 dev d0 nodad
ip addr add fec0::5/64 dev d0 scope site nodad

ip route add default via 10.1.0.254 tos 0x10
ip route add default via 10.1.0.254 metric 100
ip route add 10.5.0.0/16 nexthop via 10.1.0.7 dev d0 weight 3 nexthop via 10.9.0.9 dev d1
ip route add 10.6.0.0/16 via inet6 fe80::1 dev d0
ip route add unreachable 10.7.0.0/16 metric 7
ip route add prohibit 10.8.0.0/16
ip route add throw 10.10.0.0/16 table 100
ip route add blackhole 10.11.0.0/16
ip route add blackhole default table 77 metric 50
ip route add local default dev lo table 78
ip route add 10.20.0.0/16 via 10.1.0.254 mtu 1400 advmss 1300
ip route add multicast 224.5.0.0/16 dev d0
ip nexthop add id 5 via 10.1.0.77 dev d0
ip route add 10.31.0.0/16 nhid 5
ip route add 10.40.0.0/16 encap ip id 100 dst 10.9.0.4 dev d1
ip -6 route add 2001:db8:77::/64 nexthop via 2001:db8::7 nexthop via 2001:db8::8 weight 4
ip -6 route add unreachable 2001:db8:66::/64
ip -6 route add 2001:db8:55::/64 via 2001:db8::7 from 2001:db8:4::/64
ip -6 route add default via 2001:db8::ffff

ip rule add not fwmark 0x1/0xff from 10.0.0.0/8 to 10.1.0.0/16 iif d0 lookup 100 priority 63
ip rule add iif nosuch oif nosuch lookup 77 priority 62
ip rule add from 10.3.0.1 blackhole priority 50
ip rule add from 10.3.0.2 unreachable priority 51
ip rule add prohibit priority 52
ip rule add goto 32766 priority 53
ip rule add nop priority 54
ip rule add lookup main suppress_prefixlength 0 priority 55
ip rule add ipproto tcp dport 80-90 lookup 77 priority 56
ip rule add tos 0x10 lookup 77 priority 57
ip rule add goto 40000 priority 58
ip rule add l3mdev priority 60
ip rule add tun_id 5 lookup 77 priority 61
ip rule add fwmark 7 lookup 77 protocol static realms 3 priority 64
ip rule add to 10.7.0.0/16 lookup 78 priority 65

ip link set d1p down

ipset create a hash:ip
ipset add a 10.0.0.1-10.0.0.9
ipset create b hash:net timeout 0 counters comment
ipset add b 10.0.0.0/8 comment "hi nomatch there"
ipset add b 10.1.0.0/16 nomatch
ipset add b 10.4.0.0-10.4.0.7
ipset create c hash:ip netmask 24
ipset add c 10.4.5.6
ipset add c 10.4.6.0/24
ipset create d hash:net family inet6
ipset add d 2001:db8::/32
ipset create e bitmap:port range 0-100
ipset add e 5
ipset create f hash:ip,port
ipset add f 1.2.3.4,tcp:80
ipset create h hash:ip family inet6
ipset add h 2001:db8::1
ipset create i bitmap:ip range 10.0.0.0/24
ipset add i 10.0.0.5
ipset create "j k" hash:ip comment
ipset add "j k" 1.2.3.4 comment "a b"
ipset create l hash:ip bitmask 255.0.255.0
ipset add l 1.2.3.4
ipset create m list:set
ipset add m a

ip addr >"$here/ip-addr.txt"
ip -j addr >"$here/ip-addr.json"
ip route show table all >"$here/ip-route.txt"
ip -j route show table all >"$here/ip-route.json"
ip rule >"$here/ip-rule.txt"
ip -j rule >"$here/ip-rule.json"
# The seeds of the hashes are random.
ipset -s save | sed 's/initval 0x[0-9a-f]*/initval 0x20260101/' >"$here/ipset.txt"
ipset -s list | sed 's/initval 0x[0-9a-f]*/initval 0x20260101/; /^Size in memory/d' >"$here/ipset-list.txt"
