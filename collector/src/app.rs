//! The collector without its sockets: what it knows, and its routes.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{StatusCode, header};
use prometheus_client::metrics::histogram::Histogram;
use serde::Serialize;
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::{
    accounting::{Accounting, Now, Report},
    batches::Batches,
    body::BodyLimits,
    budget::Budget,
    computing::Computers,
    door::Door,
    ingest,
    lines::LineLimits,
    metrics::{ConnectionCounts, Metrics, store_seconds},
    sink::Sink,
    spool::SpoolReport,
    wall::Wall,
};

/// Silent sources that `GET /ready` names at most.
const MAX_SILENT_NAMED: usize = 10;

/// The bounds of a post.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of its body.
    pub body: BodyLimits,
    /// Of its lines.
    pub lines: LineLimits,
    /// From the end of the body to the reply.
    pub answer_within: Duration,
    /// Bytes of all bodies at a time.
    pub max_bytes_in_flight: u64,
    /// Sources that are accounted for by name.
    pub max_sources: usize,
    /// Acknowledged batches that are remembered.
    pub max_acked_batches: usize,
}

/// One collector.
pub(crate) struct App {
    /// The account.
    pub accounting: Accounting,
    /// The batches that were acknowledged last.
    pub batches: Batches,
    /// Where exchanges go.
    pub sink: Arc<dyn Sink>,
    /// Who may post.
    pub door: Door,
    /// What is masked before anything is stored.
    pub wall: Arc<Wall>,
    /// The bounds.
    pub limits: Limits,
    /// Bytes of bodies in flight.
    pub budget: Arc<Budget>,
    /// The threads that unpack and judge large posts.
    pub computers: Computers,
    /// The posts that are being stored; they end even if their sender is gone.
    pub posts: TaskTracker,
    /// What the server counts.
    pub connections: ConnectionCounts,
    /// How long stores take.
    pub store_seconds: Histogram,
    draining: AtomicBool,
    metrics: OnceLock<Metrics>,
}

impl App {
    /// A collector on a sink.
    pub(crate) fn new(sink: Arc<dyn Sink>, door: Door, wall: Wall, limits: Limits) -> Arc<App> {
        let app = Arc::new(App {
            accounting: Accounting::new(sink.stored_in(), limits.max_sources),
            batches: Batches::new(limits.max_acked_batches),
            sink,
            door,
            wall: Arc::new(wall),
            limits,
            budget: Budget::new(limits.max_bytes_in_flight),
            computers: Computers::start(),
            posts: TaskTracker::new(),
            connections: ConnectionCounts::default(),
            store_seconds: store_seconds(),
            draining: AtomicBool::new(false),
            metrics: OnceLock::new(),
        });
        app.metrics.get_or_init(|| Metrics::new(&app));
        app
    }

    /// From now on `GET /ready` says no, so that nobody sends new work here.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether posts would be taken, and this collector is not ending.
    pub(crate) fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed) && !self.sink.condition().refuses
    }

    /// The routes.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/v1/exchanges", post(ingest::exchanges))
            .route("/v1/accounting", get(accounting))
            .route("/live", get(live))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(Arc::clone(self))
    }
}

/// The process serves: nothing more. A collector without Kafka is alive; restarting it would help nobody.
async fn live() -> &'static str {
    "live\n"
}

/// Ready means: a post would be taken. What is degraded all the same is listed.
///
/// ```json
/// {"ready":false,"draining":false,"degraded":[{"cause":"unreachable","why":"…","since":"…"}],"warnings":[]}
/// ```
async fn ready(State(app): State<Arc<App>>) -> Response {
    let draining = app.draining.load(Ordering::Relaxed);
    let mut condition = app.sink.condition();
    // A silent source makes nobody send its posts elsewhere: the collector stays ready.
    condition.warnings.extend(app.door.warnings());
    condition.warnings.extend(app.wall.warnings());
    condition.warnings.extend(app.accounting.silent(Now::read(), MAX_SILENT_NAMED));
    let is_ready = !draining && !condition.refuses;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": is_ready,
        "draining": draining,
        "degraded": condition.degraded,
        "warnings": condition.warnings,
    });
    (status, Json(body)).into_response()
}

/// What `GET /v1/accounting` answers: the account, and that of the spool if there is one.
#[derive(Serialize)]
struct Accounts {
    #[serde(flatten)]
    account: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    spool: Option<SpoolReport>,
}

async fn accounting(State(app): State<Arc<App>>) -> Response {
    Json(Accounts { account: app.accounting.report(Now::read()), spool: app.sink.spool() }).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.metrics.get().map(Metrics::text) {
        Some(Ok(text)) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests;
