use std::fmt;

use num_bigint::BigUint;

/// An exact probability: a numerator over `2^(31 * draws)`.
///
/// The kernel draws 31 bits for each `statistic` match that it meets (`net/netfilter/xt_statistic.c`),
/// so the product of m draws has the denominator 2^(31m). It is kept and printed unreduced.
///
/// ```
/// use hookwalk_engine::Probability;
/// let third = Probability::ONE.draw(715_827_883);
/// assert_eq!(third.to_string(), "715827883/2147483648");
/// let rest = Probability::ONE.draw_complement(715_827_883);
/// assert_eq!(third.plus(&rest), Probability::ONE);
/// ```
#[derive(Clone, Debug)]
pub struct Probability {
    numerator: Numerator,
    draws: u32,
}

/// Four draws fit 128 bits, which is what a packet meets as a rule, and need no memory of their own.
#[derive(Clone, Debug)]
enum Numerator {
    Small(u128),
    Big(BigUint),
}

impl Numerator {
    fn to_big(&self) -> BigUint {
        match self {
            Numerator::Small(small) => BigUint::from(*small),
            Numerator::Big(big) => big.clone(),
        }
    }

    fn times(&self, factor: u128) -> Numerator {
        if let Numerator::Small(small) = self
            && small.leading_zeros() + factor.leading_zeros() >= u128::BITS
        {
            return Numerator::Small(small.wrapping_mul(factor));
        }
        Numerator::Big(self.to_big() * factor)
    }
}

impl Probability {
    /// Certainty, without a draw.
    pub const ONE: Probability = Probability { numerator: Numerator::Small(1), draws: 0 };
    /// Impossibility, without a draw.
    pub const ZERO: Probability = Probability { numerator: Numerator::Small(0), draws: 0 };

    /// How many bits the kernel draws.
    const BITS: u32 = 31;

    /// The probability that this comes to pass and then a draw falls below `numerator` of 2^31.
    #[must_use]
    pub fn draw(&self, numerator: u32) -> Self {
        let numerator = match &self.numerator {
            // 64 bits times 32 fit.
            Numerator::Small(small) if *small >> 64 == 0 => Numerator::Small(small * u128::from(numerator)),
            other => other.times(numerator.into()),
        };
        Probability { numerator, draws: self.draws + 1 }
    }

    /// The probability that this comes to pass and then a draw does not fall below `numerator` of 2^31.
    #[must_use]
    pub fn draw_complement(&self, numerator: u32) -> Self {
        self.draw(Self::complement_of(numerator))
    }

    /// How many of 2^31 values do not fall below `numerator`.
    pub(crate) const fn complement_of(numerator: u32) -> u32 {
        (1_u32 << Self::BITS).saturating_sub(numerator)
    }

    /// The probability that this comes to pass and then a hash of 32 bits falls into a part of `share`
    /// values. Kept as of two draws.
    #[must_use]
    pub fn share(&self, share: u64) -> Self {
        Probability { numerator: self.numerator.times(u128::from(share) << 30), draws: self.draws + 2 }
    }

    /// The probability that both come to pass, when one does not depend on the other.
    #[must_use]
    pub fn times(&self, other: &Probability) -> Self {
        let numerator = match (&self.numerator, &other.numerator) {
            (numerator, Numerator::Small(factor)) | (Numerator::Small(factor), numerator) => {
                numerator.times(*factor)
            }
            (Numerator::Big(one), Numerator::Big(other)) => Numerator::Big(one * other),
        };
        Probability { numerator, draws: self.draws + other.draws }
    }

    /// The same, with as few draws in the denominator as it takes.
    #[must_use]
    pub fn reduced(self) -> Self {
        let zeros = match &self.numerator {
            Numerator::Small(0) => 0,
            Numerator::Small(small) => u64::from(small.trailing_zeros()),
            Numerator::Big(big) => big.trailing_zeros().unwrap_or(0),
        };
        let fewer = self.draws.min(u32::try_from(zeros / u64::from(Self::BITS)).unwrap_or(u32::MAX));
        let bits = u64::from(fewer) * u64::from(Self::BITS);
        let numerator = match self.numerator {
            Numerator::Small(small) => Numerator::Small(small >> bits),
            Numerator::Big(big) => Numerator::Big(big >> bits),
        };
        Probability { numerator, draws: self.draws - fewer }
    }

    /// The sum of two.
    #[must_use]
    pub fn plus(&self, other: &Probability) -> Self {
        let draws = self.draws.max(other.draws);
        let sum = |one: Option<u128>, other: Option<u128>| one?.checked_add(other?);
        let numerator = match sum(self.small_scaled(draws), other.small_scaled(draws)) {
            Some(sum) => Numerator::Small(sum),
            None => Numerator::Big(self.scaled(draws) + other.scaled(draws)),
        };
        Probability { numerator, draws }
    }

