use super::{
    super::{Judgement, Known, Location, NewImage, Rows, SharedDataId, State, Work},
    trial::{Trial, at, image, key, reason, url},
};

pub(super) async fn an_image_is_stored_once_with_all_its_sources(trial: Trial) {
    let noted = trial
        .enqueue(vec![image(1, 1), image(2, 2), image(1, 3)], at(0))
        .await;
    let new: Vec<_> = noted
        .iter()
        .map(|noted| (noted.new_image, noted.new_source, noted.state))
        .collect();
    let received = State::Received;
    assert_eq!(
        new,
        [
            (true, true, received),
            (true, true, received),
            (false, true, received)
        ]
    );
    let rows = trial.rows().await;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.key, row.source.line, row.source.data_id.as_deref()))
        .collect();
    assert_eq!(
        rows,
        [
            (key(1), 1, Some("user-1")),
            (key(2), 2, Some("user-2")),
            (key(1), 3, Some("user-3"))
        ]
    );
    assert_eq!(trial.claim(Work::Probe, 10, at(1)).await.len(), 2);
}

pub(super) async fn a_source_enqueued_again_is_stored_once(trial: Trial) {
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    let again = trial.enqueue(vec![image(1, 1)], at(5)).await;
    assert!(!again[0].new_image && !again[0].new_source);
    let mut other_name = image(1, 1);
    other_name.source.data_id = None;
    let other_name = trial.enqueue(vec![other_name], at(5)).await;
    assert!(!other_name[0].new_image && other_name[0].new_source);
    assert_eq!(trial.rows().await.len(), 2);
}

pub(super) async fn a_source_keeps_its_spelling_of_the_url(trial: Trial) {
    let mut other = image(1, 2);
    other.location = Location::Url("https://EXAMPLE.com/1.png".to_owned());
    trial.enqueue(vec![image(1, 1), other], at(0)).await;
    let rows = trial.rows().await;
    assert_eq!(rows[0].source.text, None);
    let text = rows[1].source.text.as_deref();
    assert_eq!(text, Some("https://EXAMPLE.com/1.png"));
    assert_eq!(rows[1].location, url(1));
    assert_eq!(rows[1].text(), "https://EXAMPLE.com/1.png");
    assert_eq!(rows[0].text(), "https://example.com/1.png");
}

fn in_file(number: u8, line: u64, path: &str) -> NewImage {
    NewImage {
        location: Location::File(path.into()),
        ..image(number, line)
    }
}

pub(super) async fn an_image_is_read_from_the_file_enqueued_last(trial: Trial) {
    trial
        .enqueue(vec![in_file(1, 1, "/old/a.png")], at(0))
        .await;
    trial
        .enqueue(vec![in_file(1, 2, "/new/a.png")], at(1))
        .await;
    let claimed = trial.claim(Work::Probe, 10, at(1)).await;
    let moved = Location::File("/new/a.png".into());
    assert_eq!((claimed.len(), &claimed[0].location), (1, &moved));
    let rows = trial.rows().await;
    let texts: Vec<_> = rows.iter().map(super::super::Row::text).collect();
    assert_eq!(texts, ["/old/a.png", "/new/a.png"]);
    trial
        .find(
            claimed[0].hold,
            Judgement::Rejected(reason("image/empty")),
            at(2),
        )
        .await;
    let late = in_file(1, 3, "/late/a.png");
    trial.enqueue(vec![late], at(3)).await;
    let rows = trial.rows().await;
    assert_eq!(rows[2].text(), "/late/a.png");
    assert_eq!(
        rows[2].location, moved,
        "the image is decided, so it is not read again"
    );
}

#[cfg(unix)]
pub(super) async fn a_path_may_be_invalid_utf8(trial: Trial) {
    use std::os::unix::ffi::OsStringExt as _;
    let path = std::ffi::OsString::from_vec(b"/pictures/\xff\xfe.png".to_vec());
    let location = Location::File(path.into());
    let image = NewImage {
        location: location.clone(),
        ..image(1, 1)
    };
    trial.enqueue(vec![image], at(0)).await;
    assert_eq!(trial.row(1).await.location, location);
    assert_eq!(
        trial.claim(Work::Probe, 1, at(0)).await[0].location,
        location
    );
}

