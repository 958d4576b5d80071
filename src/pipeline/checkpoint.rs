//! Named places between the durable steps, for tests that kill the process there.

use std::fmt;

macro_rules! steps {
    ($($variant:ident, $name:literal, $text:literal;)*) => {
        /// A place between two durable steps of a [`Run`](super::Run). Whatever happens there,
        /// nothing is lost: tests stop the process at each.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Step {
            $(#[doc = concat!("`", $name, "`: ", $text, ".")] $variant,)*
        }

        impl Step {
            /// Every step, in the order an image meets them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

steps! {
    BeforeEnqueue, "before-enqueue", "lines were read and are not noted";
    AfterEnqueue, "after-enqueue", "they are noted";
    BeforeFindings, "before-findings", "images were probed and that is not recorded";
    AfterFindings, "after-findings", "it is recorded";
    BeforeUpload, "before-upload", "files of a batch are not uploaded";
    AfterUpload, "after-upload", "they are, and that is not recorded";
    BeforePermit, "before-permit", "a batch is full and has no permit";
    BeforeBegin, "before-begin", "it has a permit and is not begun";
    BeforeSend, "before-send", "it is begun and not sent";
    AfterSend, "after-send", "its answer is there and not recorded";
    AfterAnswer, "after-answer", "its answer is recorded";
    BeforeOutcomes, "before-outcomes", "outcomes are there and not recorded";
    AfterOutcomes, "after-outcomes", "they are recorded";
    BeforeAcknowledge, "before-acknowledge", "the consumer has them and that is not recorded";
    AfterAcknowledge, "after-acknowledge", "it is recorded";
}

impl Step {
    /// The step of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| step.name() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
