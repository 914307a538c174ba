//! The families of cases that are one idea in many places: each control byte in each place of a message.
//!
//! They are files like the others, so that a failing one can be read and played alone; this writes them. A test says
//! whether they are current, and with `UPDATE=1` writes them anew.

use std::fmt::Write as _;

/// The C0 controls, DEL, and bytes that are no UTF-8 by themselves: the first C1 control, a lead byte, the last byte.
pub fn odd_bytes() -> impl Iterator<Item = u8> {
    (0..0x20).chain([0x7f, 0x80, 0xc3, 0xff])
}

/// A place of a message, with `@` where the byte goes.
struct Place {
    name: &'static str,
    about: &'static str,
    lines: &'static str,
}

const HTTP1: [Place; 9] = [
    Place { name: "method", about: "in the method", lines: "> GE@T /a HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n\n" },
    Place { name: "path", about: "in the path", lines: "> GET /a@b HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n\n" },
    Place { name: "query", about: "in the query", lines: "> GET /a?b=@c HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n\n" },
    Place { name: "host", about: "in the host", lines: "> GET /a HTTP/1.1\\r\\nhost: a@b\\r\\n\\r\\n\n" },
    Place {
        name: "header-name",
        about: "in a header's name",
        lines: "> GET /a HTTP/1.1\\r\\nhost: a\\r\\nx-@y: 1\\r\\n\\r\\n\n",
    },
    Place {
        name: "header-value",
        about: "in a header's value",
        lines: "> GET /a HTTP/1.1\\r\\nhost: a\\r\\nx-y: 1@2\\r\\n\\r\\n\n",
    },
    Place {
        name: "body",
        about: "in a body",
        lines: "> POST /a HTTP/1.1\\r\\nhost: a\\r\\ncontent-length: 5\\r\\ncontent-type: text/plain\\r\\n\\r\\nab@cd\n",
    },
    Place {
        name: "chunk-extension",
        about: "in a chunk's extension",
        lines: "> POST /a HTTP/1.1\\r\\nhost: a\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n1;x=@\\r\\na\\r\\n0\\r\\n\\r\\n\n",
    },
    Place {
        name: "trailer",
        about: "in a trailer's value",
        lines: "> POST /a HTTP/1.1\\r\\nhost: a\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n1\\r\\na\\r\\n0\\r\\nx-t: 1@2\\r\\n\\r\\n\n",
    },
];

const HTTP2: [Place; 5] = [
    Place {
        name: "path",
        about: "in the path",
        lines: "headers 1 end\n  :method: GET\n  :scheme: http\n  :path: /a@b\n  :authority: a\n",
    },
    Place {
        name: "method",
        about: "in the method",
        lines: "headers 1 end\n  :method: GE@T\n  :scheme: http\n  :path: /a\n  :authority: a\n",
    },
    Place {
        name: "header-name",
        about: "in a header's name",
        lines: "headers 1 end\n  :method: GET\n  :scheme: http\n  :path: /a\n  :authority: a\n  x-@y: 1\n",
    },
    Place {
        name: "header-value",
        about: "in a header's value",
        lines: "headers 1 end\n  :method: GET\n  :scheme: http\n  :path: /a\n  :authority: a\n  x-y: 1@2\n",
    },
    Place {
        name: "trailer",
        about: "in a trailer's value",
        lines: "headers 1\n  :method: POST\n  :scheme: http\n  :path: /a\n  :authority: a\ndata 1 a\nheaders 1 end\n  x-t: 1@2\n",
    },
];

const ANSWER: [Place; 2] = [
    Place {
        name: "header-value",
        about: "in a header's value of an answer",
        lines: "> HTTP/1.1 200 OK\\r\\ndate: d\\r\\nx-y: 1@2\\r\\ncontent-length: 2\\r\\n\\r\\nok\n",
    },
    Place {
        name: "body",
        about: "in an answer's body",
        lines: "> HTTP/1.1 200 OK\\r\\ndate: d\\r\\ncontent-type: text/plain\\r\\ncontent-length: 5\\r\\n\\r\\nab@cd\n",
    },
];

/// Path below the corpus and text of each file.
pub fn files() -> Vec<(String, String)> {
    let protocols: [(&str, &[Place]); 3] = [("http1", &HTTP1), ("http2", &HTTP2), ("answer", &ANSWER)];
    let mut files = Vec::new();
    for (protocol, places) in protocols {
        for place in places {
            for byte in odd_bytes() {
                let path = format!("bytes-{protocol}/{}-{byte:02x}.case", place.name);
                let mut text = String::new();
                let _ = writeln!(text, "# Byte 0x{byte:02x} {}.", place.about);
                let _ = writeln!(text, "{protocol}");
                text.push_str(&place.lines.replace('@', &format!("\\x{byte:02x}")));
                files.push((path, text));
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::hostile::{cases, folder};

    #[test]
    fn the_files_of_the_families_are_current() {
        for (path, text) in files() {
            let path = folder().join(path);
            if std::env::var_os("UPDATE").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &text).unwrap();
            }
            let there = fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "{} is not current: run this test with UPDATE=1", path.display());
        }
    }

    #[test]
    fn every_file_is_read_and_there_are_more_than_four_hundred_requests() {
        let cases = cases().unwrap();

        let names: BTreeSet<_> = cases.iter().map(|case| case.name.clone()).collect();
        assert_eq!(names.len(), cases.len());
        let by_hand = cases.iter().filter(|case| !case.name.starts_with("bytes-")).count();
        assert!(cases.len() >= 1_000 && by_hand >= 400, "{} cases, {by_hand} by hand", cases.len());
    }

    #[test]
    fn the_page_counts_every_file() {
        let page = fs::read_to_string(folder().join("../../docs/hostile-input.md")).unwrap();

        let rows = page.lines().filter(|line| line.starts_with("| `"));
        let counted: usize = rows.filter_map(|row| row.split(" | ").nth(1)?.parse::<usize>().ok()).sum();
        assert_eq!(counted, cases().unwrap().len());
        assert!(page.contains(&format!("{},{:03} messages", counted / 1_000, counted % 1_000)));
    }
}
