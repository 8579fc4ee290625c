// SPDX-License-Identifier: GPL-2.0

//! Plots: bars for each workload, and the cost against the number of operations in flight.

use crate::result::{Results, ENGINES};
use plotters::prelude::*;
use std::{error::Error, path::Path};

type Plotted = Result<(), Box<dyn Error>>;

/// Colours that are told apart by most eyes (Okabe and Ito's).
const COLOURS: [RGBColor; 7] = [
    RGBColor(153, 153, 153),
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(240, 228, 66),
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
];

/// Bars of all engines for each row of 32 in flight.
pub fn bars(results: &Results, path: &Path) -> Plotted {
    let rows: Vec<_> = results
        .rows()
        .into_iter()
        .filter(|row| row.ends_with(" 32 in flight"))
        .collect();
    let most = results.runs.iter().filter(|run| rows.contains(&run.row()));
    let most = most.map(|run| run.total).fold(0.0, f64::max);
    let wide = (ENGINES.len() + 1) as f64;
    let root = SVGBackend::new(path, (1100, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(
            "instructions for an operation, 32 in flight",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..rows.len() as f64 * wide, 0.0..most * 1.05)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_desc("instructions")
        .y_label_formatter(&|count| format!("{count:.0}"))
        .draw()?;
    for (e, engine) in ENGINES.iter().enumerate() {
        let colour = COLOURS[e];
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
        let name = row.trim_end_matches(", 32 in flight").to_owned();
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
pub fn depths(results: &Results, workload: &str, path: &Path) -> Plotted {
    let runs: Vec<_> = results
        .runs
        .iter()
        .filter(|run| run.workload == workload && run.op == "read")
        .collect();
    let most = runs.iter().map(|run| run.total).fold(0.0, f64::max);
    let deepest = runs.iter().map(|run| run.depth).max().unwrap_or(1) as f64;
    let root = SVGBackend::new(path, (800, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(
            format!("{workload}, 4 KiB random reads"),
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((1.0..deepest).log_scale(), 0.0..most * 1.05)?;
    chart
        .configure_mesh()
        .x_desc("in flight")
        .y_desc("instructions for an operation")
        .x_label_formatter(&|depth| format!("{depth:.0}"))
        .y_label_formatter(&|count| format!("{count:.0}"))
        .draw()?;
    for (e, engine) in ENGINES.iter().enumerate() {
        let colour = COLOURS[e];
        let line = runs
            .iter()
            .filter(|run| run.engine == *engine)
            .map(|run| (run.depth as f64, run.total));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)).point_size(3))?
            .label(*engine)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
    }
    legend(&mut chart, SeriesLabelPosition::UpperRight)?;
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
