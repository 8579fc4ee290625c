// SPDX-License-Identifier: GPL-2.0

//! Plots: bars for each workload, the cost against the number of operations in flight, and how long
//! the call that submits takes.

use crate::result::{Results, Run, ENGINES, QUANTILES};
use plotters::prelude::*;
use std::{error::Error, path::Path};

type Plotted = Result<(), Box<dyn Error>>;

/// Colours that are told apart by most eyes (Okabe and Ito's).
const COLOURS: [RGBColor; 8] = [
    RGBColor(153, 153, 153),
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(240, 228, 66),
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
];

fn colour(engine: &str) -> RGBColor {
    let known = ENGINES.iter().position(|name| *name == engine);
    COLOURS[known.unwrap_or(0)]
}

/// All plots, to files in `dir`.
pub fn all(results: &Results, dir: &Path) -> Plotted {
    bars(results, "read", &dir.join("reads.svg"))?;
    bars(results, "write", &dir.join("writes.svg"))?;
    for (workload, op) in [
        ("ext4-cached", "read"),
        ("null_blk-0", "read"),
        ("null_blk-0", "write"),
    ] {
        let file = match op {
            "read" => format!("depth-{workload}.svg"),
            _ => format!("depth-{workload}-{op}.svg"),
        };
        depths(results, workload, op, &dir.join(file))?;
    }
    parked(results, &dir.join("parked.svg"))?;
    let one = |run: &&Run| run.workload == "null_blk-0" && run.op == "read" && run.depth == 1;
    let title = "submit of one 4 KiB read, O_DIRECT, null_blk";
    calls(results, title, one, &dir.join("submit.svg"))?;
    let cold = |run: &&Run| run.workload == "ext4-2ms";
    let title = "submit of 4 KiB reads that are not in the page cache, 256 in flight, 2 ms each";
    calls(results, title, cold, &dir.join("submit-cold.svg"))
}

