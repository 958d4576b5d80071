//! The client of the moderation service.
