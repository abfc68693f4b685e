extension! {
    /// `-m osf`: the system that a TCP SYN looks like (kernel: `net/netfilter/xt_osf.c`).
    OsfMatch {
        /// `--genre`: its name
        genre: negatable_raw = "--genre",
        /// `--ttl`: 0 to 2, how the time to live is compared
        ttl: value<u8> = "--ttl",
        /// `--log`: 0 to 2, what is logged
        log: value<u8> = "--log",
    }
    missing(this) this.genre.is_none().then_some("--genre");
}
