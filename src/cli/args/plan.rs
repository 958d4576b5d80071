//! The arguments of `plan`.

use std::str::FromStr;

use clap::Args;

use super::{ApiOption, CheckSettings, InputOptions, PrintOptions, SceneOptions};

/// The scan whose cost is estimated.
#[derive(Args, Debug)]
pub(crate) struct PlanOptions {
    #[command(flatten)]
    pub(crate) input: InputOptions,

    #[command(flatten)]
    pub(crate) check: CheckSettings,

    #[command(flatten)]
    pub(crate) scenes: SceneOptions,

    #[command(flatten)]
    pub(crate) api: ApiOption,

    /// Price of a thousand images of one scene, in any currency: 1.80
    ///
    /// In 2.0 of one service.
    #[arg(long, value_name = "PRICE", help_heading = "Service")]
    pub(crate) price: Option<Price>,

    #[command(flatten)]
    pub(crate) print: PrintOptions,
}

/// An amount of money, exact to a millionth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) millionths: u64,
}

const MILLION: u64 = 1_000_000;

impl FromStr for Price {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "write a decimal number with at most six places: 1.80";
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 6 {
            return Err(EXPECTED);
        }
        let whole: u64 = whole.parse().map_err(|_| EXPECTED)?;
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| EXPECTED)?;
        let millionths = whole
            .checked_mul(MILLION)
            .and_then(|whole| whole.checked_add(part))
            .filter(|millionths| *millionths <= MILLION * MILLION);
        millionths
            .map(|millionths| Self { millionths })
            .ok_or("at most a million")
    }
}

impl Price {
    /// With two decimal places, rounded up.
    pub(crate) fn to_cents(self) -> String {
        let cents = self.millionths.div_ceil(MILLION / 100);
        format!("{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_decimal_numbers() {
        for (text, millionths) in [
            ("1.80", Some(1_800_000)),
            ("0", Some(0)),
            ("12", Some(12_000_000)),
            ("0.000001", Some(1)),
            ("1000000", Some(1_000_000_000_000)),
            ("1000000.1", None),
            ("0.0000001", None),
            ("", None),
            (".5", None),
            ("1.", None),
            ("-1", None),
            ("1e3", None),
            ("1,80", None),
            ("99999999999999999999", None),
        ] {
            let price = text.parse::<Price>().ok();
            assert_eq!(price.map(|price| price.millionths), millionths, "{text}");
        }
        let shown = |millionths| Price { millionths }.to_cents();
        assert_eq!(shown(1_800_000), "1.80");
        assert_eq!(shown(1), "0.01");
        assert_eq!(shown(123_450_001), "123.46");
    }
}
