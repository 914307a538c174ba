//! The output beside the rules of SARIF 2.1.0 (OASIS), for the objects that we write: what each must have, and that it
//! has nothing that the standard does not know.

use super::*;

/// The rules as a JSON Schema, written from the sections 3.13 (log) to 3.49 (rule) of the standard.
fn rules() -> Value {
    let closed = |required: &[&str], properties: Value| json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false });
    let text = json!({ "type": "string", "minLength": 1 });
    let message = closed(&["text"], json!({ "text": text }));
    let level = json!({ "enum": ["none", "note", "warning", "error"] });
    let index = json!({ "type": "integer", "minimum": 0 });
    let location = closed(
        &["uri"],
        json!({ "uri": { "type": "string", "format": "uri-reference", "minLength": 1 }, "index": index }),
    );
    let rule = closed(
        &["id"],
        json!({ "id": text, "shortDescription": message, "defaultConfiguration": closed(&["level"], json!({ "level": level })) }),
    );
    let semantic = json!({ "type": "string", "pattern": r"^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$" });
    let driver = closed(
        &["name", "rules"],
        json!({ "name": text, "semanticVersion": semantic, "rules": { "type": "array", "minItems": 1, "uniqueItems": true, "items": rule } }),
    );
    let region = closed(&["startLine"], json!({ "startLine": { "type": "integer", "minimum": 1 } }));
    let place = closed(
        &["physicalLocation", "logicalLocations"],
        json!({
            "physicalLocation": closed(&["artifactLocation"], json!({ "artifactLocation": location, "region": region })),
            "logicalLocations": { "type": "array", "minItems": 1, "items": closed(&["fullyQualifiedName"], json!({ "fullyQualifiedName": text })) },
        }),
    );
    let result = closed(
        &["ruleId", "ruleIndex", "message", "locations"],
        json!({
            "ruleId": text, "ruleIndex": index, "level": level, "message": message,
            "locations": { "type": "array", "minItems": 1, "items": place },
            "occurrenceCount": { "type": "integer", "minimum": 1 },
            "partialFingerprints": { "type": "object", "additionalProperties": { "type": "string" } },
            "properties": { "type": "object" },
        }),
    );
    let run = closed(
        &["tool", "results"],
        json!({
            "tool": closed(&["driver"], json!({ "driver": driver })),
            "columnKind": { "enum": ["utf16CodeUnits", "unicodeCodePoints"] },
            "artifacts": { "type": "array", "uniqueItems": true, "items": closed(&["location"], json!({ "location": location })) },
            "results": { "type": "array", "items": result },
        }),
    );
    closed(
        &["version", "$schema", "runs"],
        json!({
            "version": { "const": "2.1.0" },
            "$schema": { "type": "string", "pattern": r"^https://.*/sarif-schema-2\.1\.0\.json$" },
            "runs": { "type": "array", "minItems": 1, "maxItems": 1, "items": run },
        }),
    )
}

fn faults_of(sarif: &Value) -> Vec<String> {
    let validator = jsonschema::options().should_validate_formats(true).build(&rules()).unwrap();
    validator.iter_errors(sarif).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// A drift with a finding of each kind.
fn drift_of_all_kinds() -> Drift {
    let findings = Kind::ALL.into_iter().zip(0..).map(|(kind, number)| Finding {
        operation: "GET /users/{userId}".to_owned(),
        kind,
        place: if number % 2 == 0 { String::new() } else { "query page".to_owned() },
        message: "is not as documented".to_owned(),
        pointer: "/paths/~1users~1{userId}/get".to_owned(),
        count: number,
        example: format!("e{number}"),
    });
    Drift { findings: findings.collect(), compared: 9, ..Drift::default() }
}

#[test]
fn output_keeps_the_rules_of_sarif() {
    let text = "openapi: 3.0.3\npaths:\n  /users/{userId}:\n    get: {}\n";
    for file in ["api/shop.yaml", "/srv/my shop.yaml", "100%.yaml", "v1:shop.yaml"] {
        let sarif = drift_of_all_kinds().sarif(file, text);

        assert_eq!(faults_of(&sarif), Vec::<String>::new(), "{file}");
        let run = &sarif["runs"][0];
        let (rules, results) = (run["tool"]["driver"]["rules"].as_array().unwrap(), run["results"].as_array().unwrap());
        assert_eq!((rules.len(), results.len()), (Kind::ALL.len(), Kind::ALL.len()));
        for (result, number) in results.iter().zip(0..) {
            let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"]);
            assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
            let told = result["message"]["text"].as_str().unwrap();
            assert!(told.contains("GET /users/{userId}") && told.contains(&format!("e{number}")), "{told}");
            let place = &result["locations"][0]["physicalLocation"];
            let artifact = &run["artifacts"][place["artifactLocation"]["index"].as_u64().unwrap() as usize];
            assert_eq!(artifact["location"]["uri"], place["artifactLocation"]["uri"]);
            assert_eq!(place["region"], json!({ "startLine": 3 }));
        }
    }
}

#[test]
fn output_without_a_finding_keeps_the_rules_too() {
    let sarif = Drift::default().sarif("shop.yaml", "");

    assert_eq!(faults_of(&sarif), Vec::<String>::new());
    assert_eq!(sarif["runs"][0]["results"], json!([]));
}

#[test]
fn output_that_breaks_a_rule_is_found_out() {
    let sarif = drift_of_all_kinds().sarif("shop.yaml", "");
    let broken = [
        ("/version", json!("2.0.0")),
        ("/runs/0/tool/driver/name", json!("")),
        ("/runs/0/results/0/message/text", json!(1)),
        ("/runs/0/results/0/locations", json!([])),
        ("/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri", json!("a b%")),
    ];

    for (pointer, value) in broken {
        let mut sarif = sarif.clone();
        *sarif.pointer_mut(pointer).unwrap() = value;
        assert_eq!(faults_of(&sarif).len(), 1, "{pointer}");
    }
}
