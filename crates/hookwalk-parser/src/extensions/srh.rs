extension! {
    /// `-m srh`: the segment routing header of IPv6 (kernel: `net/ipv6/netfilter/ip6t_srh.c`).
    SrhMatch {
        /// `--srh-next-hdr`: protocol number of the header behind it
        next_header: negatable<u8> = "--srh-next-hdr",
        /// `--srh-hdr-len-eq`: length of the header, equal
        header_length_equal: negatable<u8> = "--srh-hdr-len-eq",
        /// `--srh-hdr-len-gt`: length of the header, greater
        header_length_greater: negatable<u8> = "--srh-hdr-len-gt",
        /// `--srh-hdr-len-lt`: length of the header, less
        header_length_less: negatable<u8> = "--srh-hdr-len-lt",
        /// `--srh-segs-left-eq`: segments left, equal
        segments_left_equal: negatable<u8> = "--srh-segs-left-eq",
        /// `--srh-segs-left-gt`: segments left, greater
        segments_left_greater: negatable<u8> = "--srh-segs-left-gt",
        /// `--srh-segs-left-lt`: segments left, less
        segments_left_less: negatable<u8> = "--srh-segs-left-lt",
        /// `--srh-last-entry-eq`: index of the last segment, equal
        last_entry_equal: negatable<u8> = "--srh-last-entry-eq",
        /// `--srh-last-entry-gt`: index of the last segment, greater
        last_entry_greater: negatable<u8> = "--srh-last-entry-gt",
        /// `--srh-last-entry-lt`: index of the last segment, less
        last_entry_less: negatable<u8> = "--srh-last-entry-lt",
        /// `--srh-tag`
        tag: negatable<u16> = "--srh-tag",
        /// `--srh-psid`: the segment before
        previous: negatable_address = "--srh-psid",
        /// `--srh-nsid`: the segment behind
        next: negatable_address = "--srh-nsid",
        /// `--srh-lsid`: the last segment
        last: negatable_address = "--srh-lsid",
    }
}
