//! A test suite for implementations of [`Ledger`]. Needs a tokio runtime with time enabled.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use greenlight::{Error, Scene, ledger::{Scope, SqliteLedger}};
//! # use std::sync::Arc;
//! use greenlight::ledger::{Ledger, conformance};
//!
//! # let folder = tempfile::tempdir()?;
//! # let scope = Scope::new(&[Scene::Porn]);
//! # let open = |name: &str| -> Result<Arc<dyn Ledger>, Error> {
//! #     Ok(Arc::new(SqliteLedger::open(&folder.path().join(name), &scope)?))
//! # };
//! for case in conformance::CASES {
//!     let users = [open(case.name())?, open(case.name())?]; // of one empty store
//!     case.run(users).await; // panics with the assertion that failed
//! #   if case.name() == conformance::CASES[4].name() { break; } // the tests run all cases
//! }
//! # Ok(())
//! # }
//! ```

mod claims;
mod deliveries;
mod intake;
mod outbox;
mod quota;
mod recovery;
mod results;
mod submit;
mod trial;

use std::{fmt, pin::Pin, sync::Arc};

use super::Ledger;
use trial::Trial;

/// One requirement on a ledger.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use greenlight::{Scene, ledger::{Ledger, Scope, SqliteLedger, conformance::CASES}};
///
/// let folder = tempfile::tempdir()?;
/// let open = || SqliteLedger::open(&folder.path().join("images.db"), &Scope::new(&[Scene::Porn]));
/// let users: [Arc<dyn Ledger>; 2] = [Arc::new(open()?), Arc::new(open()?)];
/// let case = CASES.first().expect("there are cases");
/// assert_eq!(case.name(), "an_image_is_stored_once_with_all_its_sources");
/// case.run(users).await;
/// # Ok(())
/// # }
/// ```
pub struct Case {
    name: &'static str,
    run: fn(Trial) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Case {
    /// Returns the requirement as a sentence.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case on an empty store that has two users. Some cases drop the first, which must be
    /// the last reference to it, and check what the second takes over.
    ///
    /// # Panics
    ///
    /// Panics if the ledger fails the case.
    pub async fn run(&self, users: [Arc<dyn Ledger>; 2]) {
        (self.run)(Trial::new(users)).await;
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
        an_image_is_stored_once_with_all_its_sources,
        a_source_enqueued_again_is_stored_once,
        a_source_keeps_its_spelling_of_the_url,
        an_image_is_read_from_the_file_enqueued_last,
        a_path_may_be_invalid_utf8,
        an_image_rejected_at_enqueue_is_in_the_outbox,
        a_renamed_image_is_checked_again,
        sources_of_a_renamed_image_join_the_known_one,
        rows_are_read_in_pages_and_by_state,
        sources_of_one_line_are_distinguished_by_text,
        lists_not_read_to_their_end_are_reported,
        shared_data_ids_are_reported,
    ;
    claims:
        a_claim_is_exclusive_until_its_lease_ends,
        claims_are_in_the_order_of_due_times,
        released_images_are_due_immediately,
        a_claim_can_be_extended,
        findings_with_an_invalid_lease_are_ignored,
        read_failures_are_counted_and_deferred,
        facts_are_stored_with_the_image,
    ;
    submit:
        a_batch_omits_images_with_invalid_leases,
        submitted_images_are_polled_in_order_of_expiry,
        rejected_images_are_retried_or_abandoned,
        unsent_images_are_deferred_or_abandoned,
        an_image_at_a_url_is_uploaded_instead_once,
        a_file_is_not_uploaded_instead,
        a_rejected_batch_can_be_split_immediately,
        an_image_that_the_response_omits_is_uncertain,
        a_task_id_for_two_images_counts_for_the_first,
        task_ids_without_an_image_are_counted_once,
        an_unknown_batch_is_an_error,
    ;
    recovery:
        without_a_response_nothing_is_resent_before_settling,
        uncertain_images_wait_forever_if_configured,
        images_of_a_crashed_user_are_settled,
        takeover_frees_claimed_images_immediately,
        takeover_lets_sent_images_settle,
        takeover_makes_polls_due_immediately,
        a_late_response_settles_an_uncertain_image,
        a_response_after_the_next_batch_is_stored_as_stray,
    ;
    quota:
        a_quota_grants_a_burst_and_then_delays,
        slowing_a_quota_down_affects_all_users,
        a_cost_above_the_burst_is_an_error,
    ;
    results:
        an_outcome_reaches_every_source_with_its_data_id,
        a_source_enqueued_later_gets_the_outcome,
        the_first_outcome_is_kept,
        a_running_task_is_polled_again,
        a_callback_decides_an_image_without_a_response,
        a_failed_task_is_retried_or_abandoned,
        a_late_outcome_decides_a_dead_image,
        an_image_is_submitted_again_after_its_result_expired,
        dead_images_are_retried_by_class,
        the_facts_of_a_rejection_do_not_outlive_a_retry,
        the_backlog_lists_due_work,
        everything_is_counted,
        outcomes_are_counted_by_decision,
        the_rate_is_that_after_the_first_request,
        an_unknown_task_is_ignored,
    ;
    outbox:
        the_outbox_repeats_until_acknowledged,
        the_outbox_can_be_read_in_source_order,
        a_delivered_source_is_reported_at_enqueue,
        a_source_is_delivered_again_if_requested,
        rows_contain_pending_deliveries,
    ;
    deliveries:
        a_delivery_is_claimed_by_one_caller,
        a_failed_delivery_is_due_again_later,
        an_abandoned_delivery_stays_in_the_outbox,
        states_are_read_by_key,
        the_last_scan_of_a_url_is_recalled_for_a_while,
    ;
}
