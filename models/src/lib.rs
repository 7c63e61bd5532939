//! What a scenario may contain: components, workloads, runtimes, steps, policies and faults, each a table.
//!
//! Every part describes its settings once, by derive, and is built from them. [`network::build`] checks a
//! [`scenario::Scenario`] as a whole and makes of it a network that the engine of `sim-core` can run. Nothing here reads a
//! file, draws or prints.

pub mod admission;
pub mod appeals;
pub mod autoscale;
pub mod balancing;
pub mod caching;
pub mod change_numbers;
pub mod components;
pub mod consuming;
pub mod costs;
pub mod demand;
pub mod director;
pub mod directory;
pub mod door;
pub mod faults;
pub mod figures;
pub mod fleet;
pub mod happenings;
pub mod hosts;
pub mod law;
pub mod link;
pub mod listen;
pub mod memory;
pub mod network;
pub mod policies;
pub mod probes;
pub mod replicating;
pub mod restart;
pub mod rollout;
pub mod runtimes;
pub mod scenario;
pub mod share_or_count;
pub mod shutdown;
pub mod steps;
pub mod workloads;
