//! How a service accepts connections, and what each of them takes.

use settings::Setting;

use crate::policies::not_yet::NotYet;

/// Accepting connections.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ListenSettings {
    /// Connections that may wait until a worker accepts them. Further requests to connect are dropped, and callers repeat them after 1,
    /// 3, 7, 15 s and so on. Only of callers who open a connection for a call. Default: Linux' `somaxconn` since 5.4.
    #[setting(default = 4096, range = "1..=1000000000")]
    pub backlog: u32,
    /// Threads that each open connection holds.
    #[setting(default = 0, range = "0..=1000")]
    pub threads: u32,
    /// Idle connections are closed after this long.
    pub idle_timeout: Option<NotYet>,
    /// Connections are closed at this age.
    pub max_age: Option<NotYet>,
    /// Share by which ages differ.
    pub jitter: Option<NotYet>,
    /// Connections that may be open.
    pub max_connections: Option<NotYet>,
}
