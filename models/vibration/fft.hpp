// fft.hpp: the discrete Fourier transform, by KISS FFT. Its types stay in fft.cpp.
#pragma once

#include <complex>
#include <span>

namespace sluice::models {

/// In place. Forward: without a factor; inverse: divided by the size, so that forward and inverse give the same again.
/// Fastest where the size is a product of 2, 3 and 5.
void fourier(std::span<std::complex<float>> values, bool inverse);

}  // namespace sluice::models
