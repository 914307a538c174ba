//! What redaction and the writing of lines cost, part by part.
//!
//! It prints a line `case<TAB>nanoseconds` for each part. Area `encode` of `cargo xtask bench` runs it as a program of this
//! machine and, compiled to WebAssembly, in V8, where the filter does this work; both read the clock of the wall, so each
//! figure is the least of several turns.
//!
//! With a case and a number it does that part so many times and measures nothing, for a profiler that counts instructions:
//! `valgrind --tool=callgrind target/release/bench-encode 'line, 10 KB of JSON' 100`.

mod passing;
mod sample;

use std::{
    env,
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use sample::{Sample, bare, exchange};
use tributary_filter::Head;
use tributary_http_types::{CheckedLine, check_line, check_own_line};
use tributary_redact::Redactor;

/// Turns of each part, of which the least counts: what disturbs only adds.
const TURNS: u32 = 5;

/// How long a turn takes at least.
const TURN: Duration = Duration::from_millis(8);

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let mut parts = Parts {
        wanted: arguments.next(),
        times: arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1),
        has_done: false,
    };
    let redactor = Redactor::default();
    for sample in Sample::all() {
        masked_and_written(&mut parts, &redactor, &sample);
        if !through_the_filter(&mut parts, &sample) {
            eprintln!("{}: the filter does not start with its defaults, or drops what passes", sample.name);
            return ExitCode::FAILURE;
        }
    }
    match &parts.wanted {
        Some(wanted) if !parts.has_done => {
            eprintln!("no case {wanted:?}: allowed are those that are printed without one");
            ExitCode::from(64)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Masking, writing and checking: what the filter and the collector's second wall do with each exchange.
fn masked_and_written(parts: &mut Parts, redactor: &Redactor, sample: &Sample) {
    let exchange = exchange(sample);
    let mut line = Vec::with_capacity(256 * 1024);
    parts.add("redaction", sample, || {
        redactor.with_masked(black_box(&exchange), |masked, _| {
            black_box(masked);
        });
    });
    parts.add("line", sample, || {
        line.clear();
        let _ = black_box(black_box(&exchange).write_line(&mut line));
    });
    parts.add("redaction and line", sample, || {
        line.clear();
        let _ = redactor.with_masked(black_box(&exchange), |masked, _| black_box(masked.write_line(&mut line)));
    });
    // Text is escaped; what is none is base64.
    let writing = if std::str::from_utf8(&sample.body).is_ok() { "escape" } else { "base64" };
    let bare = bare(sample);
    parts.add(writing, sample, || {
        line.clear();
        let _ = black_box(black_box(&bare).write_line(&mut line));
    });
    parts.add("UTF-8 scan", sample, || {
        let _ = black_box(std::str::from_utf8(black_box(&sample.body)));
    });
    line.clear();
    let _ = redactor.with_masked(&exchange, |masked, _| masked.write_line(&mut line));
    // One for all lines, as in a post.
    let mut checked = CheckedLine::default();
    parts.add("second wall", sample, || {
        if !check_own_line(black_box(&line), &mut checked) {
            checked = check_line(black_box(&line)).unwrap_or_default();
        }
        black_box(redactor.finds(&checked));
    });
}

/// The filter's own stages around masking and writing: heads alone, and the whole of it. Tells whether nothing was lost.
fn through_the_filter(parts: &mut Parts, sample: &Sample) -> bool {
    let (request, response) = (passing::request_head(sample), passing::response_head(sample));
    parts.add("heads read", sample, || {
        for map in [&request, &response] {
            // The host gives a copy.
            let head = Head::from_wire(black_box(map).clone()).unwrap_or_default();
            black_box(head.pairs().count());
        }
    });
    let Some(mut filter) = passing::Filter::start() else { return false };
    parts.add("capture, line and batch", sample, || filter.pass(&request, &response, black_box(&sample.body)));
    filter.has_lost_none()
}

/// What was asked for: all parts, or one of them, so many times.
struct Parts {
    wanted: Option<String>,
    times: u32,
    has_done: bool,
}

impl Parts {
    fn add(&mut self, part: &str, sample: &Sample, mut work: impl FnMut()) {
        let case = format!("{part}, {}", sample.name);
        match &self.wanted {
            None => println!("{case}\t{:.1}", nanos(work)),
            Some(wanted) if *wanted == case => {
                (0..self.times).for_each(|_| work());
                self.has_done = true;
            }
            Some(_) => (),
        }
    }
}

/// Nanoseconds of one time, the least of the turns.
///
/// Only turns that are all long enough count: the first times are slow, in V8 above all, which compiles then.
fn nanos(mut work: impl FnMut()) -> f64 {
    let mut times = 1u32;
    loop {
        let mut least = Duration::MAX;
        for _ in 0..TURNS {
            least = least.min(spent(times, &mut work));
            if least < TURN {
                break;
            }
        }
        if least >= TURN || times == u32::MAX {
            return least.as_nanos() as f64 / f64::from(times);
        }
        times = times.saturating_mul(2);
    }
}

fn spent(times: u32, work: &mut impl FnMut()) -> Duration {
    let began = Instant::now();
    (0..times).for_each(|_| work());
    began.elapsed()
}
