//! Random damage to real spools, against a model that knows what is still intact.
//!
//! The model does not read spools: it looks for the exact bytes of each item's frames in the files of its segment.
//! What it finds has to be replayed, byte for byte and in order; nothing else may be; and the rest has to be counted.
//! `TRIBUTARY_SPOOL_MUTATIONS=10000` sets the number of spools, `TRIBUTARY_SPOOL_SEED` the first seed.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use memchr::memmem;

use super::{tests::copy, *};

const DEFAULT_SPOOLS: u64 = 100;

/// Seeds that have found a fault. 553: SQLite deleted the log of a database whose schema it could not read.
const FOUND: [u64; 1] = [553];

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % end.max(1)
    }

    fn bytes(&mut self, max: u64) -> Vec<u8> {
        let len = 1 + self.below(max);
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

/// In memory where there is such a place: nothing here depends on a disk, and many spools are made.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// A spool as a killed process left it, and what is in it.
struct Original {
    folder: tempfile::TempDir,
    items: BTreeMap<u64, Bytes>,
    settled_below: u64,
}

async fn original() -> Original {
    let (used, folder) = (scratch(), scratch());
    let settings = SpoolSettings { segment_bytes: 96 * 1024, ..super::tests::settings(used.path()) };
    let spool = Spool::open(settings).unwrap();
    let mut items = BTreeMap::new();
    let mut random = Random::new(7);
    for group in 0..24_u64 {
        let group: Vec<(Kind, Bytes)> = (0..8)
            .map(|place| {
                let len = if random.below(20) == 0 { 40_000 } else { 100 + random.below(1200) };
                (Kind::Exchange, super::tests::line(group * 8 + place, len as usize))
            })
            .collect();
        for (_, bytes) in &group {
            items.insert(items.len() as u64 + 1, bytes.clone());
        }
        spool.append(group).await.unwrap();
    }
    let mut replay = spool.replay();
    let Next::Batch(batch) = replay.next(5, usize::MAX).unwrap() else { panic!("no batch") };
    replay.settle(&batch, Fates { replayed: 5, ..Fates::default() }).unwrap();
    copy(used.path(), folder.path());
    Original { folder, items, settled_below: batch.range.end }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// Damages the folder in one way; in words what it did.
fn mutate(folder: &Path, random: &mut Random) -> String {
    let files = files(folder);
    let path = &files[random.below(files.len() as u64) as usize];
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let len = fs::metadata(path).unwrap().len();
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    match random.below(8) {
        0 | 1 => {
            let end = random.below(len + 1);
            file.set_len(end).unwrap();
            format!("{name} cut to {end}")
        }
        2 | 3 if len > 0 => {
            let count = 1 + random.below(8);
            for _ in 0..count {
                let place = random.below(len);
                let mut byte = [0];
                file.read_exact_at(&mut byte, place).unwrap();
                file.write_all_at(&[byte[0] ^ (1 << random.below(8))], place).unwrap();
            }
            format!("{count} bits of {name} flipped")
        }
        4 if len > 0 => {
            let start = random.below(len);
            let count = 1 + random.below((len - start).min(40_000));
            file.write_all_at(&vec![0; count as usize], start).unwrap();
            format!("{name} zeroed from {start}, {count} bytes")
        }
        5 => {
            fs::remove_file(path).unwrap();
            format!("{name} deleted")
        }
        6 => {
            let garbage = random.bytes(3000);
            file.write_all_at(&garbage, len).unwrap();
            format!("{} bytes added to {name}", garbage.len())
        }
        _ => {
            let names = [
                "notes.txt",
                "00000000000000000050.spool",
                "99999999999999999999.spool",
                "00000000000000000050.spool-journal",
            ];
            let name = names[random.below(names.len() as u64) as usize];
            let garbage = random.bytes(60_000);
            fs::write(folder.join(name), garbage).unwrap();
            format!("foreign file {name}")
        }
    }
}

/// The segment whose name covers the number, by the names of the original.
fn segment_of(seq: u64, firsts: &[u64]) -> u64 {
    *firsts.iter().rev().find(|first| **first <= seq).unwrap()
}

/// A place in a file of the original where a frame lies.
struct Place {
    name: String,
    start: usize,
}

/// An item, and for each of its frames the bytes and all places where they lie.
struct Known {
    item: Item,
    frames: Vec<(Vec<u8>, Vec<Place>)>,
}

fn known(item: Item, firsts: &[u64], folder: &Path) -> Known {
    let first = segment_of(item.seq, firsts);
    let held: Vec<(String, Vec<u8>)> = [format!("{first:020}.spool"), format!("{first:020}.spool-wal")]
        .into_iter()
        .map(|name| (name.clone(), fs::read(folder.join(name)).unwrap()))
        .collect();
    let mut frames = Vec::new();
    frame::write(&item, &mut Vec::new(), |frame| {
        let places = held
            .iter()
            .flat_map(|(name, bytes)| memmem::find_iter(bytes, frame).map(|start| Place { name: name.clone(), start }));
        frames.push((frame.to_vec(), places.collect()));
        Ok::<(), ()>(())
    })
    .unwrap();
    Known { item, frames }
}

/// The items of the original that the model finds in a folder: no damage moves bytes that it leaves intact.
fn intact(known: &[Known], folder: &Path) -> Vec<Item> {
    let held: BTreeMap<String, Vec<u8>> = files(folder)
        .iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    let lies_at = |frame: &[u8], place: &Place| {
        held.get(&place.name).is_some_and(|bytes| bytes.get(place.start..place.start + frame.len()) == Some(frame))
    };
    let is_intact =
        |known: &&Known| known.frames.iter().all(|(frame, places)| places.iter().any(|place| lies_at(frame, place)));
    known.iter().filter(is_intact).map(|known| known.item.clone()).collect()
}

/// The original's items as they stand in its frames, times included.
fn undamaged(original: &Original) -> (Vec<Item>, Vec<u64>) {
    let folder = scratch();
    copy(original.folder.path(), folder.path());
    fs::remove_file(folder.path().join("progress")).unwrap();
    let firsts: Vec<u64> = files(folder.path())
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "spool"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    let spool = Spool::open(super::tests::settings(folder.path())).unwrap();
    let items = replayed(&spool);
    assert_eq!(items.iter().map(|item| (item.seq, item.bytes.clone())).collect::<BTreeMap<_, _>>(), original.items);
    (items, firsts)
}

fn replayed(spool: &Spool) -> Vec<Item> {
    let mut replay = spool.replay();
    let mut items = Vec::new();
    loop {
        match replay.next(7, 50_000).unwrap() {
            Next::Batch(batch) => {
                let fates = Fates { replayed: batch.items.len() as u64, ..Fates::default() };
                replay.settle(&batch, fates).unwrap();
                items.extend(batch.items);
                assert!(items.len() < 10_000, "the replay does not end");
            }
            Next::Nothing => return items,
            Next::Unsealed => panic!("nothing is written"),
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_damaged_the_intact_is_replayed_and_the_rest_is_counted() {
    let original = original().await;
    let (items, firsts) = undamaged(&original);
    assert!(firsts.len() > 3, "too few segments to tell anything");
    let known: Vec<Known> = items.iter().map(|item| known(item.clone(), &firsts, original.folder.path())).collect();
    let (spools, first_seed) = (number("TRIBUTARY_SPOOL_MUTATIONS", DEFAULT_SPOOLS), number("TRIBUTARY_SPOOL_SEED", 1));
    let (mut lost_somewhere, mut whole_somewhere) = (0, 0);
    for seed in FOUND.into_iter().chain(first_seed..first_seed + spools) {
        let folder = scratch();
        copy(original.folder.path(), folder.path());
        let mut random = Random::new(seed);
        let done: Vec<String> = (0..=random.below(3)).map(|_| mutate(folder.path(), &mut random)).collect();
        let case = format!("TRIBUTARY_SPOOL_SEED={seed}: {done:?}");
        let mark = fs::read(folder.path().join("progress")).ok();
        let mark_is_good = mark == fs::read(original.folder.path().join("progress")).ok();
        let intact = intact(&known, folder.path());

        let spool =
            Spool::open(super::tests::settings(folder.path())).unwrap_or_else(|error| panic!("{case}: {error}"));
        let came = replayed(&spool);
        let report = spool.report();

        // Without the mark even what was settled comes again.
        let from = if mark_is_good { original.settled_below } else { 0 };
        let expected: Vec<Item> = intact.into_iter().filter(|item| item.seq >= from).collect();
        let numbers = |items: &[Item]| items.iter().map(|item| item.seq).collect::<Vec<u64>>();
        assert_eq!(numbers(&came), numbers(&expected), "{case}");
        assert!(came == expected, "an item came back otherwise than it was: {case}");
        assert!(report.identity_exact && report.waiting == 0, "{case}: {report:?}");
        assert_eq!(report.replayed, expected.len() as u64, "{case}");
        if mark_is_good {
            let filled = filled_below(&original);
            let at_least =
                filled.saturating_sub(from) - expected.iter().filter(|item| item.seq < filled).count() as u64;
            let at_most = items.len() as u64 + 1 - from - expected.len() as u64;
            assert!((at_least..=at_most).contains(&report.lost), "{case}: {report:?}");
        }
        // Between two items that came, every hole is counted.
        let holes: u64 = came.windows(2).map(|pair| pair[1].seq - pair[0].seq - 1).sum();
        assert!(report.lost >= holes, "{case}: {report:?}");
        lost_somewhere += u64::from(report.lost > 0);
        whole_somewhere += u64::from(report.lost == 0);
    }
    assert!(lost_somewhere > spools / 10 && whole_somewhere > spools / 20, "{lost_somewhere} {whole_somewhere}");
}

/// How far the original's mark says it was filled: what is lost beyond that leaves no trace if nothing comes after it.
fn filled_below(original: &Original) -> u64 {
    match mark::Mark::read(original.folder.path()).unwrap() {
        mark::Found::Good(mark) => mark.filled_below,
        _ => panic!("the original has a mark"),
    }
}
