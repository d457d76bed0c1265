//! Nice values as weights: each step is a quarter more or less of a share, as on Linux.

/// The weight of nice 0.
pub const NICE_0_WEIGHT: u64 = 1024;

/// The weight of `SCHED_IDLE`.
pub const IDLE_WEIGHT: u64 = 3;

const WEIGHTS: [u64; 40] = {
    let mut weights = [0; 40];
    let mut index = 0;
    while index < 40 {
        // 1024 × (5/4)^(-nice), rounded; 20 steps of 5 and 4 fit in 128 bits.
        let nice = index as i32 - 20;
        let (mut numerator, mut denominator): (u128, u128) = (1024, 1);
        let mut step = 0;
        while step < nice.unsigned_abs() {
            if nice < 0 {
                numerator *= 5;
                denominator *= 4;
            } else {
                numerator *= 4;
                denominator *= 5;
            }
            step += 1;
        }
        weights[index] = ((numerator + denominator / 2) / denominator) as u64;
        index += 1;
    }
    weights
};

/// The weight of a nice value, -20 to 19 (clamped).
pub const fn weight_of_nice(nice: i32) -> u64 {
    let index = if nice < -20 {
        0
    } else if nice > 19 {
        39
    } else {
        nice + 20
    };
    WEIGHTS[index as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_linux_within_two_percent() {
        for (nice, linux) in
            [(-20, 88761), (-10, 9548), (-5, 3121), (0, 1024), (5, 335), (10, 110), (19, 15)]
        {
            let ours = weight_of_nice(nice) as f64;
            assert!((ours / linux as f64 - 1.0).abs() < 0.02, "nice {nice}: {ours}");
        }
    }
}
