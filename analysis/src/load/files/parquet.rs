//! Parquet files of any writer: columns of single values, also within records.

use std::fs::File;

use half::f16;
use jiff::{SignedDuration, civil};
use model::layout::ColumnType;
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit as Unit, Type as Physical},
    column::reader::get_typed_column_reader,
    data_type::{
        BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type,
        Int64Type, Int96Type,
    },
    errors::{ParquetError, Result},
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    schema::types::ColumnDescriptor,
};
use polars::prelude::{
    BooleanChunked, Column, DataFrame, Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn, IntoSeries,
    NewChunkedArray, StringChunked, TimeUnit,
};

use super::{FileColumn, FileError, TableFile};

/// Digits of a decimal with which it is the same number as a float.
const DIGITS_OF_FLOAT: u32 = 15;
/// Powers of ten up to this are exact as floats.
const EXACT_POWER: u32 = 22;
/// Digits of the largest decimal that is read.
const MOST_DIGITS: i32 = 38;

/// The columns of the file, each with its type or what it holds instead.
pub(super) fn columns(file: &TableFile) -> std::result::Result<Vec<FileColumn>, FileError> {
    let (_, leaves) = open(file)?;
    let column = |leaf: Leaf| FileColumn { name: leaf.name, kind: leaf.kind.map(Kind::column_type) };
    Ok(leaves.into_iter().map(column).collect())
}

/// The columns of the file under its own types.
pub(super) fn read(file: &TableFile) -> std::result::Result<DataFrame, FileError> {
    let broken = |error: ParquetError| FileError::Parquet { path: file.path.clone(), reason: reason(&error) };
    let (reader, leaves) = open(file)?;
    let names: Vec<String> = leaves.iter().map(|leaf| leaf.name.clone()).collect();
    let mut columns = Vec::new();
    for place in file.places(&names)? {
        let leaf = &leaves[place];
        let kind = leaf.kind.clone().map_err(|kind| FileError::Kind {
            path: file.path.clone(),
            column: leaf.name.clone(),
            kind,
        })?;
        columns.push(read_column(&reader, leaf, kind).map_err(broken)?);
    }
    let rows = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or_default();
    DataFrame::new(rows, columns)
        .map_err(|error| FileError::Parquet { path: file.path.clone(), reason: error.to_string() })
}

fn open(file: &TableFile) -> std::result::Result<(SerializedFileReader<File>, Vec<Leaf>), FileError> {
    let input = File::open(&file.path).map_err(|source| FileError::Read { path: file.path.clone(), source })?;
    let broken = |error: ParquetError| FileError::Parquet { path: file.path.clone(), reason: reason(&error) };
    let reader = SerializedFileReader::new(input).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let leaves = schema.columns().iter().enumerate().map(|(place, column)| Leaf {
        name: column.path().string(),
        place,
        kind: Kind::of(column).ok_or_else(|| described(column)),
    });
    let leaves = leaves.collect();
    Ok((reader, leaves))
}

/// A column of single values in the file; a member of a record is called `record.member`.
struct Leaf {
    name: String,
    place: usize,
    kind: std::result::Result<Kind, String>,
}

/// What a column becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int32,
    /// Bits of an integer without a sign.
    Unsigned32,
    Int64,
    Unsigned64,
    Half,
    Float,
    Double,
    /// A number with so many decimals.
    Decimal(i32),
    Text,
    Uuid,
    Date,
    /// Nanoseconds of a unit.
    Time(i64),
    /// So many of its units are a millisecond.
    Timestamp(i64),
    /// The old form of Spark and Impala.
    Timestamp96,
}

