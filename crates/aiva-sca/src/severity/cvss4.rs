//! CVSS 4.0 scores (first.org/cvss/v4-0/specification-document, section 8).
//!
//! A vector falls into one of 270 macro vectors whose scores FIRST publishes as a table. Inside its macro vector it loses, for
//! each of the equivalence classes, its share of the distance to the next lower macro vector; the mean of these is taken off.
//! Distances are counted in steps (whole numbers); only the final mean is a fraction.

use super::{Metrics, Score};

pub(super) fn score(metrics: &Metrics<'_>) -> Option<Score> {
    let v = Vector::read(metrics)?;
    if [v.vc, v.vi, v.va].iter().all(|loss| *loss == 2) && [v.sc, v.si, v.sa].iter().all(|loss| *loss == 3) {
        return Some(Score(0));
    }
    let classes = v.classes();
    let value = f64::from(table(classes)?);
    let [eq1, eq2, eq3, eq4, eq5, eq6] = classes;
    let lower3 = match (eq3, eq6) {
        (0, 0) => table([eq1, eq2, 0, eq4, eq5, 1]).max(table([eq1, eq2, 1, eq4, eq5, 0])),
        (1, 0) => table([eq1, eq2, 1, eq4, eq5, 1]),
        _ => table([eq1, eq2, eq3 + 1, eq4, eq5, eq6]),
    };
    let [own1, own2, own3, own4] = v.distances(classes)?;
    let depth3 = match (eq3, eq6) {
        (0, 0) => 7,
        (0, _) => 6,
        (1, _) => 8,
        _ => 10,
    };
    // For each class: the score one class lower, how far this vector is from the top of its class, and how deep the class is.
    let steps = [
        (table([eq1 + 1, eq2, eq3, eq4, eq5, eq6]), own1, [1, 4, 5][usize::from(eq1)]),
        (table([eq1, eq2 + 1, eq3, eq4, eq5, eq6]), own2, [1, 2][usize::from(eq2)]),
        (lower3, own3, depth3),
        (table([eq1, eq2, eq3, eq4 + 1, eq5, eq6]), own4, [6, 5, 4][usize::from(eq4)]),
        (table([eq1, eq2, eq3, eq4, eq5 + 1, eq6]), 0, 1),
    ];
    let (mut lost, mut count) = (0.0, 0.0);
    for (lower, own, depth) in steps {
        if let Some(lower) = lower {
            lost += (value - f64::from(lower)) * f64::from(own) / f64::from(depth);
            count += 1.0;
        }
    }
    let exact = if count > 0.0 { value - lost / count } else { value };
    // The reference implementation rounds half up after adding a millionth, against the errors of f64.
    Some(Score::of_tenths((exact + 1e-5 + 0.5).floor()))
}

/// Every metric as the number of steps below its worst value.
struct Vector {
    av: u8,
    pr: u8,
    ui: u8,
    ac: u8,
    at: u8,
    vc: u8,
    vi: u8,
    va: u8,
    sc: u8,
    si: u8,
    sa: u8,
    e: u8,
    cr: u8,
    ir: u8,
    ar: u8,
}

impl Vector {
    fn read(metrics: &Metrics<'_>) -> Option<Self> {
        Some(Self {
            av: base(metrics, "AV", "MAV", "NALP")?,
            pr: base(metrics, "PR", "MPR", "NLH")?,
            ui: base(metrics, "UI", "MUI", "NPA")?,
            ac: base(metrics, "AC", "MAC", "LH")?,
            at: base(metrics, "AT", "MAT", "NP")?,
            vc: base(metrics, "VC", "MVC", "HLN")?,
            vi: base(metrics, "VI", "MVI", "HLN")?,
            va: base(metrics, "VA", "MVA", "HLN")?,
            // "Safety" stands only in the modified metrics of integrity and availability, one step above high.
            sc: 1 + base(metrics, "SC", "MSC", "HLN")?,
            si: subsequent(metrics, "SI", "MSI")?,
            sa: subsequent(metrics, "SA", "MSA")?,
            e: optional(metrics, "E", "APU")?,
            cr: optional(metrics, "CR", "HML")?,
            ir: optional(metrics, "IR", "HML")?,
            ar: optional(metrics, "AR", "HML")?,
        })
    }

    fn classes(&self) -> [u8; 6] {
        let top = [self.av, self.pr, self.ui].iter().filter(|steps| **steps == 0).count();
        let eq1 = match top {
            3 => 0,
            1.. if self.av != 3 => 1,
            _ => 2,
        };
        let eq2 = u8::from(self.ac != 0 || self.at != 0);
        let eq3 = match (self.vc, self.vi, self.va) {
            (0, 0, _) => 0,
            (0, _, _) | (_, 0, _) | (_, _, 0) => 1,
            _ => 2,
        };
        let eq4 = if self.si == 0 || self.sa == 0 {
            0
        } else if self.sc == 1 || self.si == 1 || self.sa == 1 {
            1
        } else {
            2
        };
        let demanded = [(self.cr, self.vc), (self.ir, self.vi), (self.ar, self.va)];
        let eq6 = u8::from(!demanded.contains(&(0, 0)));
        [eq1, eq2, eq3, eq4, self.e, eq6]
    }

