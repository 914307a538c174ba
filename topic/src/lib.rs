//! The log: writer and reader of the Kafka topic. The only crate that knows rdkafka.
//!
//! - [`Writer`] takes records and gives one verdict each when Kafka has answered: an acknowledgement means
//!   `acks=all`. It looks after the topic, outlives whatever happens to Kafka, and says what is wrong
//!   ([`Writer::health`]).
//! - [`Reader`] hands out every record of every partition, from a position that is fixed when it opens. It joins no
//!   consumer group, follows new partitions and outlives broker restarts.
//!
//! ```no_run
//! # async fn example() -> Result<(), tributary_topic::TopicError> {
//! use tributary_topic::{Record, Writer, WriterConfig};
//!
//! let writer = Writer::new(WriterConfig::new("localhost:9092", "http_recordings"))?;
//! writer.ensure_topic(3, -1).await?;
//! let verdicts = writer.write([Record { value: "{}".into(), ..Record::default() }]).await;
//! assert_eq!(verdicts, [Ok(())]);
//! # Ok(())
//! # }
//! ```

mod admin;
mod error;
mod health;
mod log;
#[cfg(any(test, feature = "mock"))]
pub mod mock;
mod reader;
mod setting;
mod settings;
mod writer;

pub use admin::TopicFacts;
pub use error::TopicError;
pub use health::{Cause, Problem};
pub use reader::{Delivered, Reader, ReaderConfig, Start};
pub use setting::{NotASetting, Setting};
pub use settings::{Compression, Unverified, WriterConfig};
pub use writer::{AsRecord, Record, RecordError, Writer};