/// Bars of all engines for each workload of `op`, 32 in flight.
fn bars(results: &Results, op: &str, path: &Path) -> Plotted {
    let runs = results
        .runs
        .iter()
        .filter(|run| run.op == op && run.depth == 32 && run.cpus == 1 && !run.is_crowded());
    let most = runs.clone().map(|run| run.total).fold(0.0, f64::max);
    let mut rows: Vec<_> = runs.map(Run::row).collect();
    rows.dedup();
    if rows.is_empty() {
        return Ok(());
    }
    let wide = (ENGINES.len() + 1) as f64;
    let root = SVGBackend::new(path, (1100, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(
            format!("instructions for a {op}, 32 in flight"),
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..rows.len() as f64 * wide, 0.0..most * 1.3)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_desc("instructions")
        .y_label_formatter(&|count| format!("{count:.0}"))
        .draw()?;
    for (e, engine) in ENGINES.iter().enumerate() {
        let colour = colour(engine);
        let bars = rows.iter().enumerate().filter_map(|(r, row)| {
            let total = results.total(row, engine)?;
            let left = r as f64 * wide + e as f64 + 0.5;
            Some(Rectangle::new(
                [(left, 0.0), (left + 0.9, total)],
                colour.filled(),
            ))
        });
        chart
            .draw_series(bars)?
            .label(*engine)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
    }
    for (r, row) in rows.iter().enumerate() {
        let name = row.split(' ').next().unwrap_or_default().to_owned();
        let style = ("sans-serif", 13).into_font().color(&BLACK);
        let at = (r as f64 * wide + 0.8, -most * 0.03);
        let at = chart.backend_coord(&at);
        root.draw(&Text::new(name, at, style))?;
    }
    legend(&mut chart, SeriesLabelPosition::UpperLeft)?;
    root.present()?;
    Ok(())
}

/// A line for each engine, of a workload that was run with several depths.
fn depths(results: &Results, workload: &str, op: &str, path: &Path) -> Plotted {
    let runs = results.runs.iter().filter(|run| {
        run.workload == workload && run.op == op && run.cpus == 1 && !run.is_crowded()
    });
    let lines = ENGINES.map(|engine| {
        let line = runs.clone().filter(|run| run.engine == engine);
        let line = line.map(|run| (run.depth as f64, run.total));
        (engine.to_owned(), colour(engine), line.collect())
    });
    let title = format!("{workload}, 4 KiB random {op}s");
    lines_of(&title, ("in flight", COST), &lines, path)
}

/// Requests in a second against the number in flight, by engine.
pub fn rates(title: &str, lines: &[(&str, Vec<(f64, f64)>)], path: &Path) -> Plotted {
    let line =
        |(engine, points): &(&str, Vec<_>)| (engine.to_string(), colour(engine), points.clone());
    let lines: Vec<Line> = lines.iter().map(line).collect();
    lines_of(title, ("in flight", "requests in a second"), &lines, path)
}

/// The cost against what is in flight beside that and waits.
fn parked(results: &Results, path: &Path) -> Plotted {
    let mut lines: Vec<Line> = Vec::new();
    for workload in ["noop", "ext4-cached"] {
        for engine in ["uring", "raio", "libraio"] {
            let runs = results.runs.iter().filter(|run| {
                (&*run.workload, &*run.engine, run.depth) == (workload, engine, 32)
                    && (run.parked > 0 || !run.is_crowded())
                    && matches!(&*run.op, "noop" | "read")
                    && run.contexts == 1
                    && run.cpus == 1
            });
            let mut line: Vec<_> = runs
                .map(|run| ((run.depth + run.parked) as f64, run.total))
                .collect();
            line.sort_by(|one, other| one.0.total_cmp(&other.0));
            lines.push((format!("{engine}, {workload}"), colour(engine), line));
        }
    }
    let title = "32 at work, the others wait for a pipe";
    lines_of(title, ("in flight", COST), &lines, path)
}

/// A name, its colour, and its points.
type Line = (String, RGBColor, Vec<(f64, f64)>);

const COST: &str = "instructions for an operation";

/// Something against a number of something else, which `names` are of.
fn lines_of(title: &str, names: (&str, &str), lines: &[Line], path: &Path) -> Plotted {
    let points = || lines.iter().flat_map(|line| &line.2);
    let most = points().map(|point| point.1).fold(0.0, f64::max);
    let right = points().map(|point| point.0).fold(0.0, f64::max);
    let left = points().map(|point| point.0).fold(right, f64::min);
    if left >= right {
        return Ok(());
    }
    let root = SVGBackend::new(path, (800, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((left..right).log_scale(), 0.0..most * 1.3)?;
    chart
        .configure_mesh()
        .x_desc(names.0)
        .y_desc(names.1)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|count| format!("{count:.0}"))
        .draw()?;
    for (name, colour, line) in lines.iter().filter(|line| !line.2.is_empty()) {
        let colour = *colour;
        chart
            .draw_series(
                LineSeries::new(line.iter().copied(), colour.stroke_width(2)).point_size(3),
            )?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
    }
    legend(&mut chart, SeriesLabelPosition::UpperRight)?;
    root.present()?;
    Ok(())
}

/// How long the calls of submit took: the part of them that took no longer.
fn calls(results: &Results, title: &str, which: impl Fn(&&Run) -> bool, path: &Path) -> Plotted {
    let runs: Vec<_> = results.submitters().filter(which).collect();
    let ns = || {
        runs.iter()
            .filter_map(|run| run.calls.as_ref())
            .flat_map(|calls| &calls.ns)
    };
    let most = ns().copied().fold(0.0, f64::max);
    let least = ns().copied().fold(most, f64::min);
    if least >= most {
        return Ok(());
    }
    let root = SVGBackend::new(path, (800, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let last = (QUANTILES.len() - 1) as f64;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..last, (least * 0.8..most * 1.2).log_scale())?;
    chart
        .configure_mesh()
        .x_labels(QUANTILES.len())
        .x_desc("% of the calls took no longer")
        .y_desc("ns of the guest's clock")
        .x_label_formatter(&|x| {
            let part = QUANTILES.get(x.round() as usize);
            part.map_or(String::new(), |part| {
                format!("{}", (part * 1000.0).round() / 10.0)
            })
        })
        .y_label_formatter(&|ns| format!("{ns:.0}"))
        .draw()?;
    for run in &runs {
        let colour = colour(&run.engine);
        let points = run.calls.iter().flat_map(|calls| &calls.ns).enumerate();
        let points = points.map(|(i, ns)| (i as f64, *ns));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))?
            .label(&run.engine)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
    }
    legend(&mut chart, SeriesLabelPosition::UpperLeft)?;
    root.present()?;
    Ok(())
}

fn legend<'a, DB: DrawingBackend + 'a, CT: CoordTranslate>(
    chart: &mut ChartContext<'a, DB, CT>,
    position: SeriesLabelPosition,
) -> Result<(), Box<dyn Error>>
where
    DB::ErrorType: 'static,
{
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}