    /// What is missing to certainty.
    #[must_use]
    pub fn complement(&self) -> Self {
        let numerator = match (Probability::ONE.small_scaled(self.draws), &self.numerator) {
            (Some(one), Numerator::Small(small)) => Numerator::Small(one.saturating_sub(*small)),
            _ => {
                let (one, own) = (Probability::ONE.scaled(self.draws), self.numerator.to_big());
                Numerator::Big(if own > one { BigUint::ZERO } else { one - own })
            }
        };
        Probability { numerator, draws: self.draws }
    }

    /// Whether it cannot come to pass.
    pub fn is_zero(&self) -> bool {
        match &self.numerator {
            Numerator::Small(small) => *small == 0,
            Numerator::Big(big) => *big == BigUint::ZERO,
        }
    }

    /// The numerator in decimal.
    pub fn numerator(&self) -> String {
        match &self.numerator {
            Numerator::Small(small) => small.to_string(),
            Numerator::Big(big) => big.to_string(),
        }
    }

    /// How many draws the denominator counts.
    pub fn draws(&self) -> u32 {
        self.draws
    }

    /// The nearest `f64`, for showing.
    pub fn to_f64(&self) -> f64 {
        // The 64 leading bits are more than an f64 holds; powers of two are exact.
        let (shift, leading) = match &self.numerator {
            Numerator::Small(small) => {
                let shift = u64::from(64_u32.saturating_sub(small.leading_zeros()));
                (shift, u64::try_from(small >> shift).unwrap_or(u64::MAX))
            }
            Numerator::Big(big) => {
                let shift = big.bits().saturating_sub(64);
                (shift, (big >> shift).iter_u64_digits().next().unwrap_or(0))
            }
        };
        let exponent =
            i64::try_from(shift).unwrap_or(i64::MAX) - i64::from(self.draws) * i64::from(Self::BITS);
        #[expect(clippy::cast_precision_loss, reason = "the value is for showing")]
        let leading = leading as f64;
        leading * 2_f64.powi(i32::try_from(exponent).unwrap_or(i32::MIN))
    }

    fn scaled(&self, draws: u32) -> BigUint {
        self.numerator.to_big() << (u64::from(draws - self.draws) * u64::from(Self::BITS))
    }

    /// The same where it fits.
    fn small_scaled(&self, draws: u32) -> Option<u128> {
        let Numerator::Small(small) = self.numerator else { return None };
        let bits = (draws - self.draws).checked_mul(Self::BITS)?;
        (small == 0 || bits <= small.leading_zeros()).then(|| small.checked_shl(bits).unwrap_or(0))
    }
}

/// A number from 0 up to 1, drawn from a seed with as many bits as a comparison needs.
pub(crate) struct Lot {
    seed: u64,
}

impl Lot {
    pub(crate) const fn new(seed: u64) -> Self {
        Lot { seed }
    }

    /// Whether the number is below a probability.
    pub(crate) fn is_below(&self, probability: &Probability) -> bool {
        let bits = u64::from(probability.draws) * u64::from(Probability::BITS);
        let mut state = self.seed;
        let mut number = BigUint::ZERO;
        for _ in 0..bits.div_ceil(64) {
            number = (number << 64_u32) + splitmix64(&mut state);
        }
        // The first bits are the same whatever the length, so that one number is compared with all.
        number >>= bits.div_ceil(64) * 64 - bits;
        number < probability.numerator.to_big()
    }
}

/// `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl PartialEq for Probability {
    fn eq(&self, other: &Self) -> bool {
        let draws = self.draws.max(other.draws);
        match (self.small_scaled(draws), other.small_scaled(draws)) {
            (Some(one), Some(other)) => one == other,
            _ => self.scaled(draws) == other.scaled(draws),
        }
    }
}

impl Eq for Probability {}

/// `numerator/denominator`, not reduced.
impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.numerator {
            Numerator::Small(small) => write!(f, "{small}")?,
            Numerator::Big(big) => write!(f, "{big}")?,
        }
        f.write_str("/")?;
        match Probability::ONE.small_scaled(self.draws) {
            Some(denominator) => write!(f, "{denominator}"),
            None => write!(f, "{}", Probability::ONE.scaled(self.draws)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn showing_is_close_and_never_overflows() {
        assert!((Probability::ONE.draw(429_496_730).to_f64() - 0.200_000_000_186).abs() < 1e-12);
        let small = (0..100).fold(Probability::ONE, |p, _| p.draw(1));
        assert!(small.to_f64() >= 0.0);
        let near_one = (0..1000).fold(Probability::ONE, |p, _| p.draw((1 << 31) - 1));
        assert!((near_one.to_f64() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn complement_sums_to_one() {
        let p = Probability::ONE.draw(3).draw_complement(7);
        assert_eq!(p.plus(&p.complement()), Probability::ONE);
    }
}
