//! The command line of `users`.

use std::net::SocketAddr;

use clap::{Parser, Subcommand};

/// The demo app: users that are created and read over HTTP, kept in memory.
///
/// POST /users with {"name": …, "email": …} creates one, GET /users/{id} reads it, GET /health says that it serves.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Address and port to listen on; port 0 takes a free one, which the log names.
    #[arg(long, env = "USERS_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", global = true)]
    pub(crate) listen: SocketAddr,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What else the binary can do than serve.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Asks a running app whether it serves, and ends with 0 if so (for health checks in images without curl).
    Health {
        /// The address to ask [default: /health at the port of --listen, on this machine]
        #[arg(long, env = "USERS_HEALTH_URL")]
        url: Option<String>,
    },
}

const EXAMPLES: &str = r#"Examples:
  users --listen 127.0.0.1:8080
  curl -H "Content-Type: application/json" http://127.0.0.1:8080/users \
       -d '{"name":"Kimmo","email":"kimmo@example.com"}'
  users health --url http://127.0.0.1:8080/health

Exit codes: 0 stopped by a signal, or healthy; 1 failed, or not healthy; 64 the arguments cannot be used."#;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Args;

    #[test]
    fn command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
