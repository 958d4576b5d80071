//! Named points between the durable steps, at which tests kill the process.

use std::fmt;

macro_rules! steps {
    ($($variant:ident, $name:literal, $text:literal;)*) => {
        /// A point between two durable steps of a [`Run`](super::Run). Tests kill the process at
        /// each of them to verify that nothing is lost.
        ///
        /// ```
        /// use greenlight::pipeline::{Pipeline, Step};
        ///
        /// /// Kills the process where a response is known to the process only.
        /// fn configure(pipeline: Pipeline) -> Pipeline {
        ///     pipeline.checkpoint(|step| {
        ///         if step == Step::AfterSend {
        ///             std::process::abort();
        ///         }
        ///     })
        /// }
        ///
        /// assert_eq!(Step::from_name("after-send"), Some(Step::AfterSend));
        /// ```
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Step {
            $(#[doc = concat!("`", $name, "`: ", $text, ".")] $variant,)*
        }

        impl Step {
            /// Every step, in the order in which an image passes them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

steps! {
    BeforeEnqueue, "before-enqueue", "lines were read, but are not enqueued";
    AfterEnqueue, "after-enqueue", "lines are enqueued";
    BeforeFindings, "before-findings", "images were probed, but the findings are not recorded";
    AfterFindings, "after-findings", "findings are recorded";
    BeforeUpload, "before-upload", "the files of a batch, and the images to upload instead, are not uploaded";
    AfterUpload, "after-upload", "they are uploaded, but nothing is recorded";
    BeforePermit, "before-permit", "a batch is full, but has no permit";
    BeforeBegin, "before-begin", "the batch has a permit, but is not begun";
    BeforeSend, "before-send", "the batch is begun, but not sent";
    AfterSend, "after-send", "the response was received, but is not recorded";
    AfterAnswer, "after-answer", "the response is recorded";
    BeforeOutcomes, "before-outcomes", "outcomes were received, but are not recorded";
    AfterOutcomes, "after-outcomes", "outcomes are recorded";
    BeforeAcknowledge, "before-acknowledge", "the consumer has outcomes, but they are not acknowledged";
    AfterAcknowledge, "after-acknowledge", "outcomes are acknowledged";
}

impl Step {
    /// Returns the step with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| step.name() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
