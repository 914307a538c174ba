use super::*;

const HELP: &str = "\
Takes exchanges.

Usage: tributary-collector [OPTIONS] [COMMAND]

Commands:
  health  Asks a running one --whether it serves

Options:
      --listen <ADDRESS:PORT>
          Address and port to listen on; not --file

          [env: TRIBUTARY_LISTEN=]
          [default: 127.0.0.1:8088]

  -b, --brokers <HOST:PORT>
          Kafka [default:
          none] [env: TRIBUTARY_BROKERS=]

  -h, --help
          Print help
";

fn table(text: &str) -> Table {
    Document::parse(text).tables.into_iter().next().unwrap()
}

fn problems(text: &str) -> Vec<String> {
    compare_flags("README.md:1", &table(text), &flags(HELP)).problems
}

#[test]
fn flags_variables_and_defaults_are_read_from_help() {
    let flag = |variable: &str, default: &str| Flag { variable: variable.to_owned(), default: default.to_owned() };

    let read = flags(HELP).into_iter().collect::<Vec<_>>();

    assert_eq!(
        read,
        [
            ("--brokers".to_owned(), flag("TRIBUTARY_BROKERS", "none")),
            ("--listen".to_owned(), flag("TRIBUTARY_LISTEN", "127.0.0.1:8088")),
        ]
    );
}

#[test]
fn table_that_says_the_same_is_right() {
    let text = "| Flag | Environment | Default |\n|---|---|---|\n\
                | `--brokers HOST:PORT` | `TRIBUTARY_BROKERS` | `none` |\n\
                | `--listen` | `TRIBUTARY_LISTEN` | `127.0.0.1:8088` |\n";

    assert_eq!(problems(text), [""; 0]);
}

#[test]
fn columns_that_the_table_does_not_have_are_not_compared() {
    assert_eq!(problems("| Flag |\n|---|\n| `--brokers` |\n| `--listen` |\n"), [""; 0]);
}

#[test]
fn every_difference_is_named() {
    let text = "| Flag | Environment | Default |\n|---|---|---|\n\
                | `--listen` | `LISTEN` | `0.0.0.0:8088` |\n| `--gone` | – | – |\n";

    assert_eq!(
        problems(text),
        [
            "README.md:1: --brokers is missing",
            "README.md:1: the variable of --listen is \"LISTEN\" here and \"TRIBUTARY_LISTEN\" in --help",
            "README.md:1: the default of --listen is \"0.0.0.0:8088\" here and \"127.0.0.1:8088\" in --help",
            "README.md:1: --help does not have --gone",
        ]
    );
}

#[test]
fn filter_table_has_to_have_the_printed_rows_and_no_others() {
    let printed = "| Setting | Default |\n|---|---|\n| `a` | 1 |\n| `b` | 2 |\n";
    let text = "| Setting | Default |\n|---|---|\n| `a` | 1 |\n| `b` | 3 |\n";

    let same = compare_filter("README.md:1", &table(printed), printed);
    let other = compare_filter("README.md:1", &table(text), printed);

    assert_eq!(same.problems, [""; 0]);
    assert_eq!(
        other.problems,
        ["README.md:1: there should be a row | `b` | 2 |", "README.md:1: the filter says nothing like | `b` | 3 |",]
    );
}
