use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use super::*;

const MIB: u64 = 1024 * 1024;

pub(super) fn settings(folder: &Path) -> SpoolSettings {
    SpoolSettings { folder: folder.to_owned(), max_bytes: 64 * MIB, segment_bytes: 256 * 1024 }
}

fn open(folder: &Path) -> Spool {
    Spool::open(settings(folder)).expect("a good folder")
}

pub(super) fn line(number: u64, len: usize) -> Bytes {
    let mut text = format!("{{\"number\":{number},\"body\":\"");
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while text.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(char::from(b'a' + (state % 26) as u8));
    }
    text.push_str("\"}");
    text.into()
}

async fn append(spool: &Spool, numbers: std::ops::Range<u64>, len: usize) -> Result<(), AppendError> {
    spool.append(numbers.map(|number| (Kind::Exchange, line(number, len))).collect()).await
}

/// Everything that waits, settled as replayed.
async fn drain(spool: &Spool) -> Vec<Item> {
    let mut replay = spool.replay();
    let mut items = Vec::new();
    for _ in 0..100_000 {
        match replay.next(100, 256 * 1024).expect("a readable disk") {
            Next::Batch(batch) => {
                let fates = Fates { replayed: batch.items.len() as u64, ..Fates::default() };
                replay.settle(&batch, fates).expect("a writable disk");
                items.extend(batch.items);
            }
            Next::Unsealed => spool.seal().await,
            Next::Nothing => return items,
        }
    }
    panic!("the replay does not end");
}

fn bytes_of(items: &[Item]) -> Vec<Bytes> {
    items.iter().map(|item| item.bytes.clone()).collect()
}

/// What a process that is killed leaves behind: the files as they are, without anything that a good end would do.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn segments(folder: &Path) -> BTreeMap<u64, (std::path::PathBuf, std::path::PathBuf)> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names
        .filter(|path| path.extension().is_some_and(|extension| extension == "spool"))
        .map(|path| {
            let first = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            (first, (path.clone(), path.with_extension("spool-wal")))
        })
        .collect()
}

#[tokio::test]
async fn items_come_back_in_order_and_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    let items = vec![
        (Kind::Exchange, line(1, 700)),
        (Kind::Account, line(2, 300)),
        (Kind::Exchange, Bytes::new()),
        (Kind::Exchange, line(3, 100_000)),
        (Kind::Exchange, line(4, 2 * MIB as usize)),
    ];
    spool.append(items.clone()).await.unwrap();

    let drained = drain(&spool).await;

    let came: Vec<(Kind, Bytes)> = drained.iter().map(|item| (item.kind, item.bytes.clone())).collect();
    assert_eq!(came, items);
    assert_eq!(drained.iter().map(|item| item.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let SpoolReport { appended, replayed, waiting, identity_exact, .. } = spool.report();
    assert_eq!((appended, replayed, waiting, identity_exact), (5, 5, 0, true));
    assert_eq!(segments(folder.path()).len(), 0, "what is replayed is deleted");
}

#[tokio::test]
async fn what_a_killed_process_has_acknowledged_is_there_at_the_next_start() {
    let (folder, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spool = open(folder.path());
    for group in 0..20 {
        append(&spool, group * 100..(group + 1) * 100, 700).await.unwrap();
    }
    copy(folder.path(), left.path());

    let spool = open(left.path());

    assert_eq!((spool.report().recovered, spool.report().waiting), (2000, 2000));
    let expected: Vec<Bytes> = (0..2000).map(|number| line(number, 700)).collect();
    assert_eq!(bytes_of(&drain(&spool).await), expected);
    assert!(spool.report().identity_exact);
}

#[tokio::test]
async fn what_is_settled_does_not_come_again_after_a_kill() {
    let (folder, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spool = open(folder.path());
    append(&spool, 0..100, 700).await.unwrap();
    spool.seal().await;
    let mut replay = spool.replay();
    let Next::Batch(batch) = replay.next(30, usize::MAX).unwrap() else { panic!("no batch") };
    replay.settle(&batch, Fates { replayed: 30, ..Fates::default() }).unwrap();
    copy(folder.path(), left.path());

    let spool = open(left.path());

    assert_eq!(spool.waiting(), 70);
    assert_eq!(bytes_of(&drain(&spool).await), (30..100).map(|number| line(number, 700)).collect::<Vec<_>>());
}

#[tokio::test]
async fn numbers_go_on_after_an_empty_spool_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    append(&spool, 0..10, 700).await.unwrap();
    drain(&spool).await;
    assert!(spool.close(Duration::from_secs(10)).await);
    drop(spool);

    let spool = open(folder.path());
    append(&spool, 0..1, 700).await.unwrap();

    assert_eq!(drain(&spool).await.first().map(|item| item.seq), Some(11));
}

#[tokio::test]
async fn a_full_spool_refuses_and_evicts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let spool =
        Spool::open(SpoolSettings { max_bytes: 2 * MIB, segment_bytes: MIB / 4, ..settings(folder.path()) }).unwrap();
    let mut kept = 0;
    while append(&spool, kept * 100..(kept + 1) * 100, 700).await.is_ok() {
        kept += 1;
        assert!(kept < 100, "the bound is not kept");
    }
    assert!(kept > 5, "{kept} groups are few for the bound");

    assert_eq!(append(&spool, 0..100, 700).await, Err(AppendError::Full));
    assert!(spool.is_full());
    let on_disk: u64 = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= 2 * MIB, "{on_disk}");
    assert_eq!(bytes_of(&drain(&spool).await), (0..kept * 100).map(|number| line(number, 700)).collect::<Vec<_>>());
    assert!(!spool.is_full());
    assert_eq!(append(&spool, 0..100, 700).await, Ok(()));
}

