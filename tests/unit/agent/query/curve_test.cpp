#include "agent/query/curve.hpp"

#include "agent/query/json_field.hpp"
#include "tests/unit/agent/query/support.hpp"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::agent::query;
using namespace sluice::test;

namespace {

storage::Timestamp at(std::int64_t seconds) {
    return storage::Timestamp(std::chrono::milliseconds(kBeginMs + seconds * 1000));
}

CurveRequest request_of(const DataDir& data) {
    CurveRequest request;
    request.data_dir = data.path();
    request.stream = "telemetry";
    request.key = "pump-1";
    request.pointer = "/temperature";
    request.from = at(0);
    request.to = at(999);
    return request;
}

/// pump-0 to pump-4 in turn, a second each; pump-1 has one reading of 500.
void fill(DataDir& data) {
    for (int second = 0; second < 1000; second += 10) {
        std::vector<storage::Record> records;
        for (int i = second; i < second + 10; ++i) {
            for (int device = 0; device < 5; ++device) {
                const int temperature = device == 1 && i == 777 ? 500 : i % 50;
                records.push_back(measured("pump-" + std::to_string(device), kBeginMs + i * 1000,
                                           "{\"temperature\":" + std::to_string(temperature) + "}"));
            }
        }
        data.append(records);
    }
}

}  // namespace

TEST_CASE("curve: a peak of one reading among a thousand stays, however few points there are") {
    DataDir data(4096);
    fill(data);
    auto request = request_of(data);
    for (const std::size_t points_max : {4U, 40U, 400U}) {
        CAPTURE(points_max);
        request.points_max = points_max;
        const auto curve = must(read_curve(data.files, request));
        CHECK(curve.complete);
        CHECK(curve.found == 1000);
        CHECK(curve.points.size() <= points_max);
        CHECK(std::count(curve.points.begin(), curve.points.end(), CurvePoint{at(777), 500}) == 1);
        CHECK(curve.points.front() == CurvePoint{at(0), 0});
        CHECK(curve.points.back() == CurvePoint{at(999), 49});
        CHECK(std::is_sorted(curve.points.begin(), curve.points.end(),
                             [](const auto& a, const auto& b) { return a.timestamp < b.timestamp; }));
    }
}

TEST_CASE("curve: where there is room for all points, all are there") {
    DataDir data;
    fill(data);
    auto request = request_of(data);
    request.from = at(100);
    request.to = at(109);
    const auto curve = must(read_curve(data.files, request));
    REQUIRE(curve.points.size() == 10);
    CHECK(curve.points[3] == CurvePoint{at(103), 3});
}

TEST_CASE("curve: what is after the end that may be shown is not, nor what has no number") {
    DataDir data;
    data.append({measured("pump-1", kBeginMs, R"({"temperature":1})"), measured("pump-1", kBeginMs, "no JSON"),
                 measured("pump-1", kBeginMs, R"({"temperature":"warm"})"),
                 measured("pump-1", kBeginMs + 1, R"({"te\u006dperature":2,"n":[]})"),
                 measured("pump-1", kBeginMs + 2, R"({"temperature":3})")});
    auto request = request_of(data);
    request.end = storage::Offset(4);
    const auto curve = must(read_curve(data.files, request));
    REQUIRE(curve.points.size() == 2);
    CHECK(curve.points[1].value == 2);
    CHECK(curve.not_numbers == 2);
}

TEST_CASE("curve: what is asked wrongly is refused, and a deadline ends it") {
    DataDir data;
    fill(data);
    auto request = request_of(data);
    request.pointer = "temperature";
    CHECK(read_curve(data.files, request).error().kind() == storage::Errc::invalid);
    request = request_of(data);
    request.to = at(-1);
    CHECK(read_curve(data.files, request).error().kind() == storage::Errc::invalid);
    request = request_of(data);
    request.stream = "telemetri";
    CHECK(read_curve(data.files, request).error().kind() == storage::Errc::not_found);
    request = request_of(data);
    request.deadline = std::chrono::steady_clock::now();
    CHECK(!must(read_curve(data.files, request)).complete);
}

TEST_CASE("json field: the first of a name counts, indexes count from 0, and damage anywhere is seen") {
    const auto at = [](const std::string& json, const char* pointer) {
        return find_number(json, *JsonPath::of_pointer(pointer), pointer).value_or(-1);
    };
    CHECK(at(R"({"a":{"b":[1,{"c":2.5}]},"a":3})", "/a/b/1/c") == 2.5);
    CHECK(at(R"({"a":1,"a":3})", "/a") == 1);
    CHECK(at(R"({"0":7})", "/0") == 7);
    CHECK(at(R"([5, 6])", "/1") == 6);
    CHECK(at("7", "") == 7);
    CHECK(at(R"({"a/b":1,"m~n":2})", "/a~1b") == 1);
    CHECK(at(R"({"a":1} x)", "/a") == -1);
    CHECK(at(R"({"a":1)", "/a") == -1);
    CHECK(at(R"({"a":01})", "/a") == -1);
    CHECK(at(R"({"a":true})", "/a") == -1);
    CHECK(at("", "/a") == -1);
}
