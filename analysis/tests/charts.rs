//! Charts as bytes: every kind against a picture that was looked at, and what is hard to draw.

#[path = "support/reviews.rs"]
#[allow(dead_code, reason = "shared with the gallery, which draws more")]
mod reviews;

use analysis::{
    chart::{ChartError, Figure, Grid, Kind},
    polars::{df, prelude::DataFrame},
    reshape::unpivot,
};

/// A few months, so that the documents stay small enough to be read.
fn few_months() -> DataFrame {
    reviews::reviews_by_month().tail(Some(4))
}

fn few_ratings() -> DataFrame {
    let range = "rating_8..rating_10".parse().expect("a range");
    unpivot(&few_months(), &range, &["window_start"], "reviews").expect("rows")
}

fn small(figure: Figure) -> Figure {
    figure.size(320, 200)
}

fn text_of(svg: &str) -> Vec<&str> {
    let inside = svg.split("<text").skip(1).filter_map(|rest| rest.split_once(">\n"));
    inside.filter_map(|(_, rest)| rest.split_once('\n')).map(|(text, _)| text).collect()
}

#[test]
fn every_kind_is_drawn_as_it_was_when_it_was_looked_at() {
    let (months, ratings) = (few_months(), few_ratings());
    let movies = reviews::top_movies().head(Some(4));
    let figures = [
        ("line", Figure::line(&months).y("rating_mean").title("Mean rating")),
        ("bar", Figure::bar(&months).y("reviews").title("Reviews per month")),
        ("bar_of_names", Figure::bar(&movies).x("movie").y("reviews")),
        ("stacked_bar", Figure::stacked_bar(&ratings).y("reviews").by("rating")),
        ("heat_map", Figure::heat_map(&ratings).y("rating").color("reviews")),
        ("area", Figure::area(&months).y("reviews").level(9_000.0, "goal").title("Reviews")),
        ("stacked_area", Figure::stacked_area(&ratings).y("reviews").by("rating")),
        ("histogram", Figure::histogram(&reviews::reviews_by_month()).x("rating_mean")),
        ("box", Figure::box_plot(&reviews::movies_by_month(3)).x("movie").y("rating_mean")),
        ("scatter", Figure::scatter(&months).x("reviews").y("rating_mean")),
        ("pie", Figure::pie(&movies).x("movie").y("reviews")),
        ("two_axes", Figure::line(&months).y("reviews").right("rating_mean")),
        ("log", Figure::line(&reviews::reviews_by_month()).y("reviews").log()),
        ("dark", Figure::stacked_bar(&ratings).y("reviews").by("rating").dark()),
    ];
    for (name, figure) in figures {
        insta::assert_snapshot!(name, small(figure).svg().expect(name));
    }
}

/// Pixels of a picture that differ from another's by more than an eye would see; a share of 1 where their sizes differ.
fn share_of_other_pixels(drawn: &[u8], kept: &[u8]) -> f64 {
    let pixels = |bytes: &[u8]| {
        let mut reader = png::Decoder::new(bytes).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut pixels).expect("a frame");
        (info.width, info.height, info.color_type, pixels)
    };
    let ((width, height, colors, drawn), (kept_width, kept_height, kept_colors, kept)) = (pixels(drawn), pixels(kept));
    if (width, height, colors) != (kept_width, kept_height, kept_colors) {
        return 1.0;
    }
    let samples = colors.samples();
    let pairs = drawn.chunks(samples).zip(kept.chunks(samples));
    let other = pairs.filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > 24)).count();
    other as f64 / f64::from(width * height)
}

