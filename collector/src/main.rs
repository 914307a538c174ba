//! The program `tributary-collector`: settings, signals, exit codes.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tributary_collector::{Collector, Command, Settings, StartError, fail_point, health, log, open_files};

/// librdkafka's allocator too. What one thread allocates another frees, and bodies are large: the C library's allocator costs a
/// line more time, and keeps the memory of what was unpacked. The environment's `MALLOC_CONF` sets it, as jemalloc(3) says.
///
/// Not in the build with fail points, in which the fault suite moves the clock: `libfaketime` asks for memory at the first look
/// at the clock, jemalloc looks at the clock for its first memory, and the program would never start.
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", not(feature = "fail-points")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// `EX_USAGE` of sysexits.h: a setting is wrong.
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let settings = match Settings::read(std::env::args_os()) {
        Ok(settings) => settings,
        Err(error) => {
            // Standard output for --help and --version, standard error else; a closed one is not our problem.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if let Err(error) = log::set_up(settings.log_format, &settings.log_level) {
        eprintln!("error: --log-level: {error}");
        return ExitCode::from(EXIT_USAGE);
    }
    open_files::take_all();
    let _fail_points = fail_point::set_up();
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let of_settings = error.downcast_ref().is_some_and(StartError::is_of_settings);
            if of_settings { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

#[tokio::main]
async fn run(settings: &Settings) -> anyhow::Result<()> {
    match &settings.command {
        Some(Command::Health { url }) => {
            let ready = || health::ready_url(settings.listen);
            Ok(health::check(&url.clone().unwrap_or_else(ready)).await?)
        }
        None => serve(settings).await,
    }
}

async fn serve(settings: &Settings) -> anyhow::Result<()> {
    // Before the port is opened: a signal that comes right after must not kill.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let collector = Collector::start(settings).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!(grace = ?settings.grace, "Ending.");
    tokio::select! {
        ended = collector.end(settings.grace) => match ended {
            true => tracing::info!("Ended."),
            false => tracing::warn!("Ended; what was cut off was never acknowledged."),
        },
        // Whoever asks twice does not want to wait.
        _ = terminate.recv() => anyhow::bail!("ended at once by a second signal"),
        _ = interrupt.recv() => anyhow::bail!("ended at once by a second signal"),
    }
    Ok(())
}