#[cfg(not(unix))]
pub(super) async fn a_path_may_be_invalid_utf8(_trial: Trial) {}

pub(super) async fn an_image_rejected_at_enqueue_is_in_the_outbox(trial: Trial) {
    let mut refused = image(1, 1);
    refused.known = Known::Rejected(reason("url/malformed"));
    refused.facts = Some("{\"decision\":\"reject\"}".to_owned());
    let noted = trial.enqueue(vec![refused], at(0)).await;
    assert_eq!(noted[0].state, State::Rejected);
    assert_eq!(trial.claim(Work::Probe, 10, at(1)).await, []);
    let row = trial.row(1).await;
    assert_eq!(row.reason, Some(reason("url/malformed")));
    assert_eq!(row.facts.as_deref(), Some("{\"decision\":\"reject\"}"));
    let outbox = [("user-1".to_owned(), State::Rejected)];
    assert_eq!(trial.outbox().await, outbox);
}

pub(super) async fn a_renamed_image_is_checked_again(trial: Trial) {
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    let hold = trial.claim(Work::Probe, 10, at(0)).await[0].hold;
    assert_eq!(trial.find(hold, Judgement::Renamed(key(2)), at(1)).await, 1);
    assert_eq!(trial.state(2).await, State::Checked);
    assert_eq!(trial.outbox().await, []);
    let claimed = trial.claim(Work::Probe, 10, at(2)).await;
    assert_eq!((claimed.len(), claimed[0].hold.key), (1, key(2)));
    let renamed = NewImage {
        key: key(2),
        ..image(1, 1)
    };
    let again = trial.enqueue(vec![renamed], at(2)).await;
    assert!(!again[0].new_image && !again[0].new_source);
    assert_eq!(trial.rows().await.len(), 1);
}

pub(super) async fn sources_of_a_renamed_image_join_the_known_one(trial: Trial) {
    let named = |number, line, name: &str| {
        let mut file = in_file(number, line, &format!("/{name}"));
        file.source.text = Some(name.to_owned());
        file
    };
    // One source of the second image is a source of the first, too.
    let files = vec![
        in_file(1, 1, "/a.png"),
        named(2, 2, "b.png"),
        in_file(2, 3, "/c.png"),
        named(1, 2, "b.png"),
    ];
    trial.enqueue(files, at(0)).await;
    let claimed = trial.claim(Work::Probe, 10, at(0)).await;
    for claimed in claimed {
        let rejected = Judgement::Rejected(reason("image/type-mismatch"));
        trial.find(claimed.hold, rejected, at(1)).await;
    }
    let delivered = trial
        .ledger
        .undelivered(None, 10)
        .await
        .expect("undelivered");
    let ids = delivered.iter().map(|delivered| delivered.id).collect();
    let done = trial.ledger.acknowledge(ids, at(2)).await;
    done.expect("acknowledge");
    assert_eq!(trial.outbox().await, []);

    // Both are due again; the first one stays rejected.
    let classes = vec!["image/type-mismatch".to_owned()];
    let retried = trial.ledger.retry(classes, at(3)).await;
    assert_eq!(retried.expect("retry"), 2);
    let claimed = trial.claim(Work::Probe, 10, at(3)).await;
    let hold = |number| {
        let mut holds = claimed.iter().map(|claimed| claimed.hold);
        holds.find(|hold| hold.key == key(number)).expect("claimed")
    };
    let rejected = Judgement::Rejected(reason("image/empty"));
    trial.find(hold(1), rejected, at(4)).await;
    let renamed = Judgement::Renamed(key(1));
    assert_eq!(trial.find(hold(2), renamed, at(5)).await, 1);
    let rows = trial.rows().await;
    let texts: Vec<_> = rows.iter().map(super::super::Row::text).collect();
    assert_eq!(texts, ["/a.png", "/c.png", "b.png"]);
    assert!(rows.iter().all(|row| row.key == key(1)), "{rows:?}");
    let outbox = trial.outbox().await;
    let outbox: Vec<_> = outbox.iter().map(|(id, state)| (&**id, *state)).collect();
    let done = State::Rejected;
    assert_eq!(
        outbox,
        [("user-1", done), ("user-2", done), ("user-3", done)]
    );
    let left = trial.ledger.stats(at(6)).await.expect("stats");
    assert_eq!((left.images(), left.sources), (1, 3));
}

