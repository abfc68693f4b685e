use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How far a long run has come, told on standard error where that is a terminal.
pub(crate) struct Progress {
    started: Instant,
    total: usize,
    done: usize,
    told: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A run that ends sooner tells nothing.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// To look at the clock for each one would take longer than some of them.
    const STEP: usize = 1024;

    /// Of so many.
    pub(crate) fn of(total: usize) -> Self {
        Progress { started: Instant::now(), total, done: 0, told: 0, bar: None }
    }

    pub(crate) fn one_more(&mut self) {
        self.done += 1;
        if self.done - self.told >= Self::STEP {
            self.told = self.done;
            self.tell();
        }
    }

    fn tell(&mut self) {
        if self.bar.is_none() && self.started.elapsed() >= Self::PATIENCE && std::io::stderr().is_terminal() {
            let style =
                ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} packets, {eta} left");
            let bar = ProgressBar::new(self.total as u64).with_elapsed(self.started.elapsed());
            self.bar = Some(style.map_or(bar.clone(), |style| bar.with_style(style)));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done as u64);
        }
    }

    /// Clears what was told.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
