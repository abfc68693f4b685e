#!/bin/sh
# Loads each rule that saved.tsv holds into a kernel, alone, and writes how iptables lists it to
# listed.tsv: family, backend, table, chain, the rules as they were saved, the lines of
# `-L -n -v -x --line-numbers` (` ;; ` between them).
#
# Needs root, iptables 1.8.9 with both backends, and ipset; works in network namespaces of its own.
set -eu
cd "$(dirname "$0")"

if [ "${1:-}" = "--inside" ]; then
    tool=$2 family=$3 backend=$4
    inet=inet; [ "$family" = 6 ] && inet=inet6
    ipset create hs hash:ip family $inet counters skbinfo timeout 0
    for estimator in RE1 RE2; do
        $tool -t mangle -A OUTPUT -j RATEEST --rateest-name $estimator \
            --rateest-interval 250ms --rateest-ewmalog 500ms
    done
    for table in filter nat mangle raw; do
        $tool -t $table -N X
        $tool -t $table -N Y
    done
    grep "^$family	$backend	" saved.tsv | while IFS='	' read -r _ _ table chain _ saved; do
        rules=$(printf '%s\n' "$saved" | sed 's/ ;; /\n/g')
        if printf '*%s\n%s\nCOMMIT\n' "$table" "$rules" | $tool-restore -n 2>/dev/null; then
            listed=$($tool -t "$table" -nvxL "$chain" --line-numbers |
                awk 'NR > 2 { printf "%s%s", between, $0; between = " ;; " }')
            printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$family" "$backend" "$table" "$chain" "$saved" "$listed"
        fi
        $tool -t "$table" -F "$chain"
    done
    exit
fi

for family in 4 6; do
    tool=iptables; [ $family = 6 ] && tool=ip6tables
    for backend in legacy nft; do
        unshare -n "$0" --inside $tool-$backend $family $backend 2>/dev/null
    done
done > listed.tsv
