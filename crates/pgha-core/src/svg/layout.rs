//! Where everything of the picture stands, in pixels.
//!
//! ```text
//! [ DC1 ] [ DC2 ] [ DC3 ]     a row of cards
//!  ──┴───(router)────┴──      the rail of this row and the next
//! [ DC4 ] [  external   ]
//! ```
//!
//! Two rows share a rail; rails of more rows are joined by a trunk on the left.

/// Space beside everything.
pub(super) const SIDE: u32 = 36;
/// Height of a card before its first member.
pub(super) const CARD_HEADER: u32 = 56;
/// Height of a member.
pub(super) const ROW: u32 = 28;
/// Space below a member.
pub(super) const ROW_GAP: u32 = 6;
/// Height of the router.
pub(super) const ROUTER_HEIGHT: u32 = 52;

const CARD_FOOTER: u32 = 8;
const CARD_GAP: u32 = 28;
const CARD_MIN_WIDTH: u32 = 316;
const HEADER: u32 = 112;
const FOOTER: u32 = 72;
/// From a card to its rail.
const STUB: u32 = 76;
/// Between two pairs of rows.
const PAIR_GAP: u32 = 32;
/// Room for the trunk, left of the cards.
const TRUNK: u32 = 32;
const MIN_INNER_WIDTH: u32 = 668;
const ROUTER_MIN_WIDTH: u32 = 252;

/// A straight line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) x1: u32,
    pub(super) y1: u32,
    pub(super) x2: u32,
    pub(super) y2: u32,
}

/// A card and its link, from the card's edge to the rail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) stub: Line,
    /// Whether the link ends at the rail and not behind the router.
    pub(super) meets_rail: bool,
}

/// A place with a width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
}

/// The whole picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) cards: Vec<Placed>,
    pub(super) rails: Vec<Line>,
    pub(super) router: Spot,
}

impl Layout {
    /// The layout of sites with so many members to show, of which the longest name has so many
    /// characters; the external site is the last.
    pub(super) fn of(rows_per_card: &[usize], longest_name: usize) -> Self {
        let card_width = CARD_MIN_WIDTH.max(text_width(longest_name, 12) + 46 + 22 + 110);
        let grid = grid(rows_per_card.len());
        let columns = to_u32(grid.iter().copied().max().unwrap_or(1));
        let cards_width = columns * card_width + (columns - 1) * CARD_GAP;
        let trunk = if grid.len() > 2 { TRUNK } else { 0 };
        let inner = (trunk + cards_width).max(MIN_INNER_WIDTH);
        let left = SIDE + trunk + (inner - trunk - cards_width) / 2;
        let centre = left + cards_width / 2;

        let pairs = grid.len().div_ceil(2);
        let router_pair = (pairs - 1) / 2;
        let router_width = ROUTER_MIN_WIDTH;
        let mut router = Spot { x: centre - router_width / 2, y: 0, width: router_width };
        let mut cards = Vec::new();
        let mut rails = Vec::new();
        let mut y = HEADER;
        let mut remaining = rows_per_card;
        for (pair, rows) in grid.chunks(2).enumerate() {
            let mut heights = Vec::new();
            let mut counts = Vec::new();
            for &columns_here in rows {
                let (here, rest) = remaining.split_at(columns_here);
                remaining = rest;
                heights.push(here.iter().map(|&n| card_height(n)).max().unwrap_or(0));
                counts.push(columns_here);
            }
            // A last row of its own has its rail above it.
            let (rail, tops) = match heights.as_slice() {
                [upper, _] => {
                    let rail = y + upper + STUB;
                    (rail, vec![y, rail + STUB])
                }
                _ => (y + STUB - PAIR_GAP, vec![y + 2 * STUB - PAIR_GAP]),
            };
            let first_card = cards.len();
            for (row, (&columns_here, &top)) in counts.iter().zip(&tops).enumerate() {
                let height = heights[row];
                let shared = to_u32(columns_here);
                let width = shared * card_width + (shared - 1) * CARD_GAP;
                for column in 0..shared {
                    let x = centre - width / 2 + column * (card_width + CARD_GAP);
                    let middle = x + card_width / 2;
                    let edge = if top < rail { top + height } else { top };
                    cards.push(Placed {
                        x,
                        y: top,
                        width: card_width,
                        height,
                        stub: Line { x1: middle, y1: edge, x2: middle, y2: rail },
                        meets_rail: pair != router_pair
                            || middle.abs_diff(centre) > router_width / 2,
                    });
                }
            }
            let ends = cards[first_card..].iter().map(|c: &Placed| c.stub.x2);
            let from = if trunk > 0 { SIDE + 8 } else { ends.clone().min().unwrap_or(centre) };
            let to = ends.max().unwrap_or(centre).max(if pair == router_pair { centre } else { 0 });
            rails.push(Line { x1: from.min(centre), y1: rail, x2: to, y2: rail });
            if pair == router_pair {
                router.y = rail - ROUTER_HEIGHT / 2;
            }
            y = tops.last().unwrap_or(&y) + heights.last().unwrap_or(&0) + PAIR_GAP;
        }
        if let ([first, .., last], true) = (rails.as_slice(), trunk > 0) {
            let trunk = Line { x1: SIDE + 8, y1: first.y1, x2: SIDE + 8, y2: last.y1 };
            rails.push(trunk);
        }
        Self { width: inner + 2 * SIDE, height: y - PAIR_GAP + FOOTER, cards, rails, router }
    }
}

/// Cards in each row. Few data centers stand side by side above the external site; more fill a
/// grid a little wider than high.
fn grid(sites: usize) -> Vec<usize> {
    if sites <= 4 {
        return vec![sites - 1, 1];
    }
    let columns = match sites {
        5 | 6 | 9 => 3,
        7..=16 => 4,
        more => more.isqrt() + 1,
    };
    let mut rows = vec![columns; sites / columns];
    rows.extend((sites % columns > 0).then_some(sites % columns));
    rows
}

fn card_height(rows: usize) -> u32 {
    CARD_HEADER + to_u32(rows) * (ROW + ROW_GAP) + CARD_FOOTER
}

/// Room for so many characters of that size in any of the fonts that a viewer may take.
pub(super) fn text_width(characters: usize, size: u32) -> u32 {
    to_u32(characters) * size * 61 / 100
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).expect("a picture has fewer parts than that")
}
