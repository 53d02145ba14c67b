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
const STUB: u32 = 84;
/// Between two pairs of rows.
const PAIR_GAP: u32 = 32;
/// Room for the trunk, left of the cards.
const TRUNK: u32 = 32;
const TRUNK_INSET: u32 = 8;
const MIN_INNER_WIDTH: u32 = 668;
const ROUTER_WIDTH: u32 = 268;

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

impl Placed {
    fn above(rail: u32, x: u32, y: u32, width: u32, height: u32) -> Self {
        let middle = x + width / 2;
        let stub = Line { x1: middle, y1: y + height, x2: middle, y2: rail };
        Self { x, y, width, height, stub, meets_rail: true }
    }

    fn below(rail: u32, x: u32, width: u32, height: u32) -> Self {
        let (middle, y) = (x + width / 2, rail + STUB);
        let stub = Line { x1: middle, y1: y, x2: middle, y2: rail };
        Self { x, y, width, height, stub, meets_rail: true }
    }
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
        let rows_of_cards = grid(rows_per_card.len());
        let columns = to_u32(rows_of_cards.iter().copied().max().unwrap_or(1));
        let all_columns = columns * card_width + (columns - 1) * CARD_GAP;
        let trunk = if rows_of_cards.len() > 2 { TRUNK } else { 0 };
        let content = (trunk + all_columns).max(MIN_INNER_WIDTH);
        let left = SIDE + trunk + (content - trunk - all_columns) / 2;
        let centre = left + all_columns / 2;

        let pairs = rows_of_cards.len().div_ceil(2);
        let pair_with_router = (pairs - 1) / 2;
        let mut router = Spot { x: centre - ROUTER_WIDTH / 2, y: 0, width: ROUTER_WIDTH };
        let mut cards = Vec::new();
        let mut rails = Vec::new();
        let mut y = HEADER;
        let mut rest = rows_per_card;
        for (pair, rows) in rows_of_cards.chunks(2).enumerate() {
            let (upper, lower) = match *rows {
                [upper, lower] => (upper, lower),
                // A last row of its own has its rail above it.
                [only] => (0, only),
                _ => (0, 0),
            };
            let (above, others) = rest.split_at(upper);
            let (below, others) = others.split_at(lower);
            rest = others;

            // Cards above the rail all reach down to it; those below are as high as they need.
            let upper_height = above.iter().copied().map(card_height).max().unwrap_or(0);
            let rail = if upper == 0 { y } else { y + upper_height + STUB };
            let mut here = Vec::new();
            for (x, _) in columns_of(above, centre, card_width) {
                here.push(Placed::above(rail, x, y, card_width, upper_height));
            }
            for (x, rows) in columns_of(below, centre, card_width) {
                here.push(Placed::below(rail, x, card_width, card_height(rows)));
            }

            let mut ends: Vec<u32> = here.iter().map(|card| card.stub.x2).collect();
            if pair == pair_with_router {
                router.y = rail - ROUTER_HEIGHT / 2;
                for card in &mut here {
                    card.meets_rail = card.stub.x2.abs_diff(centre) > router.width / 2;
                }
                ends.push(centre);
            }
            if trunk > 0 {
                ends.push(SIDE + TRUNK_INSET);
            }
            let (from, to) = ends.iter().fold((u32::MAX, 0), |(a, b), &x| (a.min(x), b.max(x)));
            rails.push(Line { x1: from, y1: rail, x2: to, y2: rail });
            let bottom = here.iter().map(|card| card.y + card.height).max();
            y = bottom.unwrap_or(y) + PAIR_GAP;
            cards.extend(here);
        }
        if let ([first, .., last], true) = (rails.as_slice(), trunk > 0) {
            let trunk =
                Line { x1: SIDE + TRUNK_INSET, y1: first.y1, x2: SIDE + TRUNK_INSET, y2: last.y1 };
            rails.push(trunk);
        }
        Self { width: content + 2 * SIDE, height: y - PAIR_GAP + FOOTER, cards, rails, router }
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

/// The left edge of each card of a centred row, with what the card was given.
fn columns_of(
    row: &[usize],
    centre: u32,
    card_width: u32,
) -> impl Iterator<Item = (u32, usize)> + '_ {
    let columns = to_u32(row.len());
    let width = columns * card_width + columns.saturating_sub(1) * CARD_GAP;
    let first = centre - width / 2;
    (0..).zip(row).map(move |(column, &rows)| (first + column * (card_width + CARD_GAP), rows))
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
