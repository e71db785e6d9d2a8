//! Cells as tensors and metadata, for a model file.
//!
//! What follows from the vocabularies (shapes, near-duplicates, how rare a text is) is not stored.
//! The parts of columns and of parents stand one after the other; the metadata say how long each
//! is.
//!
//! | tensor | dtype, size | |
//! |---|---|---|
//! | `cells.rows` | U64 `[d, 2]` | all rows of each column, and those with a missing value |
//! | `cells.known` | F64 `[values]` | the numbers of discrete columns, in rising order |
//! | `cells.known_rows` | U64 `[values]` | the rows that have each |
//! | `cells.scales` | F64 `[numbers, 8]` | of each column of numbers: centre, spread and grain, those of the logarithms, and where the middle begins and ends |
//! | `cells.events` | U64 `[numbers, 7]` | rows; rows far out and further out, with a text that is no number, below zero, at zero, with a fraction |
//! | `cells.sentinels` | F64 `[sentinels, 2]` | numbers that stand for missing ones, and their rows |
//! | `cells.edges` | F64 `[edges]` | the bounds of bins |
//! | `cells.tails` | F64 `[knots, 2]` | of columns of numbers, below the centre and above it, then of numbers given parents: ln(1 + z²), and the rows with at least that |
//! | `cells.hours` | U64 `[targets, 26]` | of each predicted hour: the rows of 24 hours, none, and others |
//! | `cells.parents` | F64 `[parents, 2]` | the weight of each parent, and how far it determines the column |
//! | `cells.smoothing` | F64 `[categories, 3]` | k₀, c and r of each category given a parent |
//! | `cells.pair_parents`, `cells.pair_sizes` | U32 `[groups]` | the parents' codes, and the number of children of each |
//! | `cells.pair_children`, `cells.pair_rows` | U32 `[pairs]` | the children's codes, and the rows of each pair |
//! | `cells.group_codes`, `cells.group_rows` | U32 `[groups]` | of numbers given groups: the codes and rows |
//! | `cells.group_numbers` | F64 `[groups, 2]` | the centre and the spread of each |
//! | `cells.lines` | F64 `[lines, 3]` | slope, offset and spread |
//! | `cells.slopes` | F64 `[relations]` | of lines in groups, the slope that they have in common |
//! | `cells.two` | F64 `[relations, 2]` | factor and spread of a number of two others |

use polars::prelude::{polars_err, PolarsResult};
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use crate::data::Kind;
use crate::tensors::{TensorsIn, TensorsOut};

use super::column::Column;
use super::nature::Nature;
use super::notation::Notation;
use super::numbers::{Numbers, Scale};
use super::orders::Order;
use super::parents::form::Form;
use super::parents::line::{Line, Shape};
use super::parents::line_in_groups::LineInGroups;
use super::parents::two_numbers::Operation;
use super::parents::{Aim, From, Parent, Relation};
use super::values::Description;
use super::Cells;

/// The numbers of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    F64(Vec<f64>),
    U64(Vec<u64>),
    U32(Vec<u32>),
}

/// The name, the dtype and the size of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    pub name: &'static str,
    pub dtype: Dtype,
    pub size: Vec<usize>,
}

