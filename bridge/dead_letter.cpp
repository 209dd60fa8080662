#include "bridge/dead_letter.hpp"

#include <utility>
#include <vector>

namespace sluice::bridge {

storage::Record make_dead_letter(storage::Record record, std::string_view reason, std::string detail,
                                 std::string_view stream) {
    std::vector<storage::Header> headers{{"sluice.reason", std::string(reason)},
                                         {"sluice.detail", std::move(detail)},
                                         {"sluice.stream", std::string(stream)}};
    for (auto& header : record.headers) headers.push_back(std::move(header));
    record.headers = std::move(headers);
    return record;
}

}  // namespace sluice::bridge
