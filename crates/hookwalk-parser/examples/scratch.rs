use std::time::Instant;
fn main() {
    let quiet = std::env::args().len() > 2;
    for f in std::env::args().skip(1) {
        let b = std::fs::read(&f).unwrap();
        let n = b.len();
        let t = Instant::now();
        let d = hookwalk_parser::parse(b.clone());
        let el = t.elapsed();
        let rules: usize = d.tables().iter().flat_map(|t| &t.chains).map(|c| c.rules.len()).sum();
        let unk: usize = d.tables().iter().flat_map(|t| &t.chains).flat_map(|c| &c.rules).filter(|r| r.unknown_parts().next().is_some()).count();
        println!("{f}: {rules} rules, {unk} unknown, {} diags, whole={}, {:.1} MB/s", d.diagnostics().len(), d.is_whole(), n as f64 / el.as_secs_f64() / 1e6);
        if !quiet { for x in d.diagnostics().iter().take(60) { println!("  {f}:{x}"); } }
    }
    println!("{}", std::mem::size_of::<hookwalk_parser::Rule>());
    println!("{}", std::mem::size_of::<hookwalk_parser::extensions::Match>());
    println!("{}", std::mem::size_of::<hookwalk_parser::extensions::Target>());
}
