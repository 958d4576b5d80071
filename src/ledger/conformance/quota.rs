use std::time::Duration;

use super::{
    super::{Limit, Permit, Quota},
    trial::Trial,
};

// An hour, because the store's clock cannot be set: no unit may be free again during a test.
fn one_an_hour(burst: u32) -> Quota {
    Quota {
        operation: "submit".to_owned(),
        limit: Limit {
            interval: Duration::from_secs(3600),
            burst,
        },
    }
}

/// Asserts that the wait is `hours`, or up to a minute less, which is more than a test takes.
fn assert_waits(permit: Permit, hours: u64) {
    let Permit::Wait(wait) = permit else {
        panic!("granted, though it must wait {hours} h");
    };
    let seconds = hours * 3600;
    assert!(
        wait.as_secs() <= seconds && wait.as_secs() + 60 > seconds,
        "waits {wait:?}, not {hours} h"
    );
}

pub(super) async fn a_quota_grants_a_burst_and_then_delays(trial: Trial) {
    let ask = |cost| trial.ledger.permit(one_an_hour(3), cost);
    assert_eq!(ask(2).await.expect("permit"), Permit::Granted);
    assert_waits(ask(2).await.expect("permit"), 1);
    assert_eq!(ask(1).await.expect("permit"), Permit::Granted);
    assert_waits(ask(1).await.expect("permit"), 1);
    assert_waits(ask(3).await.expect("permit"), 3);
    let other = Quota {
        operation: "query".to_owned(),
        ..one_an_hour(3)
    };
    let other = trial.ledger.permit(other, 3).await;
    assert_eq!(other.expect("permit"), Permit::Granted);
}

pub(super) async fn slowing_a_quota_down_affects_all_users(trial: Trial) {
    let quota = one_an_hour(10);
    let pause = Duration::from_secs(2 * 3600);
    let slowed = trial.ledger.slow_down(quota.clone(), pause).await;
    slowed.expect("slow down");
    let one = trial.ledger.permit(quota.clone(), 1).await;
    assert_waits(one.expect("permit"), 2);
    let two = trial.ledger.permit(quota, 2).await;
    assert_waits(two.expect("permit"), 3);
}

pub(super) async fn a_cost_above_the_burst_is_an_error(trial: Trial) {
    let permit = trial.ledger.permit(one_an_hour(3), 4).await;
    assert!(permit.is_err(), "it would wait forever");
}