#[tokio::test]
async fn a_post_that_never_fits_does_not_make_the_spool_full_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolSettings { max_bytes: 2 * MIB, ..settings(folder.path()) }).unwrap();

    assert_eq!(append(&spool, 0..1, 3 * MIB as usize).await, Err(AppendError::Full));

    assert!(!spool.is_full());
    assert_eq!(append(&spool, 0..1, 700).await, Ok(()));
}

#[tokio::test]
async fn a_segment_that_is_gone_is_counted_and_its_neighbours_are_replayed() {
    let (folder, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spool = open(folder.path());
    for group in 0..20 {
        append(&spool, group * 100..(group + 1) * 100, 700).await.unwrap();
    }
    copy(folder.path(), left.path());
    let there = segments(left.path());
    let firsts: Vec<u64> = there.keys().copied().collect();
    assert!(firsts.len() > 3);
    let gone = firsts[1]..firsts[2];
    fs::remove_file(&there[&gone.start].0).unwrap();
    fs::remove_file(&there[&gone.start].1).unwrap();

    let spool = open(left.path());

    let seqs: Vec<u64> = drain(&spool).await.iter().map(|item| item.seq).collect();
    assert_eq!(seqs, (1..=2000).filter(|seq| !gone.contains(seq)).collect::<Vec<_>>());
    let report = spool.report();
    assert_eq!((report.lost, report.identity_exact), (gone.end - gone.start, true));
    assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
}

#[tokio::test]
async fn a_disk_that_fails_refuses_and_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    append(&spool, 0..10, 700).await.unwrap();
    spool.seal().await;
    // A folder that holds something stands where the next segment would be made.
    let obstacle = folder.path().join("00000000000000000011.spool");
    fs::create_dir_all(obstacle.join("in the way")).unwrap();

    assert_eq!(append(&spool, 10..20, 700).await, Err(AppendError::Failed));
    assert!(spool.trouble().is_some());

    fs::remove_dir_all(&obstacle).unwrap();
    let started = Instant::now();
    while spool.trouble().is_some() {
        assert!(started.elapsed() < Duration::from_secs(60), "it does not recover");
        tokio::task::yield_now().await;
    }
    assert_eq!(append(&spool, 10..20, 700).await, Ok(()));
    assert_eq!(bytes_of(&drain(&spool).await), (0..20).map(|number| line(number, 700)).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_distrusted_segment_holds_beyond_the_acknowledged_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    append(&spool, 0..10, 700).await.unwrap();
    spool.seal().await;
    // As after a failed sync: the disk has all ten, but only six were acknowledged.
    {
        let mut state = spool.shared.lock();
        let segment = state.sealed.front_mut().unwrap();
        segment.range.end = 7;
        segment.trust = state::Trust::None;
        state.filled_below = 7;
        state.counts.appended = 6;
    }
    append(&spool, 100..110, 700).await.unwrap();

    let drained = drain(&spool).await;

    assert_eq!(bytes_of(&drained), (0..6).chain(100..110).map(|number| line(number, 700)).collect::<Vec<_>>());
    assert!(spool.report().identity_exact);
}

#[tokio::test]
async fn concurrent_posts_share_commits_and_none_is_mixed_up() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(open(folder.path()));
    let posts = (0..64_u64).map(|post| {
        let spool = Arc::clone(&spool);
        tokio::spawn(async move { append(&spool, post * 10..(post + 1) * 10, 700).await })
    });
    for post in posts.collect::<Vec<_>>() {
        post.await.unwrap().unwrap();
    }

    let drained = bytes_of(&drain(&spool).await);

    let mut posts: Vec<&[Bytes]> = drained.chunks(10).collect();
    posts.sort_by_key(|post| (post[0].len(), post[0].clone()));
    let mut expected: Vec<Vec<Bytes>> =
        (0..64).map(|post| (post * 10..(post + 1) * 10).map(|number| line(number, 700)).collect()).collect();
    expected.sort_by_key(|post| (post[0].len(), post[0].clone()));
    assert_eq!(posts, expected);
}

#[tokio::test]
async fn a_line_that_is_set_aside_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    append(&spool, 0..1, 700).await.unwrap();
    spool.seal().await;
    let mut replay = spool.replay();
    let Next::Batch(batch) = replay.next(10, usize::MAX).unwrap() else { panic!("no batch") };

    replay.set_aside(&batch.items[0]).unwrap();
    replay.settle(&batch, Fates { set_aside: 1, ..Fates::default() }).unwrap();

    let kept = fs::read(folder.path().join("aside").join(REFUSED)).unwrap();
    assert_eq!(kept, [&line(0, 700)[..], b"\n"].concat());
    let report = spool.report();
    assert_eq!((report.set_aside, report.lost, report.identity_exact, report.aside_files), (1, 0, true, 1));
}

#[test]
fn only_its_owner_may_look_into_a_spool() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("spool");

    let spool = open(&inside);

    assert_eq!(fs::metadata(&inside).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(matches!(Spool::open(settings(&inside)), Err(SpoolError::InUse(_))));
    drop(spool);
}
