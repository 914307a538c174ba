//! Envoy's callbacks, turned into calls of [`Stream`] and [`Plugin`]. Connects, and decides nothing.
//!
//! No callback of a stream has an answer: [`abi`](crate::abi) lets every one continue. Nothing here calls into the host
//! while the VM's state is borrowed, so no callback can find it taken.

use std::{cell::RefCell, rc::Rc};

use crate::{
    Answer, Config, Counter, Facts, Gauge, Head, Level, MissingHeads, Moment, Plugin, Post, REPLY_BODY_LIMIT, Refusal,
    RootId, Side, Stream,
    codes::{Buffer, Map, Statistic},
    host,
};

/// More configuration than this is a mistake.
const MAX_CONFIGURATION: usize = 1_048_576;

/// More posts than this never leave in one callback; the plugin's own limits are below.
const MAX_POSTS_AT_ONCE: usize = 16;

thread_local! {
    /// The VM's state, shared by all its roots and streams. A configuration update leaves it alone.
    static VM: RefCell<Option<Vm>> = const { RefCell::new(None) };
}

struct Vm {
    plugin: Plugin,
    /// Envoy's ids of the counters, in the order of [`Counter::ALL`].
    counters: [Option<u32>; Counter::COUNT],
    /// Envoy's ids of the gauges, in the order of [`Gauge::ALL`].
    gauges: [Option<u32>; Gauge::COUNT],
}

fn with_vm<R>(run: impl FnOnce(&mut Vm) -> R) -> Option<R> {
    VM.with(|vm| vm.try_borrow_mut().ok()?.as_mut().map(run))
}

fn with_plugin<R>(run: impl FnOnce(&mut Plugin) -> R) -> Option<R> {
    with_vm(|vm| run(&mut vm.plugin))
}

/// Makes the VM's state for its first root.
fn ensure_vm() -> Result<(), String> {
    if with_vm(|_| ()).is_some() {
        return Ok(());
    }
    let random = host::random().map_err(|refusal| {
        let status = refusal.status;
        format!(
            "the host gives no randomness; allowed: a capability restriction that contains random_get. status={status}"
        )
    })?;
    let define = |kind, name: &str| host::define_statistic(kind, &format!("tributary_{name}")).ok();
    let counters = Counter::ALL.map(|counter| define(Statistic::Counter, counter.name()));
    let gauges = Gauge::ALL.map(|gauge| define(Statistic::Gauge, gauge.name()));
    VM.with(|vm| {
        if let Ok(mut vm) = vm.try_borrow_mut() {
            *vm = Some(Vm { plugin: Plugin::new(&random), counters, gauges });
        }
    });
    Ok(())
}

/// One configuration of the filter in this VM.
pub(crate) struct Root {
    id: RootId,
    config: Option<Rc<Config>>,
}

impl Root {
    pub(crate) fn new(id: RootId) -> Root {
        Root { id, config: None }
    }

    /// A stream under this configuration.
    pub(crate) fn stream(&self) -> Http {
        Http { root: self.id, stream: Stream::new(self.config.as_ref()) }
    }

    fn configure(&mut self) -> Result<(), String> {
        let json = host::buffer(Buffer::PluginConfiguration, MAX_CONFIGURATION).unwrap_or_default();
        let config = Config::load(&json, &host::environment()).map_err(|error| error.to_string())?;
        ensure_vm()?;
        let config = Rc::new(config);
        self.config = Some(config.clone());
        with_plugin(|plugin| plugin.configured(self.id, config));
        Ok(())
    }

    /// Posts what is due. Only from ticks, answers and the end: in `on_configure` clusters may still be missing.
    fn serve(&self) {
        for _ in 0..MAX_POSTS_AT_ONCE {
            let now = host::steady();
            let Some(post) = with_plugin(|plugin| plugin.next_post(self.id, now)).flatten() else { break };
            let taken = dispatch(&post);
            with_plugin(|plugin| plugin.posted(post.number, taken, now));
        }
        self.carry();
    }

    /// Carries statistics, log lines and the next tick to Envoy.
    fn carry(&self) {
        mirror_statistics();
        write_log();
        set_tick(self.id, host::steady());
    }

    /// Tells Envoy once that this root, which stayed for its answers, may go.
    fn go_if_released(&self) {
        if with_plugin(|plugin| plugin.release(self.id)).unwrap_or_default() {
            host::done();
        }
    }
}

/// Envoy's callbacks for a root.
impl Root {
    pub(crate) fn on_http_call_response(&mut self, token: u32, body_len: usize) {
        let head = host::header_map(Map::CallResponseHeaders);
        let body = host::buffer(Buffer::CallResponseBody, body_len.min(REPLY_BODY_LIMIT));
        let now = host::steady();
        with_plugin(|plugin| plugin.replied(token, Answer { head, body }, now));
        self.serve();
        self.go_if_released();
    }

    pub(crate) fn on_done(&mut self) -> bool {
        let now = host::steady();
        with_plugin(|plugin| plugin.done(self.id, now));
        self.serve();
        with_plugin(|plugin| plugin.may_go(self.id)).unwrap_or(true)
    }

    pub(crate) fn on_configure(&mut self) -> bool {
        match self.configure() {
            Ok(()) => {
                self.carry();
                true
            }
            Err(reason) => {
                host::log(Level::Critical, &format!("Configuration refused. {reason}"));
                false
            }
        }
    }

