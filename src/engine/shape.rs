//! The sizes of a network: figure 1, layer by layer. The libtorch engine is compiled with it too, so that both sides of its
//! interface agree on the flat parameter buffer.

use std::ops::Range;

/// The sizes of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// d of one network: the number of features that it sees.
    pub inputs: usize,
    /// At least one width
    pub hidden: Vec<usize>,
    /// The width of z1; 0 where the network is the ND block alone
    pub latent: usize,
}

/// One affine layer: `y = x·weight + bias`, weight `[m, inputs, outputs]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerShape {
    /// As in the model file: `nd.0`, `encoder.2`, `decoder.1`, …
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
}

impl Shape {
    /// All layers, in the order of the flat parameter buffer: ND, encoder, decoder, each from its input on.
    pub fn layers(&self) -> Vec<LayerShape> {
        let nd = chain(self.inputs, self.hidden.iter(), 1);
        let mut blocks = vec![("nd", nd)];
        if self.has_autoencoder() {
            blocks.push(("encoder", chain(self.inputs, self.hidden.iter(), self.latent)));
            blocks.push(("decoder", chain(self.latent_width(), self.hidden.iter().rev(), self.inputs)));
        }
        let mut layers = Vec::with_capacity(3 * self.depth());
        for (block, widths) in blocks {
            for (at, pair) in widths.windows(2).enumerate() {
                layers.push(LayerShape { name: format!("{block}.{at}"), inputs: pair[0], outputs: pair[1] });
            }
        }
        layers
    }

    /// The number of parameters of one network.
    pub fn parameters(&self) -> usize {
        self.layers().iter().map(|layer| (layer.inputs + 1) * layer.outputs).sum()
    }

    /// Whether it has an encoder and a decoder. Without them its error is 0.
    pub fn has_autoencoder(&self) -> bool {
        self.latent > 0
    }

    /// The width of (z0, z1), eq. 1.
    pub fn latent_width(&self) -> usize {
        self.hidden.last().copied().unwrap_or_default() + self.latent
    }

    /// Where a member's numbers are in the flat buffer of an ensemble, in the order of an ensemble of one.
    pub fn member_ranges(&self, members: usize, member: usize) -> Vec<Range<usize>> {
        let mut first = 0;
        let mut ranges = Vec::with_capacity(6 * self.depth());
        for layer in self.layers() {
            for count in [layer.inputs * layer.outputs, layer.outputs] {
                let from = first + member * count;
                ranges.push(from..from + count);
                first += members * count;
            }
        }
        ranges
    }

    /// Layers of one block.
    pub fn depth(&self) -> usize {
        self.hidden.len() + 1
    }
}

fn chain<'a>(first: usize, middle: impl Iterator<Item = &'a usize>, last: usize) -> Vec<usize> {
    std::iter::once(first).chain(middle.copied()).chain(std::iter::once(last)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_network_has_its_sizes() {
        let shape = Shape { inputs: 30, hidden: vec![32, 16], latent: 16 };
        let sizes: Vec<(usize, usize)> = shape.layers().iter().map(|l| (l.inputs, l.outputs)).collect();
        assert_eq!(sizes, [(30, 32), (32, 16), (16, 1), (30, 32), (32, 16), (16, 16), (32, 16), (16, 32), (32, 30)]);
    }

    #[test]
    fn a_network_without_a_latent_is_the_nd_block_alone() {
        let shape = Shape { inputs: 3, hidden: vec![5, 4], latent: 0 };
        let names: Vec<String> = shape.layers().into_iter().map(|layer| layer.name).collect();
        assert_eq!(names, ["nd.0", "nd.1", "nd.2"]);
        assert_eq!((shape.parameters(), shape.latent_width()), (4 * 5 + 6 * 4 + 5, 4));
    }

    #[test]
    fn the_ranges_of_all_members_are_the_whole_buffer() {
        let shape = Shape { inputs: 3, hidden: vec![4, 2], latent: 1 };
        let mut all: Vec<usize> = (0..3).flat_map(|member| shape.member_ranges(3, member)).flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..3 * shape.parameters()).collect::<Vec<_>>());
    }
}
