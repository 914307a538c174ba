//! The stores, each as the spool would use it. All of them sync before `append` returns.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use fjall::{Database as Fjall, Keyspace, KeyspaceCreateOptions, PersistMode};
use redb::{Database as Redb, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use rusqlite::{Connection, config::DbConfig, params};

pub(crate) type Group = [(u64, Vec<u8>)];
pub(crate) type Take<'a> = dyn FnMut(u64, &[u8]) -> anyhow::Result<()> + 'a;

pub(crate) trait Store {
    fn append(&mut self, group: &Group) -> anyhow::Result<()>;
    fn replay(&mut self, take: &mut Take<'_>) -> anyhow::Result<()>;
    fn delete_all(&mut self) -> anyhow::Result<()>;
}

const SEGMENT_BYTES: u64 = 32 << 20;

pub(crate) fn open(name: &str, folder: &Path) -> anyhow::Result<Box<dyn Store>> {
    fs::create_dir_all(folder)?;
    Ok(match name {
        "sqlite" => Box::new(Sqlite::open(&folder.join("spool"), Checkpoints::Own)?),
        "sqlite-segments" => Box::new(Segments::open(folder, |path| Sqlite::open(path, Checkpoints::Never))?),
        "redb" => Box::new(RedbStore::open(&folder.join("spool"))?),
        "redb-segments" => Box::new(Segments::open(folder, RedbStore::open)?),
        "fjall" => Box::new(FjallStore::open(folder)?),
        "plain-log" => Box::new(Segments::open(folder, PlainLog::open)?),
        other => bail!("no store is called {other}"),
    })
}

/// Bounded files; the newest is written, deleting is unlinking.
struct Segments<S> {
    folder: PathBuf,
    make: fn(&Path) -> anyhow::Result<S>,
    newest: S,
    bytes: u64,
    paths: Vec<PathBuf>,
}

impl<S: Store> Segments<S> {
    fn open(folder: &Path, make: fn(&Path) -> anyhow::Result<S>) -> anyhow::Result<Segments<S>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "spool") {
                paths.push(path);
            }
        }
        paths.sort();
        let number = paths.len();
        if paths.is_empty() {
            paths.push(folder.join("00000000.spool"));
        }
        let newest = make(paths.last().context("a path")?)?;
        // As the spool does it: what a crash left is read to its end once, the newest segment only.
        let mut newest = newest;
        if number > 0 {
            newest.replay(&mut |_, _| Ok(()))?;
        }
        Ok(Segments { folder: folder.to_owned(), make, newest, bytes: 0, paths })
    }
}

impl<S: Store> Store for Segments<S> {
    fn append(&mut self, group: &Group) -> anyhow::Result<()> {
        if self.bytes >= SEGMENT_BYTES {
            let path = self.folder.join(format!("{:08}.spool", self.paths.len()));
            self.newest = (self.make)(&path)?;
            File::open(&self.folder)?.sync_all()?;
            self.paths.push(path);
            self.bytes = 0;
        }
        self.bytes += group.iter().map(|(_, line)| line.len() as u64).sum::<u64>();
        self.newest.append(group)
    }

    fn replay(&mut self, take: &mut Take<'_>) -> anyhow::Result<()> {
        let (newest, sealed) = self.paths.split_last().context("a path")?;
        let _ = newest;
        for path in sealed {
            (self.make)(path)?.replay(take)?;
        }
        self.newest.replay(take)
    }

    fn delete_all(&mut self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(File::open(&self.folder)?.sync_all()?)
    }
}

enum Checkpoints {
    /// When SQLite wants to: pages are written a second time, into the database.
    Own,
    /// The write-ahead log is all there ever is.
    Never,
}

struct Sqlite(Connection);

impl Sqlite {
    fn open(path: &Path, checkpoints: Checkpoints) -> anyhow::Result<Sqlite> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "page_size", page_bytes())?;
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        if matches!(checkpoints, Checkpoints::Never) {
            connection.execute("CREATE TABLE IF NOT EXISTS items (seq INTEGER PRIMARY KEY, item BLOB NOT NULL)", [])?;
            connection.pragma_update(None, "wal_autocheckpoint", 0)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        } else {
            connection.execute("CREATE TABLE IF NOT EXISTS items (seq INTEGER PRIMARY KEY, item BLOB NOT NULL)", [])?;
        }
        Ok(Sqlite(connection))
    }
}

fn page_bytes() -> u32 {
    std::env::var("PAGE_BYTES").ok().and_then(|text| text.parse().ok()).unwrap_or(8192)
}

impl Store for Sqlite {
    fn append(&mut self, group: &Group) -> anyhow::Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO items VALUES (?1, ?2)")?;
            for (id, line) in group {
                insert.execute(params![*id as i64, framed(line)])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn replay(&mut self, take: &mut Take<'_>) -> anyhow::Result<()> {
        let mut select = self.0.prepare("SELECT seq, item FROM items ORDER BY seq")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            take(id as u64, checked(row.get_ref(1)?.as_blob()?)?)?;
        }
        Ok(())
    }

