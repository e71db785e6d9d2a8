//! The sizes of a network: figure 1, layer by layer.

use std::ops::Range;

/// The sizes of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// d of one network: the features that it sees.
    pub inputs: i64,
    pub hidden: Vec<i64>,
    pub latent: i64,
}

/// One affine layer: `y = x·weight + bias`, weight `[m, inputs, outputs]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerShape {
    /// As in the model file: `nd.0`, `encoder.2`, `decoder.1`, …
    pub name: String,
    pub inputs: i64,
    pub outputs: i64,
}

impl Shape {
    /// All layers, in the order of the flat parameter buffer: ND, encoder, decoder, each from its input on.
    pub fn layers(&self) -> Vec<LayerShape> {
        let last = self.hidden[self.hidden.len() - 1];
        let nd = chain(self.inputs, self.hidden.iter(), 1);
        let encoder = chain(self.inputs, self.hidden.iter(), self.latent);
        let decoder = chain(last + self.latent, self.hidden.iter().rev(), self.inputs);
        [("nd", nd), ("encoder", encoder), ("decoder", decoder)]
            .into_iter()
            .flat_map(|(block, widths)| {
                widths
                    .windows(2)
                    .enumerate()
                    .map(move |(at, pair)| LayerShape {
                        name: format!("{block}.{at}"),
                        inputs: pair[0],
                        outputs: pair[1],
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Numbers a network is made of.
    pub fn parameters(&self) -> i64 {
        self.layers().iter().map(|layer| (layer.inputs + 1) * layer.outputs).sum()
    }

    /// Where a member's numbers are in the flat buffer of a fleet, in the order of a fleet of one.
    pub fn member_ranges(&self, members: usize, member: usize) -> Vec<Range<usize>> {
        let mut first = 0;
        let layers = self.layers();
        let counts = layers.iter().flat_map(|layer| [layer.inputs * layer.outputs, layer.outputs]);
        counts
            .map(|count| {
                let from = first + member * count as usize;
                first += members * count as usize;
                from..from + count as usize
            })
            .collect()
    }

    /// Layers of one block.
    pub fn depth(&self) -> usize {
        self.hidden.len() + 1
    }
}

fn chain<'a>(first: i64, middle: impl Iterator<Item = &'a i64>, last: i64) -> Vec<i64> {
    std::iter::once(first).chain(middle.copied()).chain(std::iter::once(last)).collect()
}
