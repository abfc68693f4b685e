//! The dumps of testdata/kube-proxy/scenarios are what the writer writes for the objects beside them.
//! With `HOOKWALK_BLESS=1` they are written anew. Their flows are run with all the others, in
//! crates/hookwalk/tests/flows.rs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop where it is wrong")]

use std::path::Path;

use hookwalk_kube::objects::Objects;
use hookwalk_kube::writer::{Config, KubeProxy, LocalDetector, Version};
use hookwalk_parser::types::Family;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dumps {
    dump: Vec<Dump>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dump {
    name: String,
    version: String,
    family: u8,
    detector: Option<String>,
    #[serde(default)]
    masquerade_all: bool,
    localhost_nodeports: Option<bool>,
    nodeport_addresses: Option<Vec<std::net::IpAddr>>,
}

impl Dump {
    fn config(&self) -> Config {
        let version = Version::ALL.into_iter().find(|version| version.to_string() == self.version);
        let mut config = Config::new(version.unwrap());
        let (node_ip, cidr) = match self.family {
            4 => ("192.168.0.2", "10.0.0.0/8"),
            _ => ("2001:db8::1", "fd00:10::/64"),
        };
        config.family = if self.family == 4 { Family::V4 } else { Family::V6 };
        config.node_ip = node_ip.parse().ok();
        config.local_detector = match self.detector.as_deref() {
            Some("none") => LocalDetector::None,
            Some(other) => panic!("detector {other}"),
            None => LocalDetector::Cidr(cidr.parse().unwrap()),
        };
        config.masquerade_all = self.masquerade_all;
        config.localhost_nodeports = self.localhost_nodeports.unwrap_or(true);
        config.nodeport_addresses.clone_from(&self.nodeport_addresses);
        config
    }
}

#[test]
fn dumps_are_the_writers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/kube-proxy/scenarios");
    let dumps: Dumps = toml::from_str(&std::fs::read_to_string(folder.join("dumps.toml")).unwrap()).unwrap();
    assert!(dumps.dump.len() >= 10);
    for dump in dumps.dump {
        let objects = std::fs::read_to_string(folder.join(format!("{}.json", dump.name))).unwrap();
        let (objects, errors) = Objects::read(&objects);
        assert_eq!(errors, [], "{}", dump.name);
        let save = KubeProxy::new(dump.config()).rules(&objects.services, &objects.slices).save();
        let path = folder.join(format!("{}.save", dump.name));
        if std::env::var_os("HOOKWALK_BLESS").is_some() {
            std::fs::write(&path, &save).unwrap();
        }
        assert!(std::fs::read_to_string(&path).unwrap() == save, "{} is another", path.display());
    }
}
