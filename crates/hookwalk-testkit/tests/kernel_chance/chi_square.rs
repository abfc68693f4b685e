//! Pearson's chi-square test.

/// How likely it is that what was seen differs so much from what was expected by chance alone.
pub(crate) fn p_value(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut statistic, mut kinds) = (0.0, 0_u32);
    for (seen, expected) in pairs {
        statistic += (seen - expected).powi(2) / expected;
        kinds += 1;
    }
    upper_gamma(f64::from(kinds - 1) / 2.0, statistic / 2.0)
}

/// The regularized upper incomplete gamma function Q(a, x): by the series of P below a + 1, by the continued
/// fraction of Q (Lentz) above (Abramowitz and Stegun, 6.5.29 and 6.5.31).
fn upper_gamma(shape: f64, at: f64) -> f64 {
    if at <= 0.0 {
        return 1.0;
    }
    let scale = (shape * at.ln() - at - ln_gamma(shape)).exp();
    if at < shape + 1.0 {
        let (mut term, mut sum, mut divisor) = (1.0 / shape, 1.0 / shape, shape);
        while term > sum * 1e-16 {
            divisor += 1.0;
            term *= at / divisor;
            sum += term;
        }
        return 1.0 - scale * sum;
    }
    let mut partial = at + 1.0 - shape;
    let (mut above, mut below) = (1e300, 1.0 / partial);
    let mut fraction = below;
    for count in 1..10_000 {
        let count = f64::from(count);
        let factor = -count * (count - shape);
        partial += 2.0;
        below = 1.0 / (factor * below + partial);
        above = partial + factor / above;
        fraction *= above * below;
        if (above * below - 1.0).abs() < 1e-15 {
            break;
        }
    }
    scale * fraction
}

/// The logarithm of the gamma function by Stirling's series, at an argument that is first moved beyond 10.
fn ln_gamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 10.0 {
        shift += x.ln();
        x += 1.0;
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

#[test]
fn known_values() {
    // Quantiles of tables: 3.841 (1 degree, 5 %), 18.307 (10 degrees, 5 %), 85.351 (49 degrees, 0.1 %).
    for (a, x, expected) in [(0.5, 3.841, 0.05), (5.0, 18.307, 0.05), (24.5, 85.351, 0.001)] {
        let found = upper_gamma(a, x / 2.0);
        assert!((found / expected - 1.0).abs() < 2e-3, "{a} {x}: {found}");
    }
    // Q(1, x) is exp(-x).
    assert!((upper_gamma(1.0, 20.0) / (-20.0_f64).exp() - 1.0).abs() < 1e-9);
    let fair = p_value([(10_050.0, 10_000.0), (9_950.0, 10_000.0)].into_iter());
    assert!(fair > 0.4 && fair < 0.6, "{fair}");
    assert!(p_value([(11_000.0, 10_000.0), (9_000.0, 10_000.0)].into_iter()) < 1e-40);
}
