#!/bin/sh
# Loads rules into a kernel and prints how iptables-save prints them: load.sh FAMILY BACKEND FOLDER, where
# FOLDER/TABLE holds lines `CHAIN RULE`, each rule for a chain of its own. Prints `TABLE -A CHAIN …`; a rule
# that the tool or the kernel refuses is left out.
#
# Needs root, iptables 1.8.9 with both backends, and ipset; works in a network namespace of its own.
set -eu

if [ "${4:-}" != --inside ]; then
    exec unshare -n "$0" "$1" "$2" "$3" --inside
fi
family=$1 tool=iptables inet=inet
[ "$family" = 6 ] && tool=ip6tables inet=inet6
tool=$tool-$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ipset create hs hash:ip family $inet counters skbinfo timeout 0
ipset create hp hash:ip,port family $inet counters skbinfo timeout 0
ipset create hn hash:net family $inet counters skbinfo timeout 0
for estimator in RE1 RE2; do
    $tool -t mangle -A OUTPUT -j RATEEST --rateest-name $estimator --rateest-interval 250ms --rateest-ewmalog 500ms
done

# Halves what is refused until the rules alone are left that are refused.
load() {
    {
        printf '*%s\n' "$1"
        awk '{ print ":" $1 " - [0:0]" }' "$2"
        sed 's/^/-A /' "$2"
        printf 'COMMIT\n'
    } > "$work/restore"
    if $tool-restore -n < "$work/restore" 2>> "$work/errors"; then
        $tool-save -t "$1" | grep -- '^-A R' | sed "s/^/$1 /"
        {
            printf '*%s\n' "$1"
            awk '{ print "-F " $1 }' "$2"
            awk '{ print "-X " $1 }' "$2"
            printf 'COMMIT\n'
        } | $tool-restore -n
        return
    fi
    count=$(wc -l < "$2")
    if [ "$count" -gt 1 ]; then
        head -n $((count / 2)) "$2" > "$2.1"
        tail -n +$((count / 2 + 1)) "$2" > "$2.2"
        load "$1" "$2.1"
        load "$1" "$2.2"
    fi
}

for table in filter nat mangle raw; do
    $tool -t $table -N X
    $tool -t $table -N Y
    cp "$3/$table" "$work/$table"
    load $table "$work/$table"
done
