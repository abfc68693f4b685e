#!/bin/sh
# Loads each rule of rules-v4.txt and rules-v6.txt into a kernel, alone, and writes what iptables-save
# prints of it to saved.tsv: family, backend, table, chain, the rule as it was given, the rules as they
# were saved (` ;; ` between them). A rule that the tool or the kernel refuses is left out.
#
# Needs root, iptables 1.8.9 with both backends, and ipset; works in network namespaces of its own.
set -eu
cd "$(dirname "$0")"

if [ "${1:-}" = "--inside" ]; then
    tool=$2 family=$3 backend=$4 rules=$5
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
    while IFS='|' read -r place rule; do
        table=$place chain=X
        case $place in
            nat) chain=PREROUTING ;;
            natpost) table=nat chain=POSTROUTING ;;
            raw) chain=PREROUTING ;;
            manglepre) table=mangle chain=PREROUTING ;;
            filterin) table=filter chain=INPUT ;;
        esac
        if printf '*%s\n-A %s %s\nCOMMIT\n' "$table" "$chain" "$rule" | $tool-restore -n 2>/dev/null; then
            saved=$($tool-save -t "$table" | grep -- "^-A $chain" | awk 'NR > 1 { printf " ;; " } { printf "%s", $0 }')
            printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$family" "$backend" "$table" "$chain" "$rule" "$saved"
        fi
        $tool -t "$table" -F "$chain"
    done < "$rules"
    exit
fi

for family in 4 6; do
    tool=iptables; [ $family = 6 ] && tool=ip6tables
    for backend in legacy nft; do
        unshare -n "$0" --inside $tool-$backend $family $backend rules-v$family.txt 2>/dev/null
    done
done > saved.tsv
