//! A stand-in moderation service for tests and trials.
