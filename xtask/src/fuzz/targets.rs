//! The fuzz targets: which tests face input that others decide.

/// Some properties of one crate.
#[derive(Debug)]
pub(super) struct Target {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// Whose input, and what must hold.
    pub(super) about: &'static str,
    /// The folder of the crate.
    pub(super) package: &'static str,
    /// The library, or the file in `tests/`, as cargo names it.
    pub(super) test: &'static str,
    /// Parts of the names of its tests; none: all of them.
    pub(super) filters: &'static [&'static str],
}

/// All targets, in the order of the flow.
pub(super) const TARGETS: [Target; 13] = [
    Target {
        name: "callbacks",
        about: "filter: any order of Envoy's callbacks, any answer of a collector",
        package: "filter",
        test: "callbacks",
        filters: &[],
    },
    Target {
        name: "ladder",
        about: "filter: any load on the budget",
        package: "filter",
        test: "ladder",
        filters: &["what_a_line_lacks"],
    },
    Target {
        name: "heads",
        about: "filter: any header map",
        package: "filter",
        test: "tributary_filter",
        filters: &["any_bytes_are_read", "every_map_comes_back"],
    },
    Target {
        name: "filter-settings",
        about: "filter: spoiled configurations",
        package: "filter",
        test: "fuzz",
        filters: &[],
    },
    Target {
        name: "redaction",
        about: "redact: spoiled exchanges and settings: masked into one readable line, once",
        package: "redact",
        test: "fuzz",
        filters: &[],
    },
    Target {
        name: "redaction-parts",
        about: "redact: any body, any JSON with secrets, cut anywhere",
        package: "redact",
        test: "tributary_redact",
        filters: &["any_", "twice_is_once", "json_stays_json", "a_secret_does_not_survive", "no_bytes_make_it_panic"],
    },
    Target {
        name: "format-writer",
        about: "http-types: whatever a proxy sees becomes one readable line",
        package: "http-types",
        test: "tributary_http_types",
        filters: &["whatever_a_proxy_sees", "every_string_is_read_back", "every_written_time"],
    },
    Target {
        name: "format-reader",
        about: "http-types: spoiled lines and accounts",
        package: "http-types",
        test: "fuzz",
        filters: &[],
    },
    Target {
        name: "post",
        about: "collector: spoiled posts, whole: headers, packing, lines",
        package: "collector",
        test: "tributary_collector",
        filters: &["app::tests::fuzz", "no_header_value_breaks"],
    },
    Target {
        name: "lines",
        about: "collector: any bytes as lines",
        package: "collector",
        test: "tributary_collector",
        filters: &["each_line_is_judged_by_itself", "no_bytes_break_the_judge"],
    },
    Target {
        name: "decoders",
        about: "collector: spoiled gzip, deflate, brotli and zstd",
        package: "collector",
        test: "tributary_collector",
        filters: &["decode::tests::fuzz", "no_bytes_break_a_decoder", "no_bytes_break_an_unpacker"],
    },
    Target {
        name: "collector-settings",
        about: "collector: command lines without sense",
        package: "collector",
        test: "tributary_collector",
        filters: &["settings::tests::fuzz"],
    },
    Target {
        name: "openapi-reader",
        about: "openapi: any form body",
        package: "openapi",
        test: "tributary_openapi",
        filters: &["form::"],
    },
];
