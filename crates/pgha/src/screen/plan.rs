//! What `pgha plan` shows to people.
