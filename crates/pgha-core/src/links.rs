//! The links of a cluster: what its specification asks of them, whether its timers fit, and what is shown
//! of them. What a link can be, and the engine that makes it so, is [`pgha_wan`].

pub mod asked;
pub mod fit;
pub mod view;
