//! A graph of tasks, laid out in layers, each task with its mark.
//!
//! The layout is a library's. Must never draw more than fits: the selected task stays in sight.

use ascii_dag::{Direction, Graph as Layout, RenderOptions};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::theme::Theme;
use crate::state::graph::{Graph, Node};
use crate::state::mark::{Mark, Tone};

/// What a task looks like in it.
pub(super) struct Task {
    pub(super) name: String,
    pub(super) mark: Mark,
}

/// A node as it is written: marks take the place of the layout's brackets.
fn label(node: &Node, tasks: &[Task]) -> String {
    match node {
        Node::Task(index) => tasks
            .get(*index)
            .map_or(String::new(), |task| format!("{} {}", task.mark.glyph, task.name)),
        Node::Event(key) => format!("↯ {key}"),
    }
}

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    graph: &Graph,
    tasks: &[Task],
    selected: usize,
    theme: &Theme,
) {
    let labels: Vec<String> = graph.nodes.iter().map(|node| label(node, tasks)).collect();
    // Wide places have room for layers side by side.
    let wide = lay_out(graph, &labels, Direction::LeftRight);
    let drawn =
        if wide.width <= usize::from(area.width) && wide.lines.len() <= usize::from(area.height) {
            wide
        } else {
            lay_out(graph, &labels, Direction::TopDown)
        };
    let at = graph.nodes.iter().position(|node| *node == Node::Task(selected));
    let place = at.and_then(|at| drawn.places.iter().find(|place| place.node == at));
    let (skip_x, skip_y) = place.map_or((0, 0), |place| {
        let room = |length: usize, area: u16, at: usize| {
            let area = usize::from(area);
            at.saturating_sub(area / 2).min(length.saturating_sub(area))
        };
        (room(drawn.width, area.width, place.x), room(drawn.lines.len(), area.height, place.y))
    });
    let lines: Vec<Line<'_>> = drawn
        .lines
        .iter()
        .enumerate()
        .skip(skip_y)
        .take(usize::from(area.height))
        .map(|(y, text)| styled(y, text, skip_x, &drawn, graph, tasks, at, theme))
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

struct Place {
    node: usize,
    x: usize,
    y: usize,
    width: usize,
}

struct Drawn {
    lines: Vec<String>,
    places: Vec<Place>,
    width: usize,
}

fn lay_out(graph: &Graph, labels: &[String], direction: Direction) -> Drawn {
    let mut layout = Layout::new();
    layout.set_direction(direction);
    for (id, label) in labels.iter().enumerate() {
        layout.add_node(id, label.as_str());
    }
    for edge in &graph.edges {
        let place = |node: &Node| graph.nodes.iter().position(|one| one == node);
        if let (Some(from), Some(to)) = (place(&edge.from), place(&Node::Task(edge.to))) {
            layout.add_edge(from, to, edge.label.as_deref());
        }
    }
    let laid = layout.compute_layout();
    let text = laid.render_string(&RenderOptions::plain());
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let is_real =
        |node: &&ascii_dag::LayoutNode<'_>| node.id < labels.len() && !node.label.is_empty();
    let place = |node: &ascii_dag::LayoutNode<'_>| Place {
        node: node.id,
        x: node.x,
        y: node.y,
        width: node.width,
    };
    let places = laid.nodes().iter().filter(is_real).map(place).collect();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    Drawn { lines, places, width }
}

#[expect(clippy::too_many_arguments, reason = "one line of the drawing and all that colours it")]
fn styled<'a>(
    y: usize,
    text: &str,
    skip: usize,
    drawn: &Drawn,
    graph: &Graph,
    tasks: &[Task],
    selected: Option<usize>,
    theme: &Theme,
) -> Line<'a> {
    let here: Vec<&Place> = drawn.places.iter().filter(|place| place.y == y).collect();
    let style = |x: usize| {
        let place = here.iter().find(|place| x >= place.x && x < place.x + place.width);
        let Some(place) = place else { return theme.dim() };
        let tone = match graph.nodes.get(place.node) {
            Some(Node::Task(index)) => tasks.get(*index).map_or(Tone::Plain, |task| task.mark.tone),
            _ => Tone::Plain,
        };
        let style = theme.of(tone);
        if Some(place.node) == selected { style.patch(theme.selected(true)) } else { style }
    };
    let mut spans: Vec<Span<'a>> = vec![Span::raw(" ")];
    for (x, c) in text.chars().enumerate().skip(skip) {
        let style = style(x);
        match spans.last_mut().filter(|last| last.style == style) {
            Some(last) => last.content.to_mut().push(c),
            None => spans.push(Span::styled(c.to_string(), style)),
        }
    }
    Line::from(spans)
}