    pub(crate) fn on_tick(&mut self) {
        let now = host::steady();
        with_plugin(|plugin| plugin.ticked(self.id, now));
        self.serve();
        self.go_if_released();
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let now = host::steady();
        with_plugin(|plugin| plugin.deleted(self.id, now));
        mirror_statistics();
        write_log();
    }
}

/// One stream.
pub(crate) struct Http {
    root: RootId,
    stream: Stream,
}

impl Http {
    fn body(&mut self, side: Side, buffer: Buffer, chunk_len: usize) {
        let wanted = with_plugin(|plugin| self.stream.wanted(plugin, side, chunk_len)).flatten();
        let chunk = wanted.map(|wanted| host::buffer(buffer, wanted));
        with_plugin(|plugin| self.stream.body(plugin, side, chunk_len, chunk));
    }

    fn trailers(&mut self, side: Side, map: Map) {
        let trailers = host::header_map(map);
        with_plugin(|plugin| self.stream.trailers(plugin, side, trailers));
    }

    pub(crate) fn finish(&mut self) {
        let Some(need) = with_plugin(|plugin| self.stream.need(plugin, self.root)).flatten() else { return };
        let facts = Facts::read(need, host::property);
        let clock = host::clock();
        with_plugin(|plugin| {
            plugin.know_direction(self.root, facts.listener_direction);
            self.stream.finish(plugin, facts, clock);
        });
        set_tick(self.root, clock.steady);
    }
}

/// Envoy's callbacks for a stream, whose end [`finish`](Http::finish) is too.
impl Http {
    pub(crate) fn on_http_request_headers(&mut self) {
        let (head, now) = (host::header_map(Map::RequestHeaders), host::steady());
        #[cfg(feature = "panic-drill")]
        crate::drill::panic_if_asked(crate::drill::Place::Request, &head);
        with_plugin(|plugin| self.stream.request_head(plugin, head, now));
    }

    pub(crate) fn on_http_request_body(&mut self, chunk_len: usize) {
        self.body(Side::Request, Buffer::RequestBody, chunk_len);
    }

    pub(crate) fn on_http_request_trailers(&mut self) {
        self.trailers(Side::Request, Map::RequestTrailers);
    }

    pub(crate) fn on_http_response_headers(&mut self) {
        let head = host::header_map(Map::ResponseHeaders);
        #[cfg(feature = "panic-drill")]
        crate::drill::panic_if_asked(crate::drill::Place::Response, &head);
        with_plugin(|plugin| self.stream.response_head(plugin, head));
    }

    pub(crate) fn on_http_response_body(&mut self, chunk_len: usize) {
        self.body(Side::Response, Buffer::ResponseBody, chunk_len);
    }

    pub(crate) fn on_http_response_trailers(&mut self) {
        self.trailers(Side::Response, Map::ResponseTrailers);
    }

    pub(crate) fn on_log(&mut self) {
        #[cfg(feature = "panic-drill")]
        crate::drill::panic_if_asked(crate::drill::Place::Log, &host::header_map(Map::RequestHeaders));
        if let Some(missing) = self.stream.missing_head() {
            let request = (missing == MissingHeads::Both).then(|| host::header_map(Map::RequestHeaders));
            let response = host::header_map(Map::ResponseHeaders);
            let now = host::steady();
            with_plugin(|plugin| self.stream.late_heads(plugin, request, response, now));
        }
        self.finish();
    }
}

impl Drop for Http {
    /// The last resort, without Envoy's facts: its stream is gone.
    fn drop(&mut self) {
        if self.stream.is_open() {
            let clock = host::clock();
            with_plugin(|plugin| self.stream.finish(plugin, Facts::default(), clock));
        }
    }
}

fn dispatch(post: &Post) -> Result<u32, Refusal> {
    let collector = &post.config.collector;
    let headers = post.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect::<Vec<_>>();
    host::http_call(&collector.cluster, Head::of(&headers).as_wire(), &post.body, collector.timeout)
}

fn mirror_statistics() {
    let grown = with_vm(|vm| {
        let id = |counter: Counter| vm.counters.get(counter as usize).copied().flatten();
        let grown = vm.plugin.unmirrored().into_iter();
        grown.filter_map(|(counter, growth)| Some((counter, growth, id(counter)?))).collect::<Vec<_>>()
    });
    for (counter, growth, id) in grown.unwrap_or_default() {
        if host::increment(id, i64::try_from(growth).unwrap_or(i64::MAX)).is_ok() {
            with_plugin(|plugin| plugin.mirrored(counter, growth));
        }
    }
    let changed = with_vm(|vm| {
        let id = |gauge: Gauge| vm.gauges.get(gauge as usize).copied().flatten();
        let changed = vm.plugin.unmirrored_pending().into_iter();
        changed.filter_map(|(gauge, change)| Some((gauge, change, id(gauge)?))).collect::<Vec<_>>()
    });
    for (gauge, change, id) in changed.unwrap_or_default() {
        if host::increment(id, change).is_ok() {
            with_plugin(|plugin| plugin.mirrored_pending(gauge, change));
        }
    }
}

fn write_log() {
    for line in with_plugin(Plugin::take_log).unwrap_or_default() {
        host::log(line.level, &line.text);
    }
}

fn set_tick(root: RootId, now: Moment) {
    let Some(period) = with_plugin(|plugin| plugin.tick_for(root, now)).flatten() else { return };
    if host::set_tick_period(period).is_err() {
        with_plugin(|plugin| plugin.tick_refused(root));
    }
}