    fn delete_all(&mut self) -> anyhow::Result<()> {
        // As a replay would: batch by batch.
        while self.0.execute("DELETE FROM items WHERE seq IN (SELECT seq FROM items ORDER BY seq LIMIT 4096)", [])? > 0 {
        }
        Ok(())
    }
}

const ITEMS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("items");

struct RedbStore(Redb);

impl RedbStore {
    fn open(path: &Path) -> anyhow::Result<RedbStore> {
        Ok(RedbStore(Redb::create(path)?))
    }
}

impl Store for RedbStore {
    fn append(&mut self, group: &Group) -> anyhow::Result<()> {
        let transaction = self.0.begin_write()?;
        {
            let mut table = transaction.open_table(ITEMS)?;
            for (id, line) in group {
                table.insert(*id, framed(line).as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn replay(&mut self, take: &mut Take<'_>) -> anyhow::Result<()> {
        let transaction = self.0.begin_read()?;
        for item in transaction.open_table(ITEMS)?.iter()? {
            let (id, line) = item?;
            take(id.value(), checked(line.value())?)?;
        }
        Ok(())
    }

    fn delete_all(&mut self) -> anyhow::Result<()> {
        loop {
            let transaction = self.0.begin_write()?;
            let emptied = {
                let mut table = transaction.open_table(ITEMS)?;
                let last = table.iter()?.take(4096).last().transpose()?.map(|(id, _)| id.value());
                match last {
                    Some(last) => {
                        table.retain_in(..=last, |_, _| false)?;
                        false
                    }
                    None => true,
                }
            };
            transaction.commit()?;
            if emptied {
                return Ok(());
            }
        }
    }
}

struct FjallStore {
    database: Fjall,
    items: Keyspace,
}

impl FjallStore {
    fn open(folder: &Path) -> anyhow::Result<FjallStore> {
        let database = Fjall::builder(folder).open()?;
        let items = database.keyspace("items", KeyspaceCreateOptions::default)?;
        Ok(FjallStore { database, items })
    }
}

impl Store for FjallStore {
    fn append(&mut self, group: &Group) -> anyhow::Result<()> {
        let mut batch = self.database.batch();
        for (id, line) in group {
            batch.insert(&self.items, id.to_be_bytes(), framed(line));
        }
        batch.commit()?;
        Ok(self.database.persist(PersistMode::SyncData)?)
    }

    fn replay(&mut self, take: &mut Take<'_>) -> anyhow::Result<()> {
        for guard in self.items.iter() {
            let (id, line) = guard.into_inner()?;
            take(u64::from_be_bytes(id.as_ref().try_into()?), checked(&line)?)?;
        }
        Ok(())
    }

    fn delete_all(&mut self) -> anyhow::Result<()> {
        loop {
            let mut batch = self.database.batch();
            let mut count = 0;
            for guard in self.items.iter().take(4096) {
                batch.remove(&self.items, guard.key()?);
                count += 1;
            }
            batch.commit()?;
            self.database.persist(PersistMode::SyncData)?;
            if count == 0 {
                return Ok(());
            }
        }
    }
}

/// No library: length, checksum, bytes. The floor.
struct PlainLog {
    file: File,
    path: PathBuf,
}

impl PlainLog {
    fn open(path: &Path) -> anyhow::Result<PlainLog> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(PlainLog { file, path: path.to_owned() })
    }
}

impl Store for PlainLog {
    fn append(&mut self, group: &Group) -> anyhow::Result<()> {
        let mut buffer = Vec::new();
        for (id, line) in group {
            buffer.extend_from_slice(&id.to_le_bytes());
            buffer.extend_from_slice(&(line.len() as u32 + 4).to_le_bytes());
            buffer.extend_from_slice(&framed(line));
        }
        self.file.write_all(&buffer)?;
        Ok(self.file.sync_data()?)
    }

    fn replay(&mut self, take: &mut Take<'_>) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        File::open(&self.path)?.read_to_end(&mut bytes)?;
        let mut rest = bytes.as_slice();
        while let Some((head, tail)) = rest.split_at_checked(12) {
            let id = u64::from_le_bytes(head[..8].try_into()?);
            let len = u32::from_le_bytes(head[8..].try_into()?) as usize;
            let (item, others) = tail.split_at_checked(len).context("torn")?;
            take(id, checked(item)?)?;
            rest = others;
        }
        Ok(())
    }

    fn delete_all(&mut self) -> anyhow::Result<()> {
        Ok(fs::remove_file(&self.path)?)
    }
}

/// Every store keeps a checksum of ours with each line: none of them has one that covers a line for its whole way.
fn framed(line: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(line.len() + 4);
    framed.extend_from_slice(&crc32fast::hash(line).to_le_bytes());
    framed.extend_from_slice(line);
    framed
}

fn checked(framed: &[u8]) -> anyhow::Result<&[u8]> {
    let (sum, line) = framed.split_at_checked(4).context("too short")?;
    ensure!(crc32fast::hash(line).to_le_bytes() == sum, "a checksum is wrong");
    Ok(line)
}