impl Kind {
    /// `None` for what a frame of this library does not hold: lists, bytes, intervals.
    fn of(column: &ColumnDescriptor) -> Option<Self> {
        if column.max_rep_level() > 0 {
            return None;
        }
        match (column.physical_type(), column.logical_type_ref(), column.converted_type()) {
            (_, Some(LogicalType::Decimal(_)), _) | (_, _, ConvertedType::DECIMAL) => {
                (column.type_precision() <= MOST_DIGITS).then_some(Self::Decimal(column.type_scale()))
            }
            (Physical::BOOLEAN, ..) => Some(Self::Bool),
            (Physical::FLOAT, ..) => Some(Self::Float),
            (Physical::DOUBLE, ..) => Some(Self::Double),
            (Physical::INT96, ..) => Some(Self::Timestamp96),
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16), _) => Some(Self::Half),
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid), _) => Some(Self::Uuid),
            // One in nanoseconds has no converted type, as a plain integer has none.
            (_, Some(LogicalType::Time(time)), _) => Some(Self::Time(nanoseconds(time.unit))),
            (Physical::INT64, Some(LogicalType::Timestamp(time)), _) => {
                Some(Self::Timestamp(1_000_000 / nanoseconds(time.unit)))
            }
            (physical, _, converted) => Self::of_converted(physical, converted),
        }
    }

    fn of_converted(physical: Physical, converted: ConvertedType) -> Option<Self> {
        use ConvertedType as Converted;
        match (physical, converted) {
            (Physical::INT32, Converted::DATE) => Some(Self::Date),
            (Physical::INT32, Converted::TIME_MILLIS) => Some(Self::Time(1_000_000)),
            (Physical::INT32, Converted::UINT_32) => Some(Self::Unsigned32),
            (Physical::INT32, _) => Some(Self::Int32),
            (Physical::INT64, Converted::TIME_MICROS) => Some(Self::Time(1_000)),
            (Physical::INT64, Converted::TIMESTAMP_MILLIS) => Some(Self::Timestamp(1)),
            (Physical::INT64, Converted::TIMESTAMP_MICROS) => Some(Self::Timestamp(1_000)),
            (Physical::INT64, Converted::UINT_64) => Some(Self::Unsigned64),
            (Physical::INT64, Converted::NONE | Converted::INT_64) => Some(Self::Int64),
            (Physical::BYTE_ARRAY, Converted::UTF8 | Converted::ENUM | Converted::JSON) => Some(Self::Text),
            _ => None,
        }
    }

    /// The type before the values are known: numbers that no number of a frame holds become texts.
    fn column_type(self) -> ColumnType {
        match self {
            Self::Bool => ColumnType::Bool,
            Self::Int32 | Self::Unsigned32 | Self::Int64 | Self::Unsigned64 => ColumnType::Int,
            Self::Half | Self::Float | Self::Double | Self::Decimal(_) => ColumnType::Float,
            Self::Text | Self::Uuid | Self::Time(_) => ColumnType::String,
            Self::Date => ColumnType::Date,
            Self::Timestamp(_) | Self::Timestamp96 => ColumnType::Timestamp,
        }
    }
}

fn nanoseconds(unit: Unit) -> i64 {
    match unit {
        Unit::MILLIS => 1_000_000,
        Unit::MICROS => 1_000,
        Unit::NANOS => 1,
    }
}

fn described(column: &ColumnDescriptor) -> String {
    if column.max_rep_level() > 0 {
        return "lists".to_owned();
    }
    match (column.physical_type(), column.converted_type()) {
        (_, ConvertedType::DECIMAL) => format!("decimals of more than {MOST_DIGITS} digits"),
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, ConvertedType::NONE) => "bytes".to_owned(),
        (physical, ConvertedType::NONE) => physical.to_string(),
        (physical, converted) => format!("{physical} ({converted})"),
    }
}

fn read_column(reader: &SerializedFileReader<File>, leaf: &Leaf, kind: Kind) -> Result<Column> {
    let (place, name) = (leaf.place, leaf.name.as_str());
    Ok(match kind {
        Kind::Bool => {
            BooleanChunked::from_iter_options(name.into(), values::<BoolType>(reader, place)?.into_iter()).into_column()
        }
        Kind::Int32 => ints(name, mapped::<Int32Type, _>(reader, place, |value| Ok(value.into()))?).into_column(),
        Kind::Unsigned32 => {
            let values = mapped::<Int32Type, _>(reader, place, |value| Ok(value.cast_unsigned().into()))?;
            ints(name, values).into_column()
        }
        Kind::Int64 => ints(name, values::<Int64Type>(reader, place)?).into_column(),
        Kind::Unsigned64 => {
            decimals(name, &mapped::<Int64Type, _>(reader, place, |value| Ok(value.cast_unsigned().into()))?, 0)
        }
        Kind::Decimal(scale) => decimals(name, &unscaled(reader, place)?, scale),
        Kind::Half => floats(name, mapped::<FixedLenByteArrayType, _>(reader, place, |value| half(value.data()))?),
        Kind::Float => floats(name, mapped::<FloatType, _>(reader, place, |value| Ok(value.into()))?),
        Kind::Double => floats(name, values::<DoubleType>(reader, place)?),
        Kind::Timestamp(per_milli) => {
            instants(name, mapped::<Int64Type, _>(reader, place, |value| Ok(value.div_euclid(per_milli)))?)
        }
        Kind::Timestamp96 => instants(name, mapped::<Int96Type, _>(reader, place, |value| Ok(value.to_millis()))?),
        Kind::Date => Int32Chunked::from_iter_options(name.into(), values::<Int32Type>(reader, place)?.into_iter())
            .into_series()
            .into_date()
            .into_column(),
        Kind::Time(unit) => texts(name, times(reader, place, unit)?),
        Kind::Uuid => texts(name, mapped::<FixedLenByteArrayType, _>(reader, place, |value| uuid(value.data()))?),
        Kind::Text => {
            let bytes = values::<ByteArrayType>(reader, place)?;
            let texts = bytes.iter().map(|bytes| bytes.as_ref().map(ByteArray::as_utf8).transpose());
            let texts = texts.collect::<Result<Vec<Option<&str>>>>()?;
            StringChunked::from_iter_options(name.into(), texts.into_iter()).into_column()
        }
    })
}

