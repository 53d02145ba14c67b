//! Which packets of a direction are lost: each by itself, or in bad spells (Gilbert-Elliott).
//!
//! The chain has a good state that loses nothing and a bad one that loses `burst_loss`. It moves
//! once for each packet, before that packet. A bad spell has `burst` packets in the mean, so it
//! ends with 1/`burst`; it begins as often as makes the share of bad packets `loss`/`burst_loss`.

use crate::random::{Chance, Stream};
use crate::settings::LinkSettings;

/// The loss of one direction.
#[derive(Debug, Clone)]
pub(super) struct Loss {
    model: Model,
    /// The state of the chain; kept while settings change.
    bad: bool,
}

#[derive(Debug, Clone)]
enum Model {
    None,
    Independent(Chance),
    Bursts { begins: Chance, ends: Chance, loses: Chance },
}

impl Loss {
    pub(super) fn new(settings: &LinkSettings) -> Self {
        let mut loss = Self { model: Model::None, bad: false };
        loss.change(settings);
        loss
    }

    /// Takes the settings over. A bad spell that is under way goes on, as long as bursts are asked.
    pub(super) fn change(&mut self, settings: &LinkSettings) {
        let lost = u64::from(settings.loss.parts_per_million());
        let in_bad = u64::from(settings.burst_loss.parts_per_million());
        self.model = match settings.burst {
            _ if lost == 0 => Model::None,
            Some(packets) if packets > 1 => {
                let packets = u64::from(packets);
                Model::Bursts {
                    begins: Chance::of(lost, packets * in_bad.saturating_sub(lost)),
                    ends: Chance::of(1, packets),
                    loses: settings.burst_loss.into(),
                }
            }
            _ => Model::Independent(settings.loss.into()),
        };
        self.bad &= matches!(self.model, Model::Bursts { .. });
    }

    /// Whether any packet can be lost.
    pub(super) fn is_asked(&self) -> bool {
        !matches!(self.model, Model::None)
    }

    /// Whether the packet that comes now is lost.
    pub(super) fn takes(&mut self, stream: &mut Stream) -> bool {
        match self.model {
            Model::None => false,
            Model::Independent(chance) => stream.happens(chance),
            Model::Bursts { begins, ends, loses } => {
                if stream.happens(if self.bad { ends } else { begins }) {
                    self.bad = !self.bad;
                }
                // Two numbers for each packet, so that the chain does not depend on the losses.
                stream.happens(loses) && self.bad
            }
        }
    }
}
