//! Rows in parts, those of each near one another: halved by the input that differs most, and each half again (Bentley, 1975).

/// Orders the numbers of some `rows`, `[n, inputs]`: each part of `size` of them has rows that are near one another.
pub fn order(numbers: &mut [u32], rows: &[f32], inputs: usize, size: usize) {
    if numbers.len() <= size {
        return;
    }
    let widest = widest_input(numbers, rows, inputs);
    let half = numbers.len().div_ceil(2 * size) * size;
    let number = |row: u32| rows[row as usize * inputs + widest];
    // Equal ones by their numbers, so that the order is the only one.
    numbers.select_nth_unstable_by(half, |a, b| number(*a).total_cmp(&number(*b)).then(a.cmp(b)));
    let (first, second) = numbers.split_at_mut(half);
    order(first, rows, inputs, size);
    order(second, rows, inputs, size);
}

/// The input with the largest variance, of some of the rows.
fn widest_input(numbers: &[u32], rows: &[f32], inputs: usize) -> usize {
    const ROWS: usize = 64;
    let (mut sums, mut squares) = (vec![0f32; inputs], vec![0f32; inputs]);
    let some = numbers.iter().step_by(numbers.len().div_ceil(ROWS));
    let count = some.len() as f32;
    for number in some {
        let row = &rows[*number as usize * inputs..][..inputs];
        for (number, (sum, square)) in row.iter().zip(sums.iter_mut().zip(&mut squares)) {
            *sum += number;
            *square += number * number;
        }
    }
    let variance = |input: usize| squares[input] - sums[input] * sums[input] / count;
    (0..inputs).max_by(|a, b| variance(*a).total_cmp(&variance(*b))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_part_are_near_one_another() {
        // Three clusters, apart by the second of two inputs.
        let rows: Vec<f32> = (0..90).flat_map(|row| [(row * 7 % 10) as f32, (row % 3 * 100) as f32]).collect();
        let mut numbers: Vec<u32> = (0..90).collect();
        order(&mut numbers, &rows, 2, 30);
        for part in numbers.chunks(30) {
            assert!(part.iter().all(|row| row % 3 == part[0] % 3), "{part:?}");
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..90).collect::<Vec<u32>>());
    }
}
