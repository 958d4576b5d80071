//! Evaluates local files.

use std::{fs::File, io, path::Path};

use crate::{
    inspect::{Depth, Identity, Inspector, inspect_file},
    requirements::Requirements,
    verdict::{Code, Enforcement, Severity, Verdict, Violation},
};

impl Requirements {
    /// Evaluates an open file, and reads no more of it than the decision needs: not the rest of a
    /// file whose format is not allowed, and at most one byte more than an image may have.
    ///
    /// `path` is not opened; the extension of its name is compared with the content.
    ///
    /// ```
    /// use std::path::Path;
    /// use greenlight::{Decision, Depth, Requirements, local_file};
    ///
    /// let path = Path::new("fixtures/images/png/rgb.png");
    /// let verdict = Requirements::ASYNC.judge_file(Depth::Structure, local_file::open(path)?, path)?;
    /// assert_eq!(verdict.decision(), Decision::Accept);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the system's error. What is wrong with the bytes is in the verdict.
    pub fn judge_file(&self, depth: Depth, file: File, path: &Path) -> io::Result<Verdict> {
        let max = if self.enforcement(Code::ImageTooLarge) == Enforcement::Reject {
            self.max_bytes()
        } else {
            self.max_bytes().max(file.metadata()?.len())
        };
        let inspection = inspect_file(file, path, depth, max, |inspector, _| {
            // The length of a file that the system generates while it is read is unknown until its
            // end.
            let has_len = inspector.inspection().len().is_some();
            !(has_len && self.is_decided(depth, inspector))
        })?;
        Ok(self.judge(inspection))
    }

    /// Whether the rest of a file whose length is known cannot change the decision.
    fn is_decided(&self, depth: Depth, inspector: &Inspector) -> bool {
        let inspection = inspector.inspection();
        match inspection.identity() {
            Identity::Undecided => false,
            Identity::NotAnImage => self.rejects(inspection),
            Identity::Format(format) => {
                // A format that only warns is read on: the other rules still apply to it.
                (!self.allows(format) && self.rejects(inspection))
                    || (depth == Depth::Header && inspector.is_settled())
            }
        }
    }
}

impl Verdict {
    /// The rejection of a path that leads out of the folders that are allowed.
    pub fn of_path_outside() -> Self {
        let message =
            "the path leads outside the folders that are allowed: move the file below one";
        let violation = Violation::new(
            Code::FileOutside,
            Severity::Reject,
            message.to_owned(),
            None,
            None,
        );
        Self::new((), vec![violation], Vec::new(), None, None)
    }
}
