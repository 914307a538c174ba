//! The command line of `tributary`: its commands in one place. The arguments of each stand with the command.

use clap::{Parser, Subcommand};

use crate::{audit::AuditArgs, drain::DrainArgs, openapi::OpenapiArgs, send::SendArgs, tail::TailArgs};

/// Work with the HTTP exchanges that Tributary records into Kafka.
///
/// Every option has an environment variable, named beside it; an option on the command line wins.
#[derive(Debug, Parser)]
#[command(name = "tributary", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// What to log on stderr: error, warn, info, debug, or a filter like "debug,hyper=warn".
    #[arg(
        long,
        global = true,
        env = "TRIBUTARY_LOG",
        display_order = 900,
        value_name = "FILTER",
        default_value = "warn,tributary_topic::log=error"
    )]
    pub(crate) log: String,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    // What they are for stands at their arguments.
    Tail(TailArgs),
    Send(SendArgs),
    Audit(AuditArgs),
    Drain(DrainArgs),
    Openapi(Box<OpenapiArgs>),
}

/// One list for all commands, so that a script can tell the endings apart.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   not all was done or is there: lines not delivered, or not yet, or absent, stopped before the end, drift found
  64  the arguments or settings cannot be used
  65  a file, or the topic, is not what it has to be
  66  the input cannot be opened
  69  Kafka or Envoy cannot be worked with: no answer, topic or filter missing, not allowed
  74  the output cannot be written";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::failure::{EXIT_DATA, EXIT_FAULT, EXIT_INCOMPLETE, EXIT_NO_INPUT, EXIT_UNAVAILABLE, EXIT_USAGE};

    #[test]
    fn command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_option_has_a_variable_named_after_it() {
        for command in Args::command().get_subcommands() {
            for option in command.get_opts() {
                let long = option.get_long().unwrap();
                let variable = option.get_env().map(|name| name.to_string_lossy().into_owned());
                let expected = format!("TRIBUTARY_{}", long.to_uppercase().replace('-', "_"));

                assert_eq!(variable, Some(expected), "{} --{long}", command.get_name());
            }
        }
    }

    #[test]
    fn every_command_teaches_with_examples_and_exit_codes() {
        for command in Args::command().get_subcommands() {
            let help = command.get_after_help().unwrap().to_string();

            assert!(command.get_about().is_some() && command.get_long_about().is_some(), "{}", command.get_name());
            assert!(help.contains("Examples:\n  tributary ") && help.contains(EXIT_CODES), "{}", command.get_name());
        }
    }

    #[test]
    fn exit_codes_of_the_help_are_those_of_the_program() {
        let told: Vec<u8> =
            EXIT_CODES.lines().skip(1).map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();

        assert_eq!(told, [0, EXIT_INCOMPLETE, EXIT_USAGE, EXIT_DATA, EXIT_NO_INPUT, EXIT_UNAVAILABLE, EXIT_FAULT]);
    }
}
