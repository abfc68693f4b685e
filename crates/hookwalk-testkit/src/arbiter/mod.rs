//! One question, two who answer it: the engine and the real kernel.
//!
//! An [`Arbiter`] is given a [`Scene`] (a node and its rules) and asked about packets one by one. The kernel
//! tells the one thing that happened, the engine everything that can: [`Answers::agree`] says whether the two
//! fit. Whatever can be asked of one can be asked of the other, so a case is a scene, packets and answers.

mod answer;
mod engine;
#[cfg(all(target_os = "linux", feature = "kernel"))]
mod kernel;
mod scene;

pub use answer::{Answer, Answers, AsItLeft, Port, Unknown};
pub use engine::{EngineArbiter, answers_of, shot_of};
#[cfg(all(target_os = "linux", feature = "kernel"))]
pub use kernel::KernelArbiter;
pub use scene::{Backend, Context, Moment, Scene, Shot, first_state, later};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArbiterError {
    /// The kernel's side failed.
    #[cfg(all(target_os = "linux", feature = "kernel"))]
    #[error(transparent)]
    Kernel(#[from] crate::kernel::Error),
    /// The dump has errors.
    #[error("the dump is not understood: {0}")]
    Dump(String),
    /// The packet is none.
    #[error(transparent)]
    Packet(#[from] hookwalk_engine::WalkError),
    /// Nothing was put in place yet.
    #[error("no scene")]
    NoScene,
}

/// Someone who knows what becomes of a packet.
pub trait Arbiter {
    /// Puts a node with its rules in the place of the one before.
    fn place(&mut self, scene: &Scene) -> Result<(), ArbiterError>;

    /// What can become of a packet; of the first packet of a connection on a node that knows no others, or of
    /// a later one.
    fn answer(&mut self, shot: &Shot) -> Result<Answers, ArbiterError>;
}
