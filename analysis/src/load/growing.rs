//! A frame that grows at its end, so that a few new rows cost little however many there are.
//!
//! New rows go to a small tail. The tail is joined to the rest when it is a quarter of it, so a row is copied a handful of times in
//! its life, and the frame never has more than a few dozen chunks.

use polars::prelude::{DataFrame, DataType, PolarsError, PolarsResult, TimeUnit};

const MOST_CHUNKS: usize = 16;

#[derive(Debug)]
pub(crate) struct Growing {
    rest: DataFrame,
    tail: DataFrame,
    chunks: usize,
    /// Both, sharing their memory.
    whole: DataFrame,
}

impl Growing {
    pub fn new(mut frame: DataFrame) -> Self {
        frame.rechunk_mut();
        Self { tail: frame.clear(), chunks: 0, whole: frame.clone(), rest: frame }
    }

    pub fn frame(&self) -> &DataFrame {
        &self.whole
    }

    /// Puts `rows` at the end; a column takes the wider of two types.
    pub fn append(&mut self, rows: &DataFrame) -> PolarsResult<()> {
        if rows.height() == 0 {
            return Ok(());
        }
        let kinds: Vec<DataType> =
            self.whole.dtypes().into_iter().zip(rows.dtypes()).map(|(a, b)| wider(a, b)).collect::<Result<_, _>>()?;
        widen(&mut self.rest, &kinds)?;
        widen(&mut self.tail, &kinds)?;
        let mut rows = rows.clone();
        widen(&mut rows, &kinds)?;
        self.tail.vstack_mut(&rows)?;
        self.chunks += 1;
        if self.tail.height() * 4 > self.rest.height() {
            self.rest.vstack_mut(&self.tail)?;
            self.rest.rechunk_mut();
            self.tail = self.rest.clear();
            self.chunks = 0;
        } else if self.chunks > MOST_CHUNKS {
            self.tail.rechunk_mut();
            self.chunks = 1;
        }
        self.whole = self.rest.vstack(&self.tail)?;
        Ok(())
    }
}

/// The type that holds the values of both.
fn wider(a: DataType, b: DataType) -> PolarsResult<DataType> {
    use DataType::{Date, Datetime, Float64, Int64, Null};
    Ok(match (a, b) {
        (a, b) if a == b => a,
        (Null, kind) | (kind, Null) => kind,
        (Int64, Float64) | (Float64, Int64) => Float64,
        (Date, Datetime(..)) | (Datetime(..), Date) => Datetime(TimeUnit::Milliseconds, None),
        (a, b) => {
            return Err(PolarsError::SchemaMismatch(format!("a column was {a} and now has values of {b}").into()));
        }
    })
}

fn widen(frame: &mut DataFrame, kinds: &[DataType]) -> PolarsResult<()> {
    for (place, kind) in kinds.iter().enumerate() {
        let column = &frame.columns()[place];
        if column.dtype() != kind {
            let wide = column.cast(kind)?;
            frame.replace_column(place, wide)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn many_small_appends_are_the_whole_in_few_chunks() {
        let mut growing = Growing::new(df!("n" => (0..1_000_i64).collect::<Vec<_>>()).expect("a frame"));
        for n in 1_000..1_600_i64 {
            growing.append(&df!("n" => [n]).expect("a row")).expect("appended");
        }
        let expected: Vec<i64> = (0..1_600).collect();
        let column = growing.frame().column("n").expect("n").i64().expect("integers").clone();
        assert_eq!(column.iter().flatten().collect::<Vec<_>>(), expected);
        assert!(column.chunks().len() <= MOST_CHUNKS + 2, "{}", column.chunks().len());
    }

    #[test]
    fn a_column_becomes_as_wide_as_its_values() {
        let mut growing = Growing::new(df!("n" => [1_i64], "empty" => [None::<i64>]).expect("a frame"));
        growing.append(&df!("n" => [0.5], "empty" => [None::<i64>]).expect("a row")).expect("appended");
        assert_eq!(growing.frame(), &df!("n" => [1.0, 0.5], "empty" => [None::<i64>, None]).expect("a frame"));
        let error = growing.append(&df!("n" => ["x"], "empty" => [1_i64]).expect("a row")).expect_err("a text");
        assert!(error.to_string().contains("a column was f64 and now has values of str"), "{error}");
        assert_eq!(growing.frame().height(), 2);
    }
}