pub(super) async fn rows_are_read_in_pages_and_by_state(trial: Trial) {
    trial
        .enqueue((1..=5).map(|n| image(n, n.into())).collect(), at(0))
        .await;
    let hold = trial.claim(Work::Probe, 1, at(0)).await[0].hold;
    trial.find(hold, Judgement::Accepted, at(0)).await;
    let page = |after, limit, state| {
        let rows = Rows {
            after,
            limit,
            state,
        };
        let ledger = &trial.ledger;
        async move { ledger.rows(rows).await.expect("rows") }
    };
    let first = page(0, 2, None).await;
    let rest = page(first[1].number, 10, None).await;
    let keys: Vec<_> = first.iter().chain(&rest).map(|row| row.key).collect();
    assert_eq!(keys, [key(1), key(2), key(3), key(4), key(5)]);
    let probed = page(0, 10, Some(State::Probed)).await;
    assert_eq!(probed.len(), 1);
    assert_eq!(probed[0].key, key(1));
}

pub(super) async fn sources_of_one_line_are_distinguished_by_text(trial: Trial) {
    let named = |text: &str| {
        let mut named = image(1, 1);
        named.source.text = Some(text.to_owned());
        named
    };
    let noted = trial
        .enqueue(vec![named("in/a"), named("in/b"), named("in/a")], at(0))
        .await;
    let new: Vec<_> = noted.iter().map(|noted| noted.new_source).collect();
    assert_eq!(new, [true, true, false]);
}

pub(super) async fn lists_not_read_to_their_end_are_reported(trial: Trial) {
    let mark = |origin: &str, is_read| trial.ledger.mark_list(origin.to_owned(), is_read);
    mark("b", false).await.expect("mark list");
    mark("a", false).await.expect("mark list");
    let unread = || async {
        let stats = trial.ledger.stats(at(0)).await;
        stats.expect("stats").unread_lists
    };
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    assert_eq!(unread().await, ["b", "a"], "list.txt has no record");
    mark("b", true).await.expect("mark list");
    assert_eq!(unread().await, ["a"]);
    mark("b", false).await.expect("mark list");
    assert_eq!(unread().await.len(), 2, "it is read again");
}

pub(super) async fn shared_data_ids_are_reported(trial: Trial) {
    let named = |number, line, data_id: Option<&str>| {
        let mut named = image(number, line);
        named.source.data_id = data_id.map(str::to_owned);
        named
    };
    let images = vec![
        named(1, 1, Some("once")),
        named(2, 2, Some("twice")),
        named(3, 3, None),
        named(4, 4, None),
        named(2, 5, Some("twice")),
        named(5, 6, Some("thrice")),
        named(6, 7, Some("thrice")),
        named(7, 8, Some("thrice")),
    ];
    trial.enqueue(images, at(0)).await;
    let shared = |after, limit| trial.ledger.shared_data_ids(after, limit);
    let found = shared(0, 10).await.expect("shared data ids");
    let place = |line| ("list.txt".to_owned(), line);
    let expected = [("twice", 2, 2, 5), ("thrice", 3, 6, 7)];
    let expected = expected.map(|(data_id, count, first, second)| SharedDataId {
        data_id: data_id.to_owned(),
        count,
        places: [place(first), place(second)],
    });
    assert_eq!(found, expected);
    let first = shared(0, 1).await.expect("shared data ids");
    assert_eq!(first, expected[..1]);
    let rows = trial.rows().await;
    let later = shared(rows[1].number, 10).await.expect("shared data ids");
    assert_eq!(
        later,
        expected[1..],
        "only one source of the other id is after the row"
    );
    let stats = trial.ledger.stats(at(0)).await.expect("stats");
    assert_eq!(stats.last_row, rows[7].number);
}
