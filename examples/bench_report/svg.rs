//! The plots: SVG whose shapes are in percent of its width, so that text keeps its size.

use std::fmt::Write as _;

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1d2129}.soft{fill:#586172}.grid{stroke:#dde1e8}.one{stroke:#586172}\
.end{text-anchor:end}.middle{text-anchor:middle}\
.good{fill:#16805c}.bad{fill:#be323c}.limit{fill:#9aa3b2}\
.s0{fill:#3a60a0;stroke:#3a60a0}.s1{fill:#be323c;stroke:#be323c}.s2{fill:#16805c;stroke:#16805c}\
.s3{fill:#8f5f0c;stroke:#8f5f0c}.s4{fill:#7a3fa0;stroke:#7a3fa0}.s5{fill:#9aa3b2;stroke:#9aa3b2}\
line{stroke-width:1px}line[class^=s]{stroke-width:2px}path[class^=s]{fill:none;stroke-width:1.6px}line.d1{stroke-dasharray:7 4}line.d2{stroke-dasharray:2 3}line.d3{stroke-dasharray:9 3 2 3}\
@media(prefers-color-scheme:dark){text{fill:#e6e9ef}.soft{fill:#a3acbb}.grid{stroke:#323846}.one{stroke:#a3acbb}\
.good{fill:#46c394}.bad{fill:#ff7d86}.limit{fill:#6b7484}.s0{fill:#7ea6ee;stroke:#7ea6ee}.s1{fill:#ff7d86;stroke:#ff7d86}\
.s2{fill:#46c394;stroke:#46c394}.s3{fill:#e9b44c;stroke:#e9b44c}.s4{fill:#c79be8;stroke:#c79be8}.s5{fill:#6b7484;stroke:#6b7484}}";

/// A plot and its height in pixels.
pub(crate) struct Plot {
    pub(crate) svg: String,
    pub(crate) height: usize,
}

fn plot(height: usize, body: &str) -> Plot {
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100%\" height=\"{height}\"><style>{STYLE}</style>\n{body}</svg>\n"
    );
    Plot { svg, height }
}

/// A bar with a label, a note at the right, and a class that colors it.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) note: String,
    pub(crate) value: f64,
    pub(crate) class: &'static str,
}

/// Bars on a logarithmic axis, which begin at 1: to the right what is more, to the left what is less.
pub(crate) fn ratios(bars: &[Bar]) -> Plot {
    let logs = || bars.iter().map(|bar| bar.value.max(1e-3).log10());
    let low = logs().fold(-0.35, f64::min) - 0.02;
    let high = logs().fold(0.35, f64::max) + 0.02;
    let at = |log: f64| (log - low) / (high - low) * 100.0;
    let height = bars.iter().map(Bar::height).sum::<usize>() + 26;
    let mut body = String::new();
    let mut before = f64::NEG_INFINITY;
    for tick in ticks(low, high, true) {
        let x = at(tick.log10());
        let class = if (tick - 1.0).abs() < 1e-9 {
            "one"
        } else {
            "grid"
        };
        let _ = writeln!(
            body,
            "<line class=\"{class}\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"20\" y2=\"{height}\"/>"
        );
        // A digit takes 2 % of a narrow page. Labels that would overlap on it are left out.
        let label = tick.to_string();
        let width = label.len() as f64 * 2.0;
        let (anchor, from) = match x {
            _ if x < 4.0 => ("", x),
            _ if x > 96.0 => (" end", x - width),
            _ => (" middle", x - width / 2.0),
        };
        if from >= before + 1.5 {
            before = from + width;
            let _ = writeln!(
                body,
                "<text class=\"soft{anchor}\" x=\"{x:.2}%\" y=\"13\">{label}</text>"
            );
        }
    }
    let mut y = 26;
    for bar in bars {
        let (from, to) = (at(0.0), at(bar.value.max(1e-3).log10()));
        let (x, width) = (from.min(to), (from - to).abs().max(0.3));
        draw_bar(&mut body, y, bar, (x, width));
        y += bar.height();
    }
    plot(height, &body)
}

/// The height of a line of text, in pixels.
const LINE: usize = 15;

impl Bar {
    /// A label and a note that are too long for a narrow page are in two lines.
    fn lines(&self) -> usize {
        1 + usize::from(self.label.chars().count() + self.note.chars().count() > 48)
    }

    fn height(&self) -> usize {
        21 + self.lines() * LINE
    }
}

/// Draws a bar from `x`, in percent of the width, below its texts.
fn draw_bar(body: &mut String, y: usize, bar: &Bar, (x, width): (f64, f64)) {
    let text = y + 12;
    let last = text + (bar.lines() - 1) * LINE;
    let _ = writeln!(
        body,
        "<text x=\"0\" y=\"{text}\">{}</text><text class=\"end\" x=\"100%\" y=\"{last}\">{}</text>\
         <rect class=\"{}\" x=\"{x:.2}%\" width=\"{width:.2}%\" y=\"{}\" height=\"9\"/>",
        escaped(&bar.label),
        escaped(&bar.note),
        bar.class,
        last + 5,
    );
}

/// Bars from 0 to `most`.
pub(crate) fn shares(bars: &[Bar], most: f64) -> Plot {
    let (mut body, mut y) = (String::new(), 0);
    for bar in bars {
        let width = (bar.value / most * 100.0).clamp(0.0, 100.0);
        draw_bar(&mut body, y, bar, (0.0, width));
        y += bar.height();
    }
    plot(y, &body)
}

/// Points that are joined by a line, or unrelated ones.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) is_line: bool,
}

/// The marks of series, around the origin: a circle, a square, two triangles, a diamond and a cross.
const MARKS: [&str; 6] = [
    "M-3.5,0a3.5,3.5 0 1 0 7,0a3.5,3.5 0 1 0 -7,0z",
    "M-3,-3h6v6h-6z",
    "M0,-4l4,7h-8z",
    "M0,4l4,-7h-8z",
    "M0,-4.5l4.5,4.5l-4.5,4.5l-4.5,-4.5z",
    "M-3.5,-3.5l7,7m0,-7l-7,7",
];

/// The height of the area of a plot of growth, in pixels.
const AREA: usize = 260;

/// How the values of an axis are written.
pub(crate) type Axis = fn(f64) -> String;

/// A logarithmic range, in powers of ten.
type Range = (f64, f64);

/// Lines on two logarithmic axes: what grows in proportion is a straight diagonal. The axes cover
/// the series of `like`.
pub(crate) fn growth(series: &[Series], like: &[Series], (x_label, y_label): (Axis, Axis)) -> Plot {
    let (x_range, y_range) = (range(like, |point| point.0), range(like, |point| point.1));
    let legend = series.len().div_ceil(2) * 20 + 8;
    let (top, bottom) = (legend as f64, (legend + AREA) as f64);
    let x_at = |x: f64| 17.0 + (x.log10() - x_range.0) / (x_range.1 - x_range.0) * 81.0;
    let y_at = |y: f64| {
        bottom - (y.max(1e-9).log10() - y_range.0) / (y_range.1 - y_range.0) * (bottom - top)
    };
    let mut body = String::new();
    for tick in ticks(y_range.0, y_range.1, false) {
        let y = y_at(tick);
        let _ = writeln!(
            body,
            "<line class=\"grid\" x1=\"17%\" x2=\"98%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"soft end\" x=\"16%\" y=\"{:.1}\">{}</text>",
            y + 4.0,
            y_label(tick),
        );
    }
    let all = ticks(x_range.0, x_range.1, false);
    let every = all.len().div_ceil(4).max(1);
    for tick in all.iter().step_by(every) {
        let x = x_at(*tick);
        let anchor = if x > 90.0 { "end" } else { "middle" };
        let _ = writeln!(
            body,
            "<line class=\"grid\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"soft {anchor}\" x=\"{x:.2}%\" y=\"{:.1}\">{}</text>",
            bottom + 18.0,
            x_label(*tick),
        );
    }
    for (at, series) in series.iter().enumerate() {
        let points = series.points.iter().map(|(x, y)| (x_at(*x), y_at(*y)));
        draw_series(&mut body, at, series, &points.collect::<Vec<_>>());
    }
    plot(legend + AREA + 26, &body)
}

fn range(series: &[Series], pick: fn(&(f64, f64)) -> f64) -> Range {
    let values = series.iter().flat_map(|series| &series.points).map(pick);
    let logs = values.filter(|value| *value > 0.0).map(f64::log10);
    let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| {
        (f64::min(low, log), f64::max(high, log))
    });
    // At least a decade, or a flat line would look steep.
    let space = f64::max(0.06 * (high - low), (1.0 - (high - low)) / 2.0);
    (low - space, high + space)
}

/// Draws the legend of a series and its points, in percent of the width and in pixels.
fn draw_series(body: &mut String, at: usize, series: &Series, points: &[(f64, f64)]) {
    // Color, dashes and mark differ, so that lines that coincide are both seen.
    let class = format!("s{} d{}", at % 6, (at + at / 6) % 4);
    let mark = MARKS[at % MARKS.len()];
    let (x, y) = (at % 2 * 50, at / 2 * 20);
    let sample = if series.is_line {
        format!("<line class=\"{class}\" x2=\"32\" y1=\"9\" y2=\"9\"/>")
    } else {
        String::new()
    };
    let _ = writeln!(
        body,
        "<svg x=\"{x}%\" y=\"{y}\" width=\"50%\" height=\"20\" overflow=\"visible\">{sample}\
         <path class=\"{class}\" transform=\"translate(16,9)\" d=\"{mark}\"/><text x=\"40\" y=\"13\">{}</text></svg>",
        escaped(&series.name),
    );
    let pairs = points.windows(2).filter(|_| series.is_line);
    for pair in pairs {
        let _ = writeln!(
            body,
            "<line class=\"{class}\" x1=\"{:.2}%\" y1=\"{:.1}\" x2=\"{:.2}%\" y2=\"{:.1}\"/>",
            pair[0].0, pair[0].1, pair[1].0, pair[1].1,
        );
    }
    for (x, y) in points {
        let _ = writeln!(
            body,
            "<svg x=\"{x:.2}%\" y=\"{y:.1}\" overflow=\"visible\"><path class=\"{class}\" d=\"{mark}\"/></svg>"
        );
    }
}

/// Powers of ten in a range of logarithms, and twos and fives if there are few.
fn ticks(low: f64, high: f64, with_parts: bool) -> Vec<f64> {
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    let parts: &[f64] = if with_parts || high - low < 2.5 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let all = (first..=last).flat_map(|power| parts.iter().map(move |part| (part, power)));
    // From text, so that the labels are exact.
    let all = all.filter_map(|(part, power)| format!("{part}e{power}").parse::<f64>().ok());
    all.filter(|tick| (low..=high).contains(&tick.log10()))
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
