use super::*;

const SAVE: &str = "\
create a hash:ip family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xbf722c5a
add a 10.0.0.5
add a 10.0.0.1-10.0.0.3
create b hash:net family inet hashsize 1024 maxelem 65536 timeout 300 counters comment
add b 10.4.0.0/29 timeout 0 packets 0 bytes 0
add b 10.1.0.0/16 timeout 299 nomatch packets 0 bytes 0
add b 10.0.0.0/8 timeout 299 packets 0 bytes 0 comment \"hi there\"
create c hash:ip family inet hashsize 1024 maxelem 65536 netmask 24
add c 10.4.5.0
create d hash:net family inet6 hashsize 1024 maxelem 65536
add d 2001:db8::/32
create e hash:ip family inet hashsize 1024 maxelem 65536
create j k hash:ip family inet hashsize 1024 maxelem 65536 comment skbinfo
add j k 1.2.3.4 comment \"a b\"
create all hash:net family inet
add -exist all 0.0.0.0/0
create f hash:ip,port family inet hashsize 1024 maxelem 65536
add f 1.2.3.4,tcp:80
";

const LIST: &str = "\
Name: a
Type: hash:ip
Revision: 6
Header: family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xbf722c5a
Size in memory: 576
References: 1
Number of entries: 4
Members:
10.0.0.5
10.0.0.1
10.0.0.2
10.0.0.3

Name: b
Type: hash:net
Header: family inet hashsize 1024 maxelem 65536 timeout 300 counters comment
Number of entries: 4
Members:
10.4.0.0/29 timeout 0 packets 0 bytes 0
10.1.0.0/16 timeout 299 nomatch packets 0 bytes 0
10.0.0.0/8 timeout 299 packets 0 bytes 0 comment \"hi there\"

Name: c
Type: hash:ip
Header: family inet hashsize 1024 maxelem 65536 netmask 24
Members:
10.4.5.0

Name: d
Type: hash:net
Header: family inet6 hashsize 1024 maxelem 65536
Number of entries: 1
Members:
2001:db8::/32

Name: e
Type: hash:ip
Header: family inet hashsize 1024 maxelem 65536
Number of entries: 0
Members:

Name: j k
Type: hash:ip
Header: family inet hashsize 1024 maxelem 65536 comment skbinfo
Number of entries: 1
Members:
1.2.3.4 comment \"a b\"

Name: all
Type: hash:net
Header: family inet
Members:
0.0.0.0/0

Name: f
Type: hash:ip,port
Header: family inet hashsize 1024 maxelem 65536
Number of entries: 1
Members:
1.2.3.4,tcp:80
";

/// Names given out, and messages.
fn shown(text: &str) -> (Vec<String>, Vec<String>) {
    let (sets, errors) = ipsets(text);
    (
        sets.iter().map(|(name, _)| name.to_string()).collect(),
        errors.iter().map(ToString::to_string).collect(),
    )
}

#[test]
fn both_forms_hold_the_same() {
    for text in [SAVE, LIST] {
        let (sets, errors) = ipsets(text);
        assert_eq!(errors, []);
        assert_eq!(sets.len(), 8);
        let holds = |name: &str, address: &str| {
            let (_, set) = sets.iter().find(|(known, _)| *known == name).unwrap();
            set.contains(address.parse().unwrap())
        };
        for (name, inside, outside) in [
            ("a", vec!["10.0.0.1", "10.0.0.3", "10.0.0.5"], vec!["10.0.0.4", "10.0.0.0", "::1"]),
            ("b", vec!["10.4.0.7", "10.2.0.1"], vec!["10.1.0.1", "11.0.0.1"]),
            ("c", vec!["10.4.5.0", "10.4.5.99"], vec!["10.4.6.0"]),
            ("d", vec!["2001:db8::1"], vec!["2001:db9::1", "32.1.13.184"]),
            ("e", vec![], vec!["0.0.0.0", "10.0.0.1"]),
            ("j k", vec!["1.2.3.4"], vec!["1.2.3.5"]),
            ("all", vec!["0.0.0.0", "255.255.255.255"], vec!["::"]),
        ] {
            assert!(inside.iter().all(|address| holds(name, address)), "{name}");
            assert!(!outside.iter().any(|address| holds(name, address)), "{name}");
        }
    }
}

#[test]
fn half_a_set_is_not_given_out() {
    let (names, errors) = shown(
        "create a hash:ip\nadd a 10.0.0.1\nadd a host.example\ncreate b hash:ip\nadd b ::1\ncreate c hash:ip bitmask 255.0.255.0\n\
         create d hash:net\nadd d 10.0.0.0/8\ndel d 10.0.0.0/8\nadd e 1.2.3.4\nadd e 1.2.3.5\ncreate g hash:net\n",
    );
    assert_eq!(names, ["g"]);
    assert_eq!(
        errors,
        [
            "3:1: `host.example` is not an address or prefix such as 10.0.0.0/8",
            "5:1: `::1` is not an address of the set's family",
            "6:1: the set `c` has not a mask without holes such as 255.255.0.0: what it holds stays unknown",
            "9:1: `del` is not followed here: what its sets hold stays unknown",
            "10:1: the set `e` is not created before: what it holds stays unknown",
        ]
    );
}

#[test]
fn a_list_without_its_members_is_not_empty() {
    let head =
        "Name: a\nType: hash:ip\nHeader: family inet hashsize 1024 maxelem 65536\nNumber of entries: 2\n";
    let why = "has no `Members:`, of which there are 2: what it holds stays unknown";
    for head in [head.to_owned(), head.replace("65536", "65536 timeout 300")] {
        assert_eq!(shown(&head), (vec![], vec![format!("1:1: the set `a` {why}")]));
    }
    assert_eq!(
        shown(&format!("{head}Members:\n10.0.0.1\n")).1,
        ["1:1: the set `a` lists 1 of its 2 members: what it holds stays unknown"]
    );
    assert_eq!(shown(&format!("{head}Members:\n10.0.0.1\n10.0.0.2\n")).0, ["a"]);
    assert_eq!(
        shown("Name: a\nType: hash:ip\n").1,
        ["1:1: the set `a` has no `Members:`: what it holds stays unknown"]
    );
    assert_eq!(shown("Name: a\n").1, ["1:1: the set `a` has no `Type:`: what it holds stays unknown"]);
}

#[test]
fn several_outputs_in_one_text() {
    let (names, errors) = shown(&format!("# ipset list\n{LIST}\n$ ipset save\n{SAVE}{LIST}"));
    assert_eq!((names.len(), errors.len()), (8, 0), "{errors:?}");
    let (names, errors) = shown("create a hash:ip\nadd a 1.2.3.4\ncreate a hash:net\n");
    assert_eq!((names.len(), errors.len()), (0, 1), "{errors:?}");
}