/// What cells are, but for their numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellsMetadata {
    pub columns: Vec<ColumnMetadata>,
    /// The column and the form of each coder.
    pub coders: Vec<(usize, Form)>,
    pub targets: Vec<TargetMetadata>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Order>,
    /// The number of rows that pairs and tails are counted from, where these are a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMetadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Kind>,
    pub nature: Nature,
    #[serde(default, skip_serializing_if = "Notation::is_plain")]
    pub notation: Notation,
    /// The number of known numbers.
    pub known: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumbersMetadata>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumbersMetadata {
    pub is_log: bool,
    pub has_log: bool,
    pub edges_are_values: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub go_through_zero: bool,
    pub edges: usize,
    pub sentinels: usize,
    pub knots: [usize; 2],
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetMetadata {
    pub column: usize,
    pub aim: Aim,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coder: Option<usize>,
    pub parents: Vec<ParentMetadata>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParentMetadata {
    pub columns: [usize; 2],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coder: Option<usize>,
    /// Whether a number that is far from what is expected breaks a rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_rule: bool,
    pub relation: RelationMetadata,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RelationMetadata {
    Category {
        groups: usize,
        pairs: usize,
    },
    Groups {
        groups: usize,
        knots: usize,
    },
    Line {
        parent_is_log: bool,
        child_is_log: bool,
        knots: usize,
    },
    /// Of lines through zero, there is no shape.
    LineInGroups {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shape: Option<Shape>,
        groups: usize,
        knots: usize,
    },
    Two {
        operation: Operation,
        is_log: bool,
        knots: usize,
    },
}

impl CellsMetadata {
    /// The tensors, in their order; None where there are more numbers than a file may have.
    pub fn specs(&self) -> Option<Vec<Spec>> {
        let numbers: Vec<&NumbersMetadata> = self.columns.iter().filter_map(|column| column.numbers.as_ref()).collect();
        let parents: Vec<&ParentMetadata> = self.targets.iter().flat_map(|target| &target.parents).collect();
        let known = add(self.columns.iter().map(|column| column.known))?;
        let edges = add(numbers.iter().map(|of| of.edges))?;
        let sentinels = add(numbers.iter().map(|of| of.sentinels))?;
        let knots = numbers.iter().flat_map(|of| of.knots).chain(parents.iter().map(|parent| parent.relation.knots()));
        let knots = add(knots)?;
        let hours = self.targets.iter().filter(|target| target.aim == Aim::Hour).count();
        let relations = || parents.iter().map(|parent| &parent.relation);
        let categories = relations().filter(|of| matches!(of, RelationMetadata::Category { .. })).count();
        let lines = relations().filter(|of| matches!(of, RelationMetadata::Line { .. })).count();
        let slopes = relations().filter(|of| matches!(of, RelationMetadata::LineInGroups { .. })).count();
        let two = relations().filter(|of| matches!(of, RelationMetadata::Two { .. })).count();
        let pair_groups = add(relations().map(|of| of.sizes()[0]))?;
        let pairs = add(relations().map(|of| of.sizes()[1]))?;
        let groups = add(relations().map(|of| of.sizes()[2]))?;
        let spec = |name, dtype, size: &[usize]| Spec { name, dtype, size: size.to_vec() };
        Some(vec![
            spec("cells.rows", Dtype::U64, &[self.columns.len(), 2]),
            spec("cells.known", Dtype::F64, &[known]),
            spec("cells.known_rows", Dtype::U64, &[known]),
            spec("cells.scales", Dtype::F64, &[numbers.len(), 8]),
            spec("cells.events", Dtype::U64, &[numbers.len(), 7]),
            spec("cells.sentinels", Dtype::F64, &[sentinels, 2]),
            spec("cells.edges", Dtype::F64, &[edges]),
            spec("cells.tails", Dtype::F64, &[knots, 2]),
            spec("cells.hours", Dtype::U64, &[hours, 26]),
            spec("cells.parents", Dtype::F64, &[parents.len(), 2]),
            spec("cells.smoothing", Dtype::F64, &[categories, 3]),
            spec("cells.pair_parents", Dtype::U32, &[pair_groups]),
            spec("cells.pair_sizes", Dtype::U32, &[pair_groups]),
            spec("cells.pair_children", Dtype::U32, &[pairs]),
            spec("cells.pair_rows", Dtype::U32, &[pairs]),
            spec("cells.group_codes", Dtype::U32, &[groups]),
            spec("cells.group_rows", Dtype::U32, &[groups]),
            spec("cells.group_numbers", Dtype::F64, &[groups, 2]),
            spec("cells.lines", Dtype::F64, &[lines, 3]),
            spec("cells.slopes", Dtype::F64, &[slopes]),
            spec("cells.two", Dtype::F64, &[two, 2]),
        ])
    }
}

/// The sum of sizes; None beyond what there can be.
fn add(mut sizes: impl Iterator<Item = usize>) -> Option<usize> {
    sizes.try_fold(0, usize::checked_add)
}

impl RelationMetadata {
    pub fn knots(&self) -> usize {
        match self {
            Self::Category { .. } => 0,
            Self::Groups { knots, .. }
            | Self::Line { knots, .. }
            | Self::LineInGroups { knots, .. }
            | Self::Two { knots, .. } => *knots,
        }
    }

    /// The groups and pairs of a category, and the groups of a number.
    fn sizes(&self) -> [usize; 3] {
        match self {
            Self::Category { groups, pairs } => [*groups, *pairs, 0],
            Self::Groups { groups, .. } | Self::LineInGroups { groups, .. } => [0, 0, *groups],
            _ => [0; 3],
        }
    }
}

impl Cells {
    /// Gives all of its numbers.
    pub fn write(&self, out: &mut TensorsOut) {
        for (Spec { name, .. }, values) in self.metadata().specs().into_iter().flatten().zip(self.tensors()) {
            match values {
                Values::F64(numbers) => out.put(name, &numbers),
                Values::U64(numbers) => out.put(name, &numbers),
                Values::U32(numbers) => out.put(name, &numbers),
            }
        }
    }

    /// Takes what [`Cells::write`] gave.
    ///
    /// # Errors
    /// `ComputeError` that says what is wrong with a number.
    pub fn read(tensors: &TensorsIn, metadata: &CellsMetadata, described: &[Description]) -> PolarsResult<Self> {
        let specs = metadata.specs().unwrap_or_default();
        let read = |spec: &Spec| {
            Ok(match spec.dtype {
                Dtype::U64 => Values::U64(tensors.numbers(spec.name)?),
                Dtype::U32 => Values::U32(tensors.numbers(spec.name)?),
                _ => Values::F64(tensors.numbers(spec.name)?),
            })
        };
        let values = specs.iter().map(read).collect::<PolarsResult<Vec<Values>>>()?;
        Self::from_tensors(metadata, &values, described)
            .map_err(|fault| polars_err!(ComputeError: "anorand: not a model: {fault}"))
    }

    /// What the cells are, but for their numbers.
    pub fn metadata(&self) -> CellsMetadata {
        CellsMetadata {
            columns: self.columns.iter().map(column_metadata).collect(),
            coders: self.coders.iter().map(|coder| (coder.column, coder.form)).collect(),
            targets: self
                .targets
                .iter()
                .map(|target| TargetMetadata {
                    column: target.column,
                    aim: target.aim,
                    coder: target.coder,
                    parents: target.parents.iter().map(parent_metadata).collect(),
                })
                .collect(),
            orders: self.orders.clone(),
            sampled: Some(self.seen).filter(|seen| self.columns.first().is_some_and(|column| column.all.rows != *seen)),
        }
    }

    /// The numbers of the tensors, in the order of [`CellsMetadata::specs`].
    pub fn tensors(&self) -> Vec<Values> {
        let numbers = || self.columns.iter().filter_map(|column| column.numbers.as_ref());
        let parents = || self.targets.iter().flat_map(|target| &target.parents);
        let scale = |scale: &Scale| [scale.centre, scale.spread, scale.grain];
        let scales =
            |of: &Numbers| [&scale(&of.raw)[..], &of.log.as_ref().map_or([0.0; 3], scale), &of.middle].concat();
        let mut tensors = vec![
            Values::U64(self.columns.iter().flat_map(|column| [column.all.rows, column.all.missing]).collect()),
            Values::F64(self.columns.iter().flat_map(|column| column.known.iter().copied()).collect()),
            Values::U64(self.columns.iter().flat_map(|column| column.counts.iter().copied()).collect()),
            Values::F64(numbers().flat_map(scales).collect()),
            Values::U64(
                numbers()
                    .flat_map(|of| [of.rows, of.far[0], of.far[1], of.unread, of.odd[0], of.odd[1], of.odd[2]])
                    .collect(),
            ),
            Values::F64(numbers().flat_map(|of| &of.sentinels).flat_map(|(value, n)| [*value, *n as f64]).collect()),
            Values::F64(numbers().flat_map(|of| of.edges.iter().copied()).collect()),
        ];
        let given = parents().filter_map(|parent| match &parent.relation {
            Relation::Number(given) => Some(given),
            Relation::Category(_) => None,
        });
        let tails =
            numbers().flat_map(|of| [&of.ends.below, &of.ends.above]).chain(given.clone().map(|given| &given.tail));
        let knots = tails.flat_map(|tail| tail.knots.iter().zip(&tail.at_least)).flat_map(|(knot, n)| [*knot, *n]);
        tensors.push(Values::F64(knots.collect()));
        let hours = self.targets.iter().filter(|target| target.aim == Aim::Hour);
        tensors.push(Values::U64(hours.flat_map(|target| target.counts.iter().copied()).collect()));
        tensors.push(Values::F64(parents().flat_map(|parent| [parent.weight, parent.determines]).collect()));
        tensors.extend(self.pair_tensors());
        let groups = given.clone().filter_map(|given| given.from.groups());
        tensors.push(Values::U32(groups.clone().flat_map(|groups| groups.keys.iter().copied()).collect()));
        tensors.push(Values::U32(groups.clone().flat_map(|groups| groups.rows.iter().copied()).collect()));
        let sized = groups.flat_map(|groups| groups.centres.iter().zip(&groups.spreads));
        tensors.push(Values::F64(sized.flat_map(|(centre, spread)| [*centre, *spread]).collect()));
        let lines = given.clone().filter_map(|given| match &given.from {
            From::Line(Line { slope, offset, spread, .. }) => Some([*slope, *offset, *spread]),
            _ => None,
        });
        tensors.push(Values::F64(lines.flatten().collect()));
        let slopes = given.clone().filter_map(|given| match &given.from {
            From::LineInGroups(LineInGroups { slope, .. }) => Some(*slope),
            _ => None,
        });
        tensors.push(Values::F64(slopes.collect()));
        let two = given.filter_map(|given| match &given.from {
            From::Two(two) => Some([two.factor, two.spread]),
            _ => None,
        });
        tensors.push(Values::F64(two.flatten().collect()));
        tensors
    }

    /// The smoothing and the pairs of categories given parents.
    fn pair_tensors(&self) -> Vec<Values> {
        let parents = self.targets.iter().flat_map(|target| &target.parents);
        let categories = parents.filter_map(|parent| match &parent.relation {
            Relation::Category(category) => Some(category),
            Relation::Number(_) => None,
        });
        let pairs = || categories.clone().map(|category| &category.pairs);
        let sizes = pairs().flat_map(|pairs| pairs.starts.windows(2)).map(|pair| pair[1] - pair[0]);
        vec![
            Values::F64(categories.clone().flat_map(|of| [of.smoothing.k0, of.smoothing.c, of.smoothing.r]).collect()),
            Values::U32(pairs().flat_map(|pairs| pairs.keys.iter().copied()).collect()),
            Values::U32(sizes.collect()),
            Values::U32(pairs().flat_map(|pairs| pairs.children.iter().copied()).collect()),
            Values::U32(pairs().flat_map(|pairs| pairs.counts.iter().copied()).collect()),
        ]
    }
}

fn column_metadata(column: &Column) -> ColumnMetadata {
    let numbers = column.numbers.as_ref().map(|of| NumbersMetadata {
        is_log: of.is_log,
        has_log: of.log.is_some(),
        edges_are_values: of.edges_are_values,
        go_through_zero: of.go_through_zero,
        edges: of.edges.len(),
        sentinels: of.sentinels.len(),
        knots: [&of.ends.below, &of.ends.above].map(|tail| tail.knots.len()),
    });
    let (time, nature, notation) = (column.time, column.nature, column.notation.clone());
    ColumnMetadata { time, nature, notation, known: column.known.len(), numbers }
}

fn parent_metadata(parent: &Parent) -> ParentMetadata {
    let relation = match &parent.relation {
        Relation::Category(category) => {
            RelationMetadata::Category { groups: category.pairs.keys.len(), pairs: category.pairs.children.len() }
        }
        Relation::Number(given) => {
            let knots = given.tail.knots.len();
            match &given.from {
                From::Groups(groups) => RelationMetadata::Groups { groups: groups.keys.len(), knots },
                From::Line(line) => {
                    let (parent_is_log, child_is_log) = (line.parent_is_log, line.child_is_log);
                    RelationMetadata::Line { parent_is_log, child_is_log, knots }
                }
                From::LineInGroups(LineInGroups { shape, groups, .. }) => {
                    RelationMetadata::LineInGroups { shape: *shape, groups: groups.keys.len(), knots }
                }
                From::Two(two) => RelationMetadata::Two { operation: two.operation, is_log: two.is_log, knots },
            }
        }
    };
    let is_rule = matches!(&parent.relation, Relation::Number(given) if given.tail.is_rule);
    ParentMetadata { columns: parent.columns, coder: parent.coder, is_rule, relation }
}
