//! OpenAPI documents as files: JSON or YAML in, JSON or YAML out. Here they are JSON values; what they mean is the
//! concern of `tributary-openapi`.

use std::{fs, path::Path};

use anyhow::{Context, anyhow};
use serde_json::Value;

use crate::failure::Failure;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// JSON, indented by two.
    Json,
    /// YAML 1.2, which readers of 1.1 understand the same way: what they would take for something else is quoted.
    Yaml,
}

impl Form {
    /// The form that the ending of a file name says: `.json`, `.yaml` or `.yml`.
    pub(crate) fn of(path: &Path) -> Option<Form> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "json" => Some(Form::Json),
            "yaml" | "yml" => Some(Form::Yaml),
            _ => None,
        }
    }

    /// The document as text, with a line break at its end.
    ///
    /// # Errors
    /// It cannot be written in this form; none is known.
    pub(crate) fn write(self, document: &Value) -> Result<Vec<u8>, Failure> {
        let mut text = match self {
            Form::Json => serde_json::to_string_pretty(document).map_err(Failure::fault)?,
            Form::Yaml => {
                // One line stays one line: folding is where readers of YAML differ most.
                let options = serde_saphyr::ser_options! { prefer_block_scalars: false, compact_list_indent: false };
                serde_saphyr::to_string_with_options(document, options).map_err(Failure::fault)?
            }
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Ok(text.into_bytes())
    }
}

/// Reads a document: JSON if the file is named `.json`, YAML otherwise (which JSON is, too).
///
/// # Errors
/// The file cannot be read, is neither, or holds no object.
pub(crate) fn read(path: &Path) -> Result<Value, Failure> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}")).map_err(Failure::no_input)?;
    let document = match Form::of(path) {
        Some(Form::Json) => serde_json::from_str(&text).with_context(|| format!("{name} is not JSON")),
        _ => from_yaml(&text).with_context(|| format!("{name} is not YAML")),
    };
    match document.map_err(Failure::data)? {
        document @ Value::Object(_) => Ok(document),
        _ => {
            Err(Failure::data(anyhow!("{name} is no OpenAPI document: it must be an object with openapi, info, paths")))
        }
    }
}

fn from_yaml(text: &str) -> anyhow::Result<Value> {
    // Descriptions of large services are larger than what the library takes for an attack; aliases stay limited.
    let options = serde_saphyr::options! { budget: None, strict_booleans: true, with_snippet: false };
    Ok(serde_saphyr::from_str_with_options(text, options)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn yaml(document: &Value) -> String {
        String::from_utf8(Form::Yaml.write(document).unwrap()).unwrap()
    }

    fn read_as(name: &str, text: &str) -> Result<Value, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        read(&path)
    }

    fn refused(name: &str, text: &str) -> String {
        let failure = read_as(name, text).unwrap_err();
        assert_eq!(failure.exit_code, crate::failure::EXIT_DATA);
        format!("{:#}", failure.error.unwrap()).split_once(name).unwrap().1.to_owned()
    }

    #[test]
    fn form_is_said_by_the_ending() {
        let form = |name: &str| Form::of(Path::new(name));

        assert_eq!(form("openapi.json"), Some(Form::Json));
        assert_eq!([form("a.yaml"), form("a.YML")], [Some(Form::Yaml); 2]);
        assert_eq!([form("specs"), form("a.txt"), form(".json")], [None; 3]);
    }

    #[test]
    fn yaml_is_indented_and_quotes_what_others_would_misread() {
        let document = json!({
            "openapi": "3.1.0",
            "paths": {"/users/{userId}": {"get": {"responses": {"200": {"description": "OK"}}}}},
            "tags": [{"name": "users"}, {"name": "no"}],
            "enum": ["on", "2020-01-31", "12:30", "1e3", "null", "~", "", "0x1f", "- a", "a: b", "a #b"],
            "y": {}, "no": [],
        });

        let text = yaml(&document);

        let expected = r#"openapi: "3.1.0"
paths:
  "/users/{userId}":
    get:
      responses:
        "200":
          description: OK
"#;
        assert!(text.starts_with(expected), "{text}");
        for quoted in [r#"name: "no""#, r#"- "on""#, r#"- "2020-01-31""#, r#"- "12:30""#, r#"- "1e3""#, r#""no": []"#] {
            assert!(text.replace('\'', "\"").contains(quoted), "{quoted} is not in\n{text}");
        }
        assert_eq!(from_yaml(&text).unwrap(), document);
    }

    #[test]
    fn yaml_written_by_people_is_read_as_they_mean_it() {
        let text = "\
openapi: 3.0.3
info: {title: &title Shop, version: '1'}
paths:
  /users:
    get:
      responses:
        200:
          description: *title
          content: {application/json: {schema: {$ref: '#/components/schemas/User'}}}
        default: {description: on}
";

        let document = read_as("shop.yaml", text).unwrap();

        let responses = &document["paths"]["/users"]["get"]["responses"];
        assert_eq!(responses["200"]["description"], "Shop");
        assert_eq!(responses["200"]["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/User");
        assert_eq!(responses["default"]["description"], "on");
        assert_eq!(document["info"]["version"], "1");
    }

    #[test]
    fn file_that_is_no_document_is_refused_by_name() {
        assert!(refused("a.json", "{").starts_with(" is not JSON: "));
        assert!(refused("a.yaml", "a: [").starts_with(" is not YAML: "));
        assert_eq!(refused("a.yml", "- a"), " is no OpenAPI document: it must be an object with openapi, info, paths");
        assert_eq!(read(Path::new("no/such.json")).unwrap_err().exit_code, crate::failure::EXIT_NO_INPUT);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = || prop_oneof![any::<String>(), "[-+.0-9eExob_:~ #'\"\\[\\]{}&*!|>%@`,?a-z\n\t]{0,8}"];
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()).prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((text(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_as_yaml_is_read_back_the_same(value in any_value()) {
            let document = json!({ "document": value });

            let text = yaml(&document);

            prop_assert_eq!(from_yaml(&text).map_err(|error| TestCaseError::fail(format!("{error:#}\n{text}")))?, document);
        }
    }
}