    /// Steps below the first of the highest vectors of the macro vector that is nowhere below this one, for EQ1, 2, 3+6, 4.
    fn distances(&self, [eq1, eq2, eq3, eq4, _, eq6]: [u8; 6]) -> Option<[u8; 4]> {
        let tops1: &[[u8; 3]] = match eq1 {
            0 => &[[0, 0, 0]],
            1 => &[[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            _ => &[[3, 0, 0], [1, 1, 1]],
        };
        let tops2: &[[u8; 2]] = if eq2 == 0 { &[[0, 0]] } else { &[[1, 0], [0, 1]] };
        // VC, VI, VA, CR, IR, AR
        let tops3: &[[u8; 6]] = match (eq3, eq6) {
            (0, 0) => &[[0, 0, 0, 0, 0, 0]],
            (0, _) => &[[0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]],
            (1, 0) => &[[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]],
            (1, _) => {
                &[[1, 0, 1, 0, 1, 0], [1, 0, 0, 0, 1, 1], [0, 1, 0, 1, 0, 1], [0, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 1]]
            }
            _ => &[[1, 1, 1, 0, 0, 0]],
        };
        // SC, SI, SA
        let tops4: &[[u8; 3]] = match eq4 {
            0 => &[[1, 0, 0]],
            1 => &[[1, 1, 1]],
            _ => &[[2, 2, 2]],
        };
        Some([
            below([self.av, self.pr, self.ui], tops1)?,
            below([self.ac, self.at], tops2)?,
            below([self.vc, self.vi, self.va, self.cr, self.ir, self.ar], tops3)?,
            below([self.sc, self.si, self.sa], tops4)?,
        ])
    }
}

fn below<const N: usize>(own: [u8; N], tops: &[[u8; N]]) -> Option<u8> {
    let top = tops.iter().find(|top| own.iter().zip(*top).all(|(own, top)| own >= top))?;
    Some(own.iter().zip(top).map(|(own, top)| own - top).sum())
}

/// A base metric, replaced by its modified form where that is given. Values stand worst first.
fn base(metrics: &Metrics<'_>, name: &str, modified: &str, values: &str) -> Option<u8> {
    let plain = position(metrics.get(name)?, values)?;
    match metrics.get(modified) {
        None | Some("X") => Some(plain),
        Some(value) => position(value, values),
    }
}

fn subsequent(metrics: &Metrics<'_>, name: &str, modified: &str) -> Option<u8> {
    let plain = position(metrics.get(name)?, "HLN")?;
    match metrics.get(modified) {
        None | Some("X") => Some(1 + plain),
        Some(value) => position(value, "SHLN"),
    }
}

fn optional(metrics: &Metrics<'_>, name: &str, values: &str) -> Option<u8> {
    match metrics.get(name) {
        None | Some("X") => Some(0),
        Some(value) => position(value, values),
    }
}

fn position(value: &str, values: &str) -> Option<u8> {
    if value.len() != 1 {
        return None;
    }
    values.find(value).and_then(|at| u8::try_from(at).ok())
}

/// The score of a macro vector in tenths; `None` where the specification has no such macro vector.
fn table([eq1, eq2, eq3, eq4, eq5, eq6]: [u8; 6]) -> Option<u8> {
    let eq36 = match (eq3, eq6) {
        (0 | 1, 0 | 1) => eq3 * 2 + eq6,
        (2, 1) => 4,
        _ => return None,
    };
    if eq1 > 2 || eq2 > 1 || eq4 > 2 || eq5 > 2 {
        return None;
    }
    let row = ((usize::from(eq1) * 2 + usize::from(eq2)) * 5 + usize::from(eq36)) * 3 + usize::from(eq4);
    MACRO_VECTORS.get(row * 3 + usize::from(eq5)).copied()
}

/// FIRST's scores in tenths, ordered by EQ1, EQ2, EQ3 with EQ6 (00, 01, 10, 11, 21), EQ4 and, fastest, EQ5.
#[rustfmt::skip]
const MACRO_VECTORS: [u8; 270] = [
    100, 98, 95, 100, 93, 91, 93, 89, 81, 99, 95, 92, 96, 87, 81,
    90, 80, 68, 98, 95, 90, 93, 89, 81, 88, 78, 69, 95, 92, 84,
    92, 81, 65, 80, 70, 48, 92, 82, 72, 79, 69, 50, 69, 55, 27,
    99, 95, 92, 95, 90, 84, 92, 82, 72, 97, 92, 85, 91, 83, 71,
    81, 71, 53, 95, 92, 85, 92, 80, 70, 84, 71, 50, 93, 85, 73,
    82, 72, 59, 70, 52, 30, 86, 75, 52, 71, 52, 29, 63, 29, 17,
    98, 94, 91, 94, 86, 77, 87, 74, 63, 95, 87, 81, 89, 74, 64,
    75, 63, 49, 94, 88, 76, 86, 74, 59, 72, 57, 52, 89, 77, 67,
    76, 58, 50, 57, 52, 25, 83, 70, 54, 65, 58, 26, 53, 21, 13,
    95, 88, 76, 90, 75, 61, 77, 68, 52, 90, 76, 70, 77, 62, 53,
    66, 59, 30, 89, 76, 62, 74, 57, 47, 61, 57, 24, 78, 67, 58,
    59, 57, 23, 52, 29, 16, 71, 59, 30, 58, 26, 15, 23, 13, 6,
    93, 86, 75, 86, 74, 56, 70, 52, 40, 87, 72, 58, 74, 61, 34,
    54, 40, 22, 85, 74, 62, 72, 55, 46, 53, 34, 19, 75, 55, 51,
    57, 41, 19, 36, 19, 8, 64, 51, 20, 47, 21, 11, 24, 9, 4,
    88, 73, 60, 73, 59, 41, 54, 45, 20, 75, 53, 50, 55, 40, 20,
    43, 22, 11, 75, 58, 40, 61, 48, 20, 46, 17, 8, 55, 45, 21,
    51, 18, 9, 18, 7, 2, 53, 24, 14, 24, 12, 5, 10, 3, 1,
];
