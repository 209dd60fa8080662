#include "models/vibration/fft.hpp"

#include <kiss_fft.h>

#include <memory>
#include <new>
#include <type_traits>
#include <vector>

namespace sluice::models {

static_assert(std::is_same_v<kiss_fft_scalar, float>, "built against kissfft-float");

void fourier(std::span<std::complex<float>> values, bool inverse) {
    if (values.empty()) return;
    const auto release = [](kiss_fft_cfg plan) { kiss_fft_free(plan); };
    const std::unique_ptr<kiss_fft_state, decltype(release)> plan(
        kiss_fft_alloc(static_cast<int>(values.size()), inverse ? 1 : 0, nullptr, nullptr));
    if (!plan) throw std::bad_alloc();
    std::vector<kiss_fft_cpx> in(values.size()), out(values.size());
    for (std::size_t i = 0; i < values.size(); i++) in[i] = {values[i].real(), values[i].imag()};
    kiss_fft(plan.get(), in.data(), out.data());
    const float factor = inverse ? 1.0F / static_cast<float>(values.size()) : 1.0F;
    for (std::size_t i = 0; i < values.size(); i++) values[i] = {out[i].r * factor, out[i].i * factor};
}

}  // namespace sluice::models