/// Not the bytes: where a curve's edge is antialiased depends on the last bit of a platform's sine.
#[test]
fn png_pictures_look_as_they_did_when_they_were_looked_at() {
    let (months, ratings) = (few_months(), few_ratings());
    let movies = reviews::top_movies().head(Some(4));
    let names =
        df!("name" => ["Amélie", "기생충", "E.T. 👽", "Œuvre"], "reviews" => [40, 30, 20, 10]).expect("a frame");
    let figures = [
        ("line", Figure::line(&months).y("rating_mean").title("Mean rating").band("2020-07", "2020-08", "summer")),
        ("stacked_bar", Figure::stacked_bar(&ratings).y("reviews").by("rating").dark()),
        ("heat_map", Figure::heat_map(&ratings).y("rating").color("reviews")),
        ("scatter", Figure::scatter(&months).x("reviews").y("rating_mean")),
        ("pie", Figure::pie(&movies).x("movie").y("reviews")),
        ("names", Figure::bar(&names).x("name").y("reviews")),
    ];
    let pictures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures");
    let mut others = Vec::new();
    for (name, figure) in figures {
        let drawn = small(figure).png().expect(name);
        let kept = format!("{pictures}/{name}.png");
        let share = std::fs::read(&kept).map_or(1.0, |kept| share_of_other_pixels(&drawn, &kept));
        if share > 0.001 {
            let seen = format!("{}/{name}.png", env!("CARGO_TARGET_TMPDIR"));
            std::fs::write(&seen, &drawn).expect("a file");
            others.push(format!("{:.1} % of {kept} is other now; if {seen} is right, copy it there", 100.0 * share));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[test]
fn drawing_twice_gives_the_same_bytes_in_both_formats() {
    let frame = reviews::movies_by_month(12);
    let figure = |kind| Figure::new(kind, &frame).y("reviews").by("movie").title("Twice");
    for kind in [Kind::Line, Kind::StackedBar] {
        assert_eq!(figure(kind).svg().expect("SVG"), figure(kind).svg().expect("SVG"));
        assert_eq!(figure(kind).png().expect("PNG"), figure(kind).png().expect("PNG"));
    }
}

#[test]
fn small_multiples_and_grids_have_a_picture_for_each() {
    let movies = reviews::movies_by_month(4);
    let facets = Figure::line(&movies).y("reviews").facet("movie").title("Films").size(600, 400);
    let svg = facets.svg().expect("SVG");
    assert_eq!(svg.matches("<polyline").count(), 4);
    let texts = text_of(&svg);
    assert!(
        texts.contains(&"Films") && texts.contains(&"1917 (2019)") == movies_contain(&movies, "1917 (2019)"),
        "{texts:?}"
    );
    let grid = Grid::new([facets.clone(), Figure::line(&few_months()).y("reviews")]).columns(2).size(1_400, 500);
    assert_eq!(grid.svg().expect("SVG").matches("<polyline").count(), 5);
    assert_eq!(grid.png().expect("PNG"), grid.png().expect("PNG"));
    assert!(Grid::new([]).svg().expect_err("nothing").to_string().contains("no figures"));
    let small = Grid::new(vec![facets; 9]).size(400, 400).svg().expect_err("no room").to_string();
    assert_eq!(small, "9 figures do not fit, 4 do; make the page larger");
}

fn movies_contain(frame: &DataFrame, movie: &str) -> bool {
    frame.column("movie").expect("movies").str().expect("texts").iter().flatten().any(|name| name == movie)
}

/// Every kind of what people call a frame, also those without a row or a value: a picture, or words that say what to do.
#[test]
fn hard_frames_are_pictures_or_errors_that_help() {
    let long = "한국어 and a long name 🤖 ".repeat(12);
    let instants = |millis: [i64; 2]| {
        df!("y" => [1.0, 2.0], "k" => ["a", "b"]).and_then(|mut frame| {
            frame.with_column(reviews::instants("x", &millis))?;
            Ok(frame)
        })
    };
    let frames = [
        df!("x" => Vec::<i64>::new(), "y" => Vec::<f64>::new(), "k" => Vec::<String>::new()),
        df!("x" => [1_i64], "y" => [2.0], "k" => [long.as_str()]),
        df!("x" => [None::<i64>, None], "y" => [None::<f64>, None], "k" => [None::<&str>, None]),
        df!("x" => [1_i64, 2], "y" => [f64::NAN, f64::INFINITY], "k" => ["a", "b"]),
        df!("x" => [i64::MIN, i64::MAX], "y" => [-1e300, 1e300], "k" => ["", "\u{0}\u{202e}"]),
        df!("x" => [1_i64, 2, 3], "y" => [1e-300, 0.0, -0.0], "k" => ["a", "b", "c"]),
        df!("x" => [Some(1_i64), None], "y" => [None, Some(5.0)], "k" => [Some("a"), None]),
        df!("x" => [-5e-324, 5e-324, 0.0], "y" => [-5e-324, 5e-324, 0.0], "k" => ["a", "b", "c"]),
        df!("x" => [f64::MIN, f64::MAX, 0.0, 1.0], "y" => [f64::MIN, f64::MAX, f64::MAX, 1.0], "k" => ["a", "b", "b", "b"]),
        df!("x" => [1.0, 1.0 + f64::EPSILON], "y" => [1.0, 1.0 + f64::EPSILON], "k" => ["a", "b"]),
        instants([i64::MIN, 1_600_000_000_000]),
        instants([i64::MIN, i64::MAX]),
        instants([i64::MAX, i64::MAX]),
        df!("x" => (0..100_000_i64).collect::<Vec<_>>(), "y" => (0..100_000).map(f64::from).collect::<Vec<_>>(), "k" => vec!["a"; 100_000]),
    ];
    let longest = frames.len() - 1;
    for (number, frame) in frames.into_iter().enumerate() {
        let frame = frame.expect("a frame");
        for kind in Kind::ALL {
            for x in ["x", "k"] {
                let figure = Figure::new(kind, &frame).x(x).y("y").title(&long).size(400, 260);
                let figures = [
                    figure.clone(),
                    figure.clone().by("k"),
                    figure.clone().y("x").dark(),
                    figure.clone().y("x").color("y").dark(),
                    figure.clone().facet("k"),
                    figure.log().level(5.0, &long),
                ];
                for figure in figures {
                    match (figure.svg(), number) {
                        (Ok(svg), _) => assert!(
                            svg.len() < 20_000_000 && !svg.contains("NaN") && !svg.contains("inf"),
                            "{kind} {number}"
                        ),
                        (Err(error), _) => assert!(error.to_string().len() > 30, "{kind} of frame {number}: {error}"),
                    }
                    // The longest frame would take the test's time, and its SVG says what its PNG would.
                    if number < longest {
                        assert_eq!(figure.png().is_ok(), figure.svg().is_ok(), "{kind} {number}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_number_marks_a_number_also_where_it_could_be_a_year() {
    let frame = df!("year" => [2018, 2019, 2020], "reviews" => [2_412, 3_101, 1_874]).expect("a frame");
    let figure = Figure::line(&frame).x("year").y("reviews").mark("2019", "most").band("2019.5", "2020", "fewer");
    let svg = figure.svg().expect("SVG");
    assert!(["most", "fewer"].iter().all(|words| text_of(&svg).contains(words)), "{svg}");
}

#[test]
fn settings_that_a_kind_does_not_have_are_refused() {
    let months = few_months();
    let cases = [
        (Figure::bar(&months).y("reviews").log(), "log: a bar chart has no such thing; it is for a line"),
        (Figure::pie(&months).level(1.0, "goal"), "band, mark and level: a pie chart"),
        (Figure::line(&months).y("reviews").mark("soon", "?"), "a band or mark: \"soon\" is not a date"),
        (
            Figure::line(&months).x("reviews").y("rating_mean").band("1", "nan", "?"),
            "a band or mark: \"nan\" is not a number, as those along the axis are",
        ),
        (
            Figure::line(&reviews::top_movies()).x("movie").y("reviews").mark("2020", "?"),
            "a band or mark: \"2020\" has no place among texts; take an `x` of dates or numbers",
        ),
        (
            Figure::line(&months).y("reviews").range(f64::NAN, 1.0),
            "range: NaN is not on the scale; give numbers that are finite",
        ),
        (
            Figure::line(&months).y("reviews").log().range(0.0, 9.0),
            "range: 0 is not on the scale; give numbers that are above zero",
        ),
        (Figure::area(&months).y("reviews").level(f64::INFINITY, "?"), "level: inf is not on the scale"),
        (Figure::line(&months).y("reviews").by("rating_1").right("rated"), "a line or an area without `by`"),
        (
            Figure::histogram(&months).x("reviews").by("rating_1"),
            "by: a histogram chart has no such thing; it is for a line, an area, a bar or a scatter plot",
        ),
        (Figure::box_plot(&months).y("reviews").by("rating_1"), "by: a box chart has no such thing"),
        (Figure::pie(&months).x("window_start").y("reviews").by("rating_1"), "by: a pie chart has no such thing"),
        (
            Figure::heat_map(&months).y("rating_1").color("reviews").by("rated"),
            "by: a heat-map chart has no such thing",
        ),
        (
            Figure::line(&months).y("reviews").color("rating_1"),
            "color: a line chart has no such thing; it is for a heat map",
        ),
        (
            Figure::scatter(&months).x("reviews").y("rated").color("rating_1"),
            "color: a scatter chart has no such thing",
        ),
        (Figure::line(&reviews::reviews_by_month()).y("rated").facet("reviews"), "a page holds 24 small charts"),
    ];
    for (figure, reason) in cases {
        let error = figure.svg().expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_png_has_the_size_that_was_asked_for() {
    let png = Figure::line(&few_months()).y("reviews").size(400, 250).png().expect("PNG");
    let header = png::Decoder::new(png.as_slice()).read_info().expect("a PNG");
    assert_eq!((header.info().width, header.info().height), (400, 250));
}

#[test]
fn titles_with_markup_emoji_and_line_breaks_are_text() {
    let figure = small(Figure::line(&few_months()).y("reviews").title("<b>기생충</b> & 🤖\n\u{1}"));
    let svg = figure.svg().expect("SVG");
    assert!(svg.contains("<title>&lt;b&gt;기생충&lt;/b&gt; &amp; 🤖") && !svg.contains('\u{1}'), "{svg}");
    assert!(figure.png().is_ok());
}

#[test]
fn names_are_shortened_and_those_without_a_row_are_counted() {
    let svg = small(Figure::bar(&reviews::top_movies()).x("movie").y("reviews")).svg().expect("SVG");
    let texts = text_of(&svg);
    assert!(texts.iter().any(|text| text.ends_with('…')), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("10 more not shown, together ")), "{texts:?}");
}

#[test]
fn a_null_is_no_zero_in_a_bar_chart() {
    let values = [Some(5.0), None, Some(0.0), Some(7.0)];
    let frame = df!("x" => [1, 2, 3, 4], "name" => ["a", "b", "c", "d"], "y" => values).expect("a frame");
    for (x, others) in [("x", vec!["1", "2", "3", "4", "x", "2", "4", "6"]), ("name", vec!["a", "b", "c", "d"])] {
        let svg = Figure::bar(&frame).x(x).y("y").size(400, 260).svg().expect("SVG");
        let texts = text_of(&svg);
        let zeros = texts.iter().filter(|text| **text == "0").count();
        // One of them is a tick of the upright bars' axis.
        assert_eq!(zeros, if x == "x" { 2 } else { 1 }, "{texts:?}");
        assert!(
            texts.contains(&"5") && texts.contains(&"7") && others.iter().all(|other| texts.contains(other)),
            "{texts:?}"
        );
    }
}

#[test]
fn a_single_date_is_labelled_as_a_date() {
    let day = reviews::reviews_by_month().head(Some(1));
    for kind in [Kind::Line, Kind::Bar, Kind::Scatter, Kind::Area] {
        let svg = Figure::new(kind, &day).y("reviews").size(400, 260).svg().expect("SVG");
        let texts = text_of(&svg);
        let years = texts.iter().filter(|text| text.ends_with("1998") || text.ends_with("1999")).count();
        assert!(years == 1 && texts.iter().all(|text| !text.contains(':')), "{kind}: {texts:?}");
    }
}

#[test]
fn bars_of_several_series_stand_side_by_side_from_one_zero() {
    let frame = df!(
        "x" => [2018, 2018, 2019, 2019], "name" => ["a", "a", "b", "b"], "k" => ["up", "big", "up", "big"],
        "y" => [40, 80, -40, 80],
    );
    let frame = frame.expect("a frame");
    for x in ["x", "name"] {
        let svg = Figure::bar(&frame).x(x).y("y").by("k").size(400, 260).svg().expect("SVG");
        // Left, top, width and height in units of the drawing.
        let bars = |color: &str| -> Vec<[i32; 4]> {
            let rects = svg.lines().filter(|line| line.starts_with("<rect") && line.contains(color));
            let number = |line: &str, name: &str| {
                let value = line.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
                value.and_then(|value| value.parse().ok()).expect(name)
            };
            let rects = rects.map(|line| ["x", "y", "width", "height"].map(|name| number(line, name)));
            // The first is the legend's.
            rects.skip(1).collect()
        };
        let (big, up) = (bars("#0072B2"), bars("#E69F00"));
        let (along, length) = if x == "x" { (0, 3) } else { (1, 2) };
        assert_eq!((big.len(), up.len()), (2, 2), "{x}: {svg}");
        assert!((big[0][length] - 2 * up[0][length]).abs() <= 20, "{big:?} {up:?}");
        for (big, up) in big.iter().zip(&up) {
            assert_eq!(big[along] + big[2 + along], up[along], "{x}: neighbours");
        }
        let zero = |bar: &[i32; 4], below: bool| {
            if (x == "x") == below { bar[1 - along] } else { bar[1 - along] + bar[length] }
        };
        assert!((zero(&big[0], false) - zero(&up[1], true)).abs() <= 20, "{big:?} {up:?}");
    }
}

#[test]
fn counts_and_whole_numbers_have_no_ticks_between_them() {
    let frame = df!("x" => [1, 2, 2], "y" => [1, 2, 1]).expect("a frame");
    let line = frame.head(Some(2));
    let figures = [
        Figure::line(&line).x("x").y("y"),
        Figure::bar(&line).x("x").y("y"),
        Figure::scatter(&frame).x("x").y("y"),
        Figure::histogram(&frame).x("y"),
    ];
    for figure in figures {
        let svg = figure.size(800, 450).svg().expect("SVG");
        assert!(text_of(&svg).iter().all(|text| !text.contains('.')), "{:?}", text_of(&svg));
    }
}

#[test]
fn one_point_and_points_between_gaps_are_marked() {
    let frame = df!("x" => [1, 2, 3, 4], "y" => [None, Some(5.0), None, None]).expect("a frame");
    let svg = small(Figure::line(&frame).x("x").y("y")).svg().expect("SVG");
    assert_eq!((svg.matches("<circle").count(), svg.matches("<polyline").count()), (1, 0), "{svg}");
}

#[test]
fn two_hundred_and_sixty_four_bars_fit_in_three_hundred_pixels() {
    let svg = Figure::bar(&reviews::reviews_by_month()).y("reviews").size(300, 200).svg().expect("SVG");
    let bars = svg.matches("fill=\"#0072B2\"").count();
    assert!(bars > 210, "{bars}");
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let months = few_months();
    let none = months.head(Some(0));
    let movies = reviews::movies_by_month(2);
    let negative = df!("x" => [1, 2], "y" => [-1, 1], "b" => ["a", "b"]).expect("a frame");
    let nulls = df!("x" => [1, 2], "y" => [None::<i64>, None]).expect("a frame");
    let apart = df!("x" => [Some(1), None], "y" => [None, Some(2)], "z" => [1, 2]).expect("a frame");
    let cases = [
        (Figure::line(&none).y("reviews"), "the frame has no rows"),
        (Figure::line(&months).y("review"), "no column \"review\"; it has window_start, reviews"),
        (Figure::line(&months), "a line needs a column for y"),
        (Figure::line(&nulls).x("x").y("y"), "column \"y\" has no values"),
        (Figure::line(&apart).x("x").y("y"), "no row has a value in each of x, y; fill"),
        (Figure::scatter(&apart).x("x").y("y"), "no row has a value in each of x, y"),
        (Figure::heat_map(&apart).x("x").y("z").color("y"), "no row has a value in each of x, z, y"),
        (Figure::line(&movies).y("reviews"), "several rows have window_start = 2018-01-01"),
        (
            Figure::bar(&reviews::movies_by_month(9)).y("reviews").by("movie"),
            "has 9 values, and there is room for 6; keep",
        ),
        (Figure::stacked_bar(&negative).x("x").y("y").by("b"), "no part of a stack or pie"),
        (Figure::heat_map(&months).y("reviews"), "a heat-map needs a column for color"),
        (Figure::line(&movies).x("reviews").y("movie"), "column \"movie\" is str; y needs numbers"),
        (Figure::line(&months).y("reviews").size(10, 10), "10 × 10 pixels cannot be drawn"),
    ];
    for (figure, reason) in cases {
        let error = figure.svg().expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_file_has_the_format_of_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let figure = small(Figure::line(&few_months()).y("reviews"));
    for (name, start) in [("a.svg", b"<svg".as_slice()), ("a.PNG", b"\x89PNG")] {
        let path = folder.path().join(name);
        figure.save(&path).expect(name);
        assert!(std::fs::read(&path).expect(name).starts_with(start), "{name}");
    }
    let error = figure.save(folder.path().join("a.gif")).expect_err("no GIF");
    assert!(matches!(error, ChartError::Extension { .. }), "{error}");
    let error = figure.save(folder.path().join("none/a.svg")).expect_err("no folder");
    assert!(matches!(error, ChartError::Write { .. }), "{error}");
}
