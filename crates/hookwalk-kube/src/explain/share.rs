use hookwalk_parser::extensions::StatisticProbability;

/// A part of packets as people say it: `1/3` where the kernel's number is the nearest to it, else percent.
///
/// ```
/// use hookwalk_kube::explain::share;
/// assert_eq!(share("0.33333333349".parse().unwrap()), "1/3");
/// assert_eq!(share("0.2".parse().unwrap()), "1/5");
/// assert_eq!(share("0.7".parse().unwrap()), "70%");
/// // What older kube-proxy wrote with five decimals.
/// assert_eq!(share("0.33332999982".parse().unwrap()), "33.333%");
/// ```
pub fn share(probability: StatisticProbability) -> String {
    let whole = u64::from(StatisticProbability::DENOMINATOR);
    let numerator = u64::from(probability.numerator());
    if numerator == 0 {
        return "none".to_owned();
    }
    // kube-proxy writes ten decimals, so that the number is the nearest or the one beside it.
    let parts = (whole + numerator / 2) / numerator;
    if (2..=10_000).contains(&parts) {
        let nearest = (whole + parts / 2) / parts;
        if nearest.abs_diff(numerator) <= 1 {
            return format!("1/{parts}");
        }
    }
    let percent = probability_percent(numerator, whole);
    let text = format!("{percent:.3}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[expect(clippy::cast_precision_loss, reason = "at most 2^31, which a f64 holds exactly")]
fn probability_percent(numerator: u64, whole: u64) -> f64 {
    numerator as f64 * 100.0 / whole as f64
}
