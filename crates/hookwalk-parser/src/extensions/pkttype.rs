use crate::types::choice::words;

extension! {
    /// `-m pkttype`: how the link layer addressed the packet (kernel: `net/netfilter/xt_pkttype.c`).
    PkttypeMatch {
        /// `--pkt-type`
        packet_type: negatable<PacketType> = "--pkt-type",
    }
    missing(this) this.packet_type.is_none().then_some("--pkt-type");
}

words! {
    /// A packet's type (`linux/if_packet.h`).
    PacketType, "unicast, broadcast, multicast or otherhost" {
        /// To this host.
        Unicast = "unicast" | "host",
        /// To all.
        Broadcast = "broadcast" | "bcast",
        /// To a group.
        Multicast = "multicast" | "mcast",
        /// To someone else.
        Otherhost = "otherhost",
    }
}
