//! Figures as text: as many digits as mean something, thousands apart.

/// Three significant digits, all digits before the point: `0.123`, `4.56`, `78.9`, `12,345`.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let decimals = match value.abs() {
        size if size >= 99.95 || size == 0.0 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    apart(&format!("{value:.decimals$}"))
}

/// A ratio: two digits behind the point below 10, and three below 0.1.
pub fn ratio(value: f64) -> String {
    match value {
        value if value < 0.0995 => format!("{value:.3}"),
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => apart(&format!("{value:.0}")),
    }
}

/// A number of things, short: `10`, `1k`, `100k`, `5M`.
pub fn count(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{}G", value / 1e9),
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => value.to_string(),
    }
}

/// Puts commas between the thousands of a decimal number.
fn apart(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole),
    };
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits_and_all_before_the_point() {
        let cases = [
            (0.0, "0"),
            (0.1234, "0.123"),
            (0.9999, "1.00"),
            (4.567, "4.57"),
            (9.999, "10.0"),
            (78.94, "78.9"),
            (99.96, "100"),
            (123.4, "123"),
            (1_234.5, "1,234"),
            (1_234_567.0, "1,234,567"),
            (-12_345.0, "-12,345"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn ratios_have_digits_where_they_matter() {
        let cases =
            [(0.0123, "0.012"), (0.43, "0.43"), (1.0, "1.00"), (12.34, "12.3"), (1234.0, "1,234")];
        for (value, text) in cases {
            assert_eq!(ratio(value), text);
        }
    }

    #[test]
    fn counts_are_short() {
        let cases = [(10.0, "10"), (1000.0, "1k"), (2500.0, "2.5k"), (1e5, "100k"), (2e6, "2M")];
        for (value, text) in cases {
            assert_eq!(count(value), text);
        }
    }
}