fn ints(name: &str, values: Vec<Option<i64>>) -> Int64Chunked {
    Int64Chunked::from_iter_options(name.into(), values.into_iter())
}

fn floats(name: &str, values: Vec<Option<f64>>) -> Column {
    Float64Chunked::from_iter_options(name.into(), values.into_iter()).into_column()
}

fn texts(name: &str, values: Vec<Option<String>>) -> Column {
    StringChunked::from_iter_options(name.into(), values.into_iter()).into_column()
}

fn instants(name: &str, millis: Vec<Option<i64>>) -> Column {
    ints(name, millis).into_series().into_datetime(TimeUnit::Milliseconds, None).into_column()
}

/// Decimals as integers or floats, where each of them stays the same number; otherwise as texts with all of their digits.
fn decimals(name: &str, values: &[Option<i128>], scale: i32) -> Column {
    let scale = u32::try_from(scale).unwrap_or_default();
    let whole =
        || values.iter().map(|value| value.map(i64::try_from).transpose()).collect::<std::result::Result<Vec<_>, _>>();
    if let (0, Ok(whole)) = (scale, whole()) {
        return ints(name, whole).into_column();
    }
    let most = 10_u128.pow(DIGITS_OF_FLOAT);
    if scale > 0 && scale <= EXACT_POWER && values.iter().flatten().all(|value| value.unsigned_abs() < most) {
        let unit = 10_f64.powi(scale as i32);
        return floats(name, values.iter().map(|value| value.map(|value| value as f64 / unit)).collect());
    }
    texts(name, values.iter().map(|value| value.map(|value| decimal_text(value, scale))).collect())
}

fn decimal_text(unscaled: i128, scale: u32) -> String {
    let (sign, scale) = (if unscaled < 0 { "-" } else { "" }, scale as usize);
    let digits = format!("{:0>1$}", unscaled.unsigned_abs(), scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}{}{fraction}", if fraction.is_empty() { "" } else { "." })
}

/// The integers of decimals, without their point.
fn unscaled(reader: &SerializedFileReader<File>, place: usize) -> Result<Vec<Option<i128>>> {
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    match schema.column(place).physical_type() {
        Physical::INT32 => mapped::<Int32Type, _>(reader, place, |value| Ok(value.into())),
        Physical::INT64 => mapped::<Int64Type, _>(reader, place, |value| Ok(value.into())),
        Physical::BYTE_ARRAY => mapped::<ByteArrayType, _>(reader, place, |value| big_endian(value.data())),
        _ => mapped::<FixedLenByteArrayType, _>(reader, place, |value| big_endian(value.data())),
    }
}

fn big_endian(bytes: &[u8]) -> Result<i128> {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let skipped = bytes.len().saturating_sub(16);
    let mut wide = [fill; 16];
    wide[16 - (bytes.len() - skipped)..].copy_from_slice(&bytes[skipped..]);
    let value = i128::from_be_bytes(wide);
    let fits = bytes[..skipped].iter().all(|byte| *byte == fill) && (value < 0) == negative;
    fits.then_some(value).ok_or_else(|| ParquetError::General("a decimal has more than 38 digits".to_owned()))
}

