use super::*;

/// A module with one import `env.proxy_log`, a memory of 1 to 300 pages, and the export `memory`.
fn small() -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.extend(b"\x02\x11\x01\x03env\x09proxy_log\x00\x00");
    bytes.extend(b"\x05\x05\x01\x01\x01\xac\x02");
    bytes.extend(b"\x07\x0a\x01\x06memory\x02\x00");
    bytes
}

fn filter() -> Module {
    Module {
        imports: vec![("env".to_owned(), "proxy_log".to_owned())],
        exports: NEEDED_EXPORTS.map(str::to_owned).to_vec(),
        most_pages: Some(MOST_PAGES),
    }
}

#[test]
fn imports_exports_and_memory_bound_are_read() {
    let module = Module::parse(&small()).unwrap();

    let expected = Module {
        imports: vec![("env".to_owned(), "proxy_log".to_owned())],
        exports: vec!["memory".to_owned()],
        most_pages: Some(300),
    };
    assert_eq!(module, expected);
}

#[test]
fn cut_module_is_an_error_wherever_it_is_cut() {
    let bytes = small();
    // Between two sections the module is whole as far as it goes.
    let between = [8, 27, 34, bytes.len()];

    for cut in 0..=bytes.len() {
        assert_eq!(Module::parse(&bytes[..cut]).is_ok(), between.contains(&cut), "cut at {cut}");
    }
}

#[test]
fn number_without_end_is_an_error() {
    let bytes = [b"\0asm\x01\0\0\0\x05".as_slice(), &[0xff; 12]].concat();

    assert_eq!(Module::parse(&bytes).unwrap_err().to_string(), "a number of more than 64 bits");
}

#[test]
fn filter_within_its_capabilities_is_right() {
    let findings =
        look_at(&filter(), MOST_BYTES, &names("# read\nproxy_log # to Envoy's log\n\nproxy_on_memory_allocate\n"));

    assert_eq!(findings.problems, [""; 0]);
}

#[test]
fn import_that_nobody_allowed_is_found() {
    let mut module = filter();
    module.imports.push(("env".to_owned(), "proxy_http_call".to_owned()));
    module.imports.push(("wbg".to_owned(), "proxy_log".to_owned()));

    let findings = look_at(&module, 1, &names("proxy_log\nproxy_on_memory_allocate"));

    assert_eq!(
        findings.problems,
        [
            "filter: imports env.proxy_http_call, which filter/capabilities.txt does not allow",
            "filter: imports wbg.proxy_log, which filter/capabilities.txt does not allow",
        ]
    );
}

#[test]
fn whatever_could_change_traffic_is_found_in_module_and_list() {
    let mut module = filter();
    module.imports.push(("env".to_owned(), "proxy_set_buffer_bytes".to_owned()));
    module.exports.push("proxy_on_downstream_data".to_owned());

    let kept = look_at(&module, 1, &names("proxy_log\nproxy_on_memory_allocate"));
    let widened = names("proxy_log\nproxy_on_memory_allocate\nproxy_set_buffer_bytes\nproxy_on_downstream_data");
    let listed = look_at(&module, 1, &widened);

    assert_eq!(
        kept.problems,
        [
            "filter: imports env.proxy_set_buffer_bytes, which filter/capabilities.txt does not allow",
            "filter: exports proxy_on_downstream_data, which filter/capabilities.txt does not allow",
        ]
    );
    assert_eq!(
        listed.problems,
        [
            "filter/capabilities.txt: proxy_set_buffer_bytes can change traffic, take it from the list",
            "filter/capabilities.txt: proxy_on_downstream_data can change traffic, take it from the list",
        ]
    );
}

#[test]
fn capability_that_is_not_used_is_found() {
    let findings = look_at(&filter(), 1, &names("proxy_log\nproxy_on_memory_allocate\nproxy_http_call"));

    assert_eq!(findings.problems, ["filter/capabilities.txt: proxy_http_call is not used, take it from the list"]);
}

#[test]
fn missing_export_lost_memory_bound_and_size_over_budget_are_found() {
    let mut module = filter();
    module.exports.retain(|name| name != "memory");
    module.most_pages = Some(MOST_PAGES + 1);

    let findings = look_at(&module, MOST_BYTES + 1, &names("proxy_log\nproxy_on_memory_allocate"));

    assert_eq!(
        findings.problems,
        [
            "filter: does not export memory, Envoy will not load it",
            "filter: memory without its bound of 512 MiB: is RUSTFLAGS set?",
            "filter: 400001 bytes, 400000 are allowed",
        ]
    );
    module.most_pages = None;
    assert_eq!(look_at(&module, 1, &names("proxy_log\nproxy_on_memory_allocate")).problems.len(), 2);
}

#[test]
fn panic_on_demand_is_found_by_its_header() {
    assert!(has_the_drill(b"\0asm data: x-tributary-panic\0log"));
    assert!(!has_the_drill(b"\0asm data: x-tributary-batch"));
}
