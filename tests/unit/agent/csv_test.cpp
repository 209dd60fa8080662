#include "agent/csv.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iterator>

namespace sluice::agent {

namespace {

/// A file of its own, gone at the end.
class TemporaryFile {
 public:
    explicit TemporaryFile(const std::string& text) {
        std::string pattern = (std::filesystem::temp_directory_path() / "sluice-csv-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
        std::ofstream(path()) << text;
    }
    ~TemporaryFile() { std::filesystem::remove_all(directory_); }
    [[nodiscard]] std::string path() const { return directory_ + "/x.csv"; }
    /// A message without the folder.
    [[nodiscard]] std::string brief(const std::string& message) const {
        return message.starts_with(directory_) ? message.substr(directory_.size() + 1) : message;
    }

 private:
    std::string directory_;
};

/// What is wrong with reading all of `text` as times and numbers.
std::string fault(const std::string& text) {
    const TemporaryFile file(text);
    auto csv = CsvReader::open(file.path());
    if (!csv) return file.brief(csv.error().message());
    const auto time = csv->column("timestamp"), value = csv->column("value");
    if (!time) return file.brief(time.error().message());
    if (!value) return file.brief(value.error().message());
    for (;;) {
        const auto more = csv->next();
        if (!more) return file.brief(more.error().message());
        if (!*more) return "";
        const auto seconds = csv->seconds(*time);
        if (!seconds) return file.brief(seconds.error().message());
        const auto number = csv->number(*value);
        if (!number) return file.brief(number.error().message());
    }
}

double seconds_of(const std::string& text) {
    const TemporaryFile file("t\n" + text + "\n");
    auto csv = CsvReader::open(file.path());
    REQUIRE(csv.has_value());
    REQUIRE(*csv->next());
    const auto seconds = csv->seconds(0);
    REQUIRE(seconds.has_value());
    return *seconds;
}

}  // namespace

TEST_CASE("csv: each fault is said with its place and what to do") {
    const std::string head = "timestamp,value\n";
    CHECK(fault(head + "0,1\n1,2.5e3\n") == "");
    CHECK(fault("") == "x.csv:1:1: no header line (the first line names the columns)");
    CHECK(fault("timestamp,value,value\n") == "x.csv:1:17: a second column \"value\" (rename one of them)");
    CHECK(fault("timestamp,vlaue\n") == "x.csv:1:1: no column \"value\" (did you mean vlaue?)");
    CHECK(fault("timestamp,x\n") == "x.csv:1:1: no column \"value\" (there are timestamp, x)");
    CHECK(fault(head + "0,1\n1,two\n") == "x.csv:3:3: \"two\" is not a number (write it as 20.5 or 2.05e1)");
    CHECK(fault(head + "0,nan\n").starts_with("x.csv:2:3: \"nan\" is not a number"));
    CHECK(fault(head + "0,1e999\n").starts_with("x.csv:2:3: \"1e999\" is not a number"));
    CHECK(fault(head + "0,\n").starts_with("x.csv:2:3: \"\" is not a number"));
    CHECK(fault(head + "noon,1\n") == "x.csv:2:1: \"noon\" is not a time (write it as 2026-01-31T23:59:00Z)");
    CHECK(fault(head + "0,1,2\n") == "x.csv:2:5: 3 fields (the header has 2)");
    CHECK(fault(head + "0\n") == "x.csv:2:1: 1 fields (the header has 2)");
    CHECK(fault(head + "0,\"1\n") == "x.csv:2:3: a quote without its end (add \" to the field)");
    CHECK(fault(head + "0,\"1\"2\n") == "x.csv:2:6: text after a quoted field (add a comma)");
}

TEST_CASE("csv: a file that isn't there is said") {
    const auto csv = CsvReader::open("/nowhere/x.csv");
    REQUIRE_FALSE(csv.has_value());
    CHECK(csv.error().message().find("/nowhere/x.csv: No such file or directory") != std::string::npos);
}

TEST_CASE("csv: quotes, Windows line ends, Excel's mark and a missing last line end") {
    const TemporaryFile file("\xef\xbb\xbf\"a,b\",c\r\n\"x \"\"y\"\"\",3\r\n,4");
    auto csv = CsvReader::open(file.path());
    REQUIRE(csv.has_value());
    CHECK(csv->columns() == std::vector<std::string>{"a,b", "c"});
    REQUIRE(*csv->next());
    CHECK(csv->text(0) == "x \"y\"");
    CHECK(*csv->number(1) == 3);
    REQUIRE(*csv->next());
    CHECK(std::isnan(*csv->number_or_missing(0)));
    CHECK_FALSE(*csv->next());
}

TEST_CASE("csv: times with and without a zone, seconds and milliseconds") {
    CHECK(seconds_of("2014-04-01 00:00:05") == 1396310405);
    CHECK(seconds_of("2014-04-01T02:00:05.5+02:00") == 1396310405.5);
    CHECK(seconds_of("1396310405") == 1396310405);
    CHECK(seconds_of("1396310405500") == 1396310405.5);
}

TEST_CASE("csv: what is written is there when it is finished, whole, and reads back the same") {
    const TemporaryFile file("old\n");
    {
        auto unfinished = CsvWriter::create(file.path());
        REQUIRE(unfinished.has_value());
        unfinished->field("new").end_row();
    }
    auto csv = CsvReader::open(file.path());
    CHECK(csv->columns() == std::vector<std::string>{"old"});
    CHECK_FALSE(std::filesystem::exists(file.path() + ".part"));

    auto writer = CsvWriter::create(file.path());
    REQUIRE(writer.has_value());
    writer->field("a \"b\", c").field(0.1).end_row();
    REQUIRE(writer->finish().has_value());
    csv = CsvReader::open(file.path());
    CHECK(csv->columns() == std::vector<std::string>{"a \"b\", c", "0.1"});
}

}  // namespace sluice::agent
