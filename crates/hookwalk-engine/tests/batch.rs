//! Many packets at once are answered as each alone, in order; with and without the feature `rayon1`.

use std::fmt::Write;

use hookwalk_engine::{Engine, Host, Packet, WalkError};

#[test]
fn a_batch_answers_as_each_packet_alone() {
    let mut text = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n".to_owned();
    for last in (0..250).step_by(3) {
        writeln!(
            text,
            "-A FORWARD -d 10.1.0.{last}/32 -m statistic --mode random --probability 0.5 -j ACCEPT"
        )
        .unwrap();
        writeln!(text, "-A FORWARD -s 10.1.0.{last}/32 -m set --match-set open src -j ACCEPT").unwrap();
    }
    let engine = Engine::new(vec![hookwalk_parser::parse(text + "COMMIT\n")], Host::default());
    let packets: Vec<Packet> = (0..2_000_u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let src = if number % 500 == 7 { "fd00::1".parse().unwrap() } else { [10, 1, high, low].into() };
            let packet = Packet::new(src, [10, 1, 0, low.wrapping_mul(7)].into());
            if number % 2 == 0 { packet.arriving_by("eth0".parse().unwrap()) } else { packet }
        })
        .collect();
    let batch = engine.walk_batch(&packets);
    assert_eq!(batch.len(), packets.len());
    for (packet, walk) in packets.iter().zip(&batch) {
        assert_eq!(*walk, engine.walk(packet));
    }
    assert!(matches!(batch[507], Err(WalkError::TwoFamilies { .. })));
}