fn half(bytes: &[u8]) -> Result<f64> {
    let bytes =
        <[u8; 2]>::try_from(bytes).map_err(|_| ParquetError::General("a half float has not two bytes".to_owned()))?;
    Ok(f16::from_le_bytes(bytes).to_f64())
}

fn uuid(bytes: &[u8]) -> Result<String> {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if digits.len() != 32 {
        return Err(ParquetError::General("a UUID has not 16 bytes".to_owned()));
    }
    Ok(format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]))
}

/// Times of day as texts, `18:00:00.25`.
fn times(reader: &SerializedFileReader<File>, place: usize, unit: i64) -> Result<Vec<Option<String>>> {
    let time = |value: i64| {
        let nanos = value.checked_mul(unit).filter(|nanos| *nanos >= 0);
        let time = nanos.and_then(|nanos| civil::Time::midnight().checked_add(SignedDuration::from_nanos(nanos)).ok());
        time.map(|time| time.to_string()).ok_or_else(|| ParquetError::General(format!("{value} is no time of day")))
    };
    match reader.metadata().file_metadata().schema_descr_ptr().column(place).physical_type() {
        Physical::INT32 => mapped::<Int32Type, _>(reader, place, |value| time(value.into())),
        _ => mapped::<Int64Type, _>(reader, place, time),
    }
}

fn mapped<T: DataType, V>(
    reader: &SerializedFileReader<File>,
    place: usize,
    change: impl Fn(T::T) -> Result<V>,
) -> Result<Vec<Option<V>>> {
    values::<T>(reader, place)?.into_iter().map(|value| value.map(&change).transpose()).collect()
}

/// The column's values over all row groups.
fn values<T: DataType>(reader: &SerializedFileReader<File>, place: usize) -> Result<Vec<Option<T::T>>> {
    let mut all = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let column = group.metadata().column(place);
        // Below this level the value is null, or a record around it is.
        let defined = column.column_descr().max_def_level();
        let mut left = usize::try_from(column.num_values()).map_err(|error| ParquetError::External(error.into()))?;
        let mut column = get_typed_column_reader::<T>(group.get_column_reader(place)?);
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        while left > 0 {
            let (read, _, _) = column.read_records(left, Some(&mut levels), None, &mut values)?;
            if read == 0 {
                return Err(ParquetError::EOF("a column ends before its rows".to_owned()));
            }
            left -= read;
        }
        let mut values = values.into_iter();
        match defined {
            // No levels are written for a column that has a value in every row.
            0 => all.extend(values.map(Some)),
            _ => all.extend(levels.iter().map(|level| if *level == defined { values.next() } else { None })),
        }
    }
    Ok(all)
}

fn reason(error: &ParquetError) -> String {
    match error {
        ParquetError::General(what) if what.contains("Disabled feature") => {
            format!("{what}; write it with snappy, zstd or no compression")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::DataType as Type;

    #[test]
    fn decimals_are_numbers_where_no_digit_is_lost() {
        let kind = |values: &[i128], scale| {
            let values: Vec<_> = values.iter().map(|value| Some(*value)).collect();
            let column = decimals("d", &values, scale);
            (column.dtype().clone(), column.get(0).expect("a value").to_string())
        };
        assert_eq!(kind(&[110, -5], 2), (Type::Float64, "1.1".to_owned()));
        assert_eq!(kind(&[i64::MAX.into()], 0), (Type::Int64, i64::MAX.to_string()));
        for (unscaled, scale, text) in [
            (1 << 64, 0, "18446744073709551616"),
            (123_456_789_012_345_678, 2, "1234567890123456.78"),
            (-123_456_789_012_345_678, 20, "-0.00123456789012345678"),
            (5, 30, "0.000000000000000000000000000005"),
        ] {
            assert_eq!(kind(&[unscaled], scale), (Type::String, format!("\"{text}\"")), "{text}");
        }
    }

    #[test]
    fn big_endian_integers_have_their_sign() {
        assert_eq!(big_endian(&[0xff]).expect("a value"), -1);
        assert_eq!(big_endian(&[0, 0x80]).expect("a value"), 128);
        assert_eq!(big_endian(&[0xff; 20]).expect("a value"), -1);
        assert_eq!(big_endian(&[]).expect("a value"), 0);
        assert!(big_endian(&[1; 17]).is_err());
    }
}
