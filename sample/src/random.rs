//! Random numbers that are the same everywhere and for ever.
//!
//! The generator is xoshiro256++ 1.0 by David Blackman and Sebastiano Vigna (2019, public domain), its state filled by
//! Vigna's SplitMix64. It is written out here because the generators of crate `rand` may give other values in another
//! version.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: [u64; 4],
}

impl Random {
    /// Stream `index` of `purpose`; streams with another seed, purpose or index have nothing to do with each other.
    pub(super) fn new(seed: u64, purpose: &str, index: u64) -> Self {
        let mut mixed = split_mix(&mut { seed });
        for word in purpose.bytes().map(u64::from).chain([index]) {
            mixed = split_mix(&mut (mixed ^ word));
        }
        Self { state: std::array::from_fn(|_| split_mix(&mut mixed)) }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number from 0 to below `bound`; 0 if that is 0. For bounds as small as they are here the bias is far below what
    /// could be seen.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// An index into something of `length` elements.
    pub(super) fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// One of `choices`, which are not empty.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// True in `per_mille` of a thousand cases.
    pub(super) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Chooses among weighted alternatives.
#[derive(Debug)]
pub(super) struct Weighted {
    /// Sum of the weights up to and with each alternative.
    sums: Vec<u64>,
}

impl Weighted {
    pub(super) fn new(weights: impl IntoIterator<Item = u64>) -> Self {
        let sums = weights.into_iter().scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// Index of an alternative, each as often as its weight says.
    pub(super) fn choose(&self, random: &mut Random) -> usize {
        self.at(random.next()).index
    }

    /// The alternative at a place on the line from 0 to 2^64 along which all lie, each as long as its weight says.
    pub(super) fn at(&self, place: u64) -> Chosen {
        let all = self.sums.last().copied().unwrap_or(0);
        let chosen = ((u128::from(place) * u128::from(all)) >> 64) as u64;
        let index = self.sums.partition_point(|sum| *sum <= chosen);
        let before = if index == 0 { 0 } else { self.sums[index - 1] };
        Chosen { index, within: chosen - before, weight: self.sums.get(index).map_or(0, |sum| sum - before) }
    }
}

/// An alternative, and where in it the chosen place lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) index: usize,
    /// From 0 to below `weight`.
    pub(super) within: u64,
    pub(super) weight: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_xoshiro256_plus_plus() {
        // The values the authors' C program prints for this state.
        let mut random = Random { state: [1, 2, 3, 4] };
        let expected =
            [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386, 9_228_616_714_210_784_205];
        assert_eq!(std::array::from_fn(|_| random.next()), expected);
    }

    #[test]
    fn the_state_is_filled_by_split_mix() {
        let mut state = 1_477_776_061_723_855_037;
        let expected = [1_985_237_415_132_408_290, 2_979_275_885_539_914_483, 13_511_426_838_097_143_398];
        assert_eq!(std::array::from_fn(|_| split_mix(&mut state)), expected);
    }

    #[test]
    fn weights_are_kept() {
        let weighted = Weighted::new([1, 0, 3]);
        let mut random = Random::new(1, "test", 0);
        let mut seen = [0; 3];
        (0..4000).for_each(|_| seen[weighted.choose(&mut random)] += 1);
        assert_eq!(seen[1], 0);
        assert!((900..1100).contains(&seen[0]), "{seen:?}");
        assert_eq!(weighted.at(1 << 63), Chosen { index: 2, within: 1, weight: 3 });
    }

    #[test]
    fn streams_differ() {
        let first = |seed, purpose, index| Random::new(seed, purpose, index).next();
        let all = [first(1, "a", 0), first(2, "a", 0), first(1, "b", 0), first(1, "a", 1), first(0, "", 0)];
        assert!((1..all.len()).all(|at| !all[..at].contains(&all[at])), "{all:?}");
    }
}
