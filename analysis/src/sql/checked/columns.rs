//! The columns that a query gives, by their places: what a set operation puts into one column may be of several classes.

use super::{Class, Node};

/// The columns of a query, or of several that a set operation joins.
#[derive(Debug, Default)]
pub(super) struct Columns {
    queries: Vec<Vec<Column>>,
    /// Whether the columns of the last query are being read.
    is_open: bool,
    /// Whether the places of the columns are not known, because of a `*`.
    is_hidden: bool,
}

#[derive(Debug, Default, Clone)]
struct Column {
    name: Option<String>,
    class: Option<Class>,
}

impl Columns {
    /// A SELECT begins.
    pub fn begin(&mut self) {
        self.queries.push(vec![Column::default()]);
        self.is_open = true;
    }

    /// Anything else than columns begins.
    pub fn end(&mut self) {
        self.is_open = false;
    }

    /// The next column begins.
    pub fn comma(&mut self) {
        if self.is_open
            && let Some(query) = self.queries.last_mut()
        {
            query.push(Column::default());
        }
    }

    /// Columns come whose places are not known.
    pub fn star(&mut self) {
        self.is_hidden |= self.is_open;
    }

    /// What the column is, and its name where it is that of another column.
    pub fn expression(&mut self, node: &Node, name: Option<String>) {
        if let Some(column) = self.last() {
            *column = Column { name, class: Some(node.class) };
        }
    }

    /// The name that the query gives the column.
    pub fn name(&mut self, name: String) {
        if let Some(column) = self.last() {
            column.name = Some(name);
        }
    }

    fn last(&mut self) -> Option<&mut Column> {
        let query = self.queries.last_mut().filter(|_| self.is_open)?;
        query.last_mut()
    }

    /// Whether there are several queries of which it is not known what they put into one column.
    pub fn are_mixed(&self) -> bool {
        let lengths_differ = self.queries.windows(2).any(|pair| pair[0].len() != pair[1].len());
        self.queries.len() > 1 && (self.is_hidden || lengths_differ)
    }

    /// The class of the only column.
    pub fn only(&self) -> Option<Class> {
        let is_one = !self.is_hidden && !self.are_mixed() && self.queries.first().is_some_and(|query| query.len() == 1);
        is_one.then(|| self.class(0))
    }

    /// Names of the columns that several queries fill, with the class of all of their values.
    pub fn joined(&self) -> impl Iterator<Item = (&str, Class)> {
        let first = self.queries.first().filter(|_| self.queries.len() > 1 && !self.is_hidden);
        let columns = first.into_iter().flatten().enumerate();
        columns.filter_map(|(place, column)| Some((column.name.as_deref()?, self.class(place))))
    }

    fn class(&self, place: usize) -> Class {
        let classes = self.queries.iter().map(|query| query.get(place).and_then(|column| column.class));
        classes.fold(Class::Null, |class, column| class.and(column.unwrap_or(Class::Unknown)))
    }
}
