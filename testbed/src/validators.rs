//! Two published validators of OpenAPI documents that know nothing of each other, and what they say to ours.
//!
//! They are fetched parts (`openapi-spec-validator` of PyPI, the engine of Redocly's linter of npm); two small programs
//! in `testbed/validators/` call them. Each runs once for any number of documents, for it takes longer to start than
//! to look at a hundred of them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use xtask::parts;

/// Problems that one error shows; what is wrong is wrong in many places.
const SHOWN: usize = 10;

/// A published validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    /// PyPI `openapi-spec-validator`.
    Python,
    /// npm `@redocly/openapi-core`, with the rules of the specification and those about contradictions.
    Node,
}

/// Both.
pub const VALIDATORS: [Validator; 2] = [Validator::Python, Validator::Node];

/// An OpenAPI document, 3.0 or 3.1, and what to call it in messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// A file name, or whatever tells it from the others.
    pub name: String,
    /// The whole document.
    pub content: Value,
}

impl Document {
    /// The content of a file: YAML if its name ends so, else JSON.
    ///
    /// # Errors
    /// The file cannot be read, or is neither.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        let is_yaml = file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let content = match is_yaml {
            true => serde_saphyr::from_str(&text).with_context(|| format!("{} is no YAML", file.display()))?,
            false => serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?,
        };
        Ok(Self { name: file.display().to_string(), content })
    }
}

/// Has both validators look at these documents.
///
/// # Errors
/// A validator cannot be run; or, with the first ten of them: what they find wrong.
pub fn check(documents: &[Document]) -> Result<()> {
    let mut wrong = Vec::new();
    for validator in VALIDATORS {
        for (document, problems) in documents.iter().zip(validator.problems(documents)?) {
            wrong.extend(problems.iter().map(|problem| format!("{validator:?}: {}: {problem}", document.name)));
        }
    }
    if !wrong.is_empty() {
        let count = wrong.len();
        wrong.truncate(SHOWN);
        bail!("{count} problems in {} documents:\n{}", documents.len(), wrong.join("\n"));
    }
    Ok(())
}

impl Validator {
    /// What is wrong with each document, in the order of the documents; nothing with a valid one.
    ///
    /// # Errors
    /// The validator was not fetched, cannot be started, or does not answer for each document.
    pub fn problems(self, documents: &[Document]) -> Result<Vec<Vec<String>>> {
        let mut file = tempfile::NamedTempFile::new().context("make a file for the validator")?;
        for document in documents {
            writeln!(file, "{}", document.content).context("write the documents for the validator")?;
        }
        file.flush().context("write the documents for the validator")?;

        let output = self.command()?.arg(file.path()).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("start the {self:?} validator"))?;
        ensure!(output.status.success(), "the {self:?} validator ended with {}", output.status);
        let answers = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let answers = answers.map(serde_json::from_slice).collect::<Result<Vec<Vec<String>>, _>>();
        let answers = answers.with_context(|| format!("the {self:?} validator prints something else than lists"))?;
        ensure!(answers.len() == documents.len(), "{} answers to {} documents", answers.len(), documents.len());
        Ok(answers)
    }

    fn command(self) -> Result<Command> {
        let programs = parts::workspace_root().join("testbed").join("validators");
        match self {
            Self::Python => {
                let mut python = Command::new(parts::python_validator()?);
                python.arg(programs.join("validate.py"));
                Ok(python)
            }
            Self::Node => {
                let mut node = Command::new(parts::NODE.path()?);
                node.arg(programs.join("validate.mjs")).arg(parts::node_validator()?.join("node_modules"));
                Ok(node)
            }
        }
    }
}
