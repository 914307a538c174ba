//! What is written: a record of its own, or whatever can be read as one while it is handed over.

use bytes::Bytes;

/// One record to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Decides on the partition; without one any partition may get it.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Bytes,
    /// Names and values, in order.
    pub headers: Vec<(&'static str, Bytes)>,
}

impl Record {
    /// A copy of what can be read as a record.
    pub fn of(record: &impl AsRecord) -> Record {
        let mut headers = Vec::new();
        record.headers(|name, value| headers.push((name, Bytes::copy_from_slice(value))));
        let key = record.key().map(Bytes::copy_from_slice);
        Record { key, value: Bytes::copy_from_slice(record.value()), headers }
    }
}

/// What can be read as a record. The client copies each record in any case: whoever has its parts need not make one first.
pub trait AsRecord {
    /// As [`Record::key`].
    fn key(&self) -> Option<&[u8]>;

    /// As [`Record::value`].
    fn value(&self) -> &[u8];

    /// Gives each header to `take`, in order.
    fn headers(&self, take: impl FnMut(&'static str, &[u8]));
}

impl AsRecord for Record {
    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn value(&self) -> &[u8] {
        &self.value
    }

    fn headers(&self, mut take: impl FnMut(&'static str, &[u8])) {
        self.headers.iter().for_each(|(name, value)| take(name, value));
    }
}

impl<R: AsRecord> AsRecord for &R {
    fn key(&self) -> Option<&[u8]> {
        (**self).key()
    }

    fn value(&self) -> &[u8] {
        (**self).value()
    }

    fn headers(&self, take: impl FnMut(&'static str, &[u8])) {
        (**self).headers(take);
    }
}

/// Bytes of key and value.
pub(super) fn bytes(record: &impl AsRecord) -> u64 {
    (record.value().len() + record.key().map_or(0, <[u8]>::len)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_all_that_the_record_has() {
        let headers = vec![("seq", "7".into()), ("content-type", "text/plain".into())];
        let record = Record { key: Some("ab-7".into()), value: "{}".into(), headers };

        assert_eq!(Record::of(&&record), record);
        assert_eq!(Record::of(&Record::default()), Record::default());
        assert_eq!(bytes(&record), 6);
    }
}
