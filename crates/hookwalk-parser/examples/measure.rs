//! How long parsing a file takes, and how much memory: the figures of `docs/input.md`.
#![allow(clippy::print_stdout, reason = "this program is for its output")]

use std::time::Instant;

fn main() -> std::io::Result<()> {
    println!("a rule without matches takes {} bytes", size_of::<hookwalk_parser::Rule>());
    for file in std::env::args_os().skip(1) {
        let text = std::fs::read(&file)?;
        let (bytes, start) = (text.len(), Instant::now());
        let dump = hookwalk_parser::parse(text);
        let seconds = start.elapsed().as_secs_f64();
        let rules: usize = dump.tables().iter().flat_map(|t| &t.chains).map(|c| c.rules.len()).sum();
        println!("{}: {bytes} bytes, {rules} rules, {seconds:.2} s", file.display());
        // What the kernel says this process has taken at most, where there is a kernel that says so.
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
                println!("  {line}");
            }
        }
    }
    Ok(())
}
