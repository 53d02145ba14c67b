//! How long packets of a direction are on their way: the latency, and the jitter around it.
//!
//! One sample of the jitter holds for a spell of [`SPELL`] times the jitter, and for every packet
//! that leaves within it. A sample for each packet would be no jitter at all on a busy link: order
//! is kept, so every packet would wait for the latest of those before it, and the delay would sit
//! at the top of the distribution. Packets further apart than a spell have independent delays.

use std::time::Duration;

use crate::random::Stream;
use crate::settings::{Distribution, LinkSettings};

/// Length of a spell, in jitters. With 4, a stream without gaps is later by an eighth of the jitter
/// than asked: after a high sample, order holds a low one back for the difference of the two.
const SPELL: u32 = 4;

/// Standard deviations at which the normal distribution is cut off.
const NORMAL_MOST: f64 = 4.0;
/// Standard deviations at which the Pareto distribution is cut off.
const PARETO_MOST: f64 = 10.0;

/// The Pareto distribution of shape 3 on [1, `PARETO_END`], whose mean and standard deviation are
/// the next two; the end is ten standard deviations above the mean.
const PARETO_END: f64 = 8.160_254_037_844_386;
const PARETO_MEAN: f64 = 1.480_198_019_801_98;
const PARETO_DEVIATION: f64 = 0.668_005_601_804_240_7;

/// The delay of one direction.
#[derive(Debug, Clone)]
pub(super) struct Delay {
    latency: Duration,
    jitter: Duration,
    distribution: Distribution,
    /// The delay of the spell that is under way, until when; never in force without jitter.
    spell: Option<(Duration, Duration)>,
}

impl Delay {
    pub(super) fn new(settings: &LinkSettings) -> Self {
        let spread = settings.distribution != Distribution::None;
        Self {
            latency: settings.latency,
            jitter: if spread { settings.jitter } else { Duration::ZERO },
            distribution: settings.distribution,
            spell: None,
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.latency.is_zero() && self.jitter.is_zero()
    }

    pub(super) fn has_jitter(&self) -> bool {
        !self.jitter.is_zero()
    }

    /// The most that a packet is delayed.
    pub(super) fn most(&self) -> Duration {
        let above = match self.distribution {
            Distribution::None => 0.0,
            Distribution::Uniform => 1.0,
            Distribution::Normal => NORMAL_MOST,
            Distribution::Pareto => PARETO_MOST,
        };
        self.around(above)
    }

    /// The least that a packet is delayed.
    pub(super) fn least(&self) -> Duration {
        let below = match self.distribution {
            Distribution::None => 0.0,
            Distribution::Uniform => 1.0,
            Distribution::Normal => NORMAL_MOST,
            Distribution::Pareto => (PARETO_MEAN - 1.0) / PARETO_DEVIATION,
        };
        self.around(-below)
    }

    /// The delay of a packet that leaves at this moment.
    pub(super) fn of(&mut self, leaves: Duration, stream: &mut Stream) -> Duration {
        if self.jitter.is_zero() {
            return self.latency;
        }
        match self.spell {
            Some((until, delay)) if leaves < until => delay,
            _ => {
                let delay = self.around(sample(self.distribution, stream));
                self.spell = Some((leaves.saturating_add(self.jitter * SPELL), delay));
                delay
            }
        }
    }

    /// The latency and so many jitters.
    fn around(&self, jitters: f64) -> Duration {
        let offset = self.jitter.mul_f64(jitters.abs());
        if jitters < 0.0 {
            self.latency.saturating_sub(offset)
        } else {
            self.latency.saturating_add(offset)
        }
    }
}

/// A deviation from the mean, in jitters.
fn sample(distribution: Distribution, stream: &mut Stream) -> f64 {
    match distribution {
        Distribution::None => 0.0,
        Distribution::Uniform => 2.0 * stream.fraction() - 1.0,
        Distribution::Normal => normal(stream),
        Distribution::Pareto => {
            // The inverse of the distribution function, of the part below the end.
            let most = 1.0 - PARETO_END.powi(-3);
            let value = (1.0 - most * stream.fraction()).powf(-1.0 / 3.0);
            ((value - PARETO_MEAN) / PARETO_DEVIATION).min(PARETO_MOST)
        }
    }
}

/// Marsaglia's polar method, again and again until the deviation is one that is not cut off.
fn normal(stream: &mut Stream) -> f64 {
    loop {
        let (x, y) = (2.0 * stream.fraction() - 1.0, 2.0 * stream.fraction() - 1.0);
        let s = x * x + y * y;
        if s > 0.0 && s < 1.0 {
            let deviation = x * (-2.0 * s.ln() / s).sqrt();
            if deviation.abs() <= NORMAL_MOST {
                return deviation;
            }
        }
    }
}
