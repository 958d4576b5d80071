//! A test suite for implementations of [`Ledger`]. Needs a tokio runtime with time enabled.
//!
//! ```no_run
//! # use std::sync::Arc;
//! use greenlight::ledger::{Ledger, conformance};
//!
//! # async fn example(new_ledger: impl AsyncFn() -> [Arc<dyn Ledger>; 2]) {
//! for case in conformance::CASES {
//!     let [first, second] = new_ledger().await; // two users of one empty store
//!     case.run(first, second).await; // panics with the assertion that failed
//! }
//! # }
//! ```

mod intake;
mod results;
mod submit;
mod trial;

use std::{fmt, pin::Pin, sync::Arc};

use super::Ledger;
use trial::Trial;

/// One requirement on a ledger.
pub struct Case {
    name: &'static str,
    run: fn(Trial) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Case {
    /// Returns the requirement as a sentence.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case on an empty store that has two users. Some cases drop `ledger`, which must be
    /// the last reference to it, and check what `successor` takes over.
    ///
    /// # Panics
    ///
    /// Panics if the ledger fails the case.
    pub async fn run(&self, ledger: Arc<dyn Ledger>, successor: Arc<dyn Ledger>) {
        (self.run)(Trial::new(ledger, successor)).await;
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

macro_rules! cases {
    ($($area:ident: $($case:ident,)*;)*) => {
        /// All cases. They do not depend on each other.
        pub const CASES: &[Case] = &[$($(
            Case { name: stringify!($case), run: |trial| Box::pin($area::$case(trial)) },
        )*)*];
    };
}

cases! {
    intake:
        an_image_is_noted_once_and_each_of_its_sources_is_kept,
        a_source_noted_again_is_not_kept_twice,
        a_source_keeps_its_own_spelling_of_the_url,
        an_image_in_a_file_is_read_where_it_was_noted_last,
        a_path_need_not_be_text,
        an_image_refused_at_once_goes_to_the_outbox,
        a_claim_is_exclusive_until_its_lease_ends,
        claims_come_in_the_order_of_their_time,
        released_images_are_due_at_once,
        a_claim_can_be_held_longer,
        findings_under_a_lost_lease_are_ignored,
        failures_to_read_are_counted_and_put_off,
        facts_are_kept_with_the_image,
        rows_are_read_in_pages_and_by_state,
        sources_of_one_line_are_told_apart_by_their_text,
        lists_that_were_not_read_to_their_end_are_known,
        data_ids_that_places_share_are_told,
    ;
    submit:
        a_batch_leaves_out_what_is_no_longer_held,
        answered_images_are_polled_by_their_expiry,
        refused_images_are_retried_or_given_up,
        what_was_not_sent_is_put_off_or_given_up,
        a_refused_batch_can_be_split_at_once,
        an_image_that_the_answer_leaves_out_is_uncertain,
        without_an_answer_nothing_is_sent_again_before_the_settling_time,
        uncertain_images_wait_for_ever_if_asked_to,
        images_left_by_a_crash_are_settled,
        who_takes_over_need_not_wait_for_what_was_only_claimed,
        who_takes_over_lets_what_was_sent_settle,
        who_takes_over_asks_for_results_at_once,
        a_late_answer_settles_an_uncertain_image,
        an_answer_after_the_next_batch_is_stray_and_not_forgotten,
        one_task_id_for_two_images_is_believed_once,
        task_ids_for_no_image_are_counted_once,
        an_unknown_batch_is_an_error,
        a_quota_grants_a_burst_and_then_makes_wait,
        a_quota_slows_down_for_all,
        more_than_a_burst_is_an_error,
    ;
    results:
        an_outcome_reaches_every_source_with_its_data_id,
        a_source_that_comes_late_gets_the_outcome,
        the_first_outcome_stands,
        a_running_task_is_asked_again_later,
        a_callback_settles_an_image_whose_answer_was_lost,
        a_failed_task_is_retried_or_given_up,
        a_late_outcome_raises_the_dead,
        an_expired_result_is_submitted_once_more,
        the_outbox_repeats_until_acknowledged,
        the_outbox_is_read_in_the_order_of_the_sources,
        a_source_that_was_delivered_is_known,
        a_source_is_delivered_again_if_asked,
        rows_say_what_is_not_delivered_yet,
        dead_images_are_retried_by_class,
        the_backlog_says_what_is_due,
        everything_is_counted,
        an_unknown_task_is_ignored,
    ;
}
